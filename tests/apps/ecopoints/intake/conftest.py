"""A world for each test, on each database that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.common.harness import DATABASES
from tests.apps.ecopoints.intake.world import World, open_world


@pytest.fixture(params=DATABASES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path, str(request.param))
    yield opened
    opened.close()
