"""The pages of points within the eco-point application, on the real contract, with two residents who have points."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.points.high_street import HighStreet, open_high_street

WORLD_START_MS = 1_800_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(WORLD_START_MS + 3_600_000)


@pytest.fixture
def chain(clock: FakeClock) -> EcoChain:
    return EcoChain(clock)


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def street(tmp_path: Path, clock: FakeClock, chain: EcoChain, database_kind: str) -> AsyncIterator[HighStreet]:
    async with open_high_street(tmp_path, clock, chain, database_kind) as running:
        yield running
