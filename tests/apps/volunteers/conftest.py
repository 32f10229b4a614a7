"""The volunteers' application on the real contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES
from tests.apps.volunteers.chain import CorpsChain
from tests.apps.volunteers.corps import Corps, open_corps

WORLD_START_MS = 1_800_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(WORLD_START_MS + 3_600_000)


@pytest.fixture
def chain(clock: FakeClock) -> CorpsChain:
    return CorpsChain(clock)


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def corps(tmp_path: Path, clock: FakeClock, chain: CorpsChain, database_kind: str) -> AsyncIterator[Corps]:
    async with open_corps(tmp_path, clock, chain, database_kind) as running:
        yield running
