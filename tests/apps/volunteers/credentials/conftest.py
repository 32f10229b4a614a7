"""Each kind of database."""

from __future__ import annotations

import pytest

from tests.apps.common.harness import DATABASES


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
