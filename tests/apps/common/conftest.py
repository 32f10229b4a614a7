"""What the kit's tests share: the example application, served on a fake chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.common.example.application import ACCOUNT, make_site
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import DATABASES, Running, add_user, database_url, keyring, serve, settings


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def chain(clock: FakeClock) -> FakeChain:
    return FakeChain(clock)


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def running(tmp_path: Path, clock: FakeClock, chain: FakeChain, database_kind: str) -> AsyncIterator[Running]:
    """The example without workers: a test moves the outbox and the mails itself, or calls `work`."""
    url = database_url(database_kind, tmp_path)
    async with serve(make_site(), settings(url, demo=True), chain, keyring(ACCOUNT), clock) as site:
        for role in ("resident", "officer", "admin"):
            add_user(site.kit, role)
        yield site
