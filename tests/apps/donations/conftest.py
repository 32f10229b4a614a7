"""The relief application on the real contract, with two municipalities' masters in place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES
from tests.apps.donations.chain import ContractChain
from tests.apps.donations.relief import Relief, open_relief

WORLD_START_MS = 1_800_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(WORLD_START_MS + 3_600_000)


@pytest.fixture
def chain(clock: FakeClock) -> ContractChain:
    return ContractChain(clock)


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def relief(tmp_path: Path, clock: FakeClock, chain: ContractChain, database_kind: str) -> AsyncIterator[Relief]:
    async with open_relief(tmp_path, clock, chain, database_kind) as running:
        yield running
