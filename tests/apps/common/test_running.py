"""A site starts, works by itself, and ends in an orderly way."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from apps.common.running import keep_personal_data_out_of_logs, serving
from apps.common.tables import Mail
from tests.apps.common.example.application import ACCOUNT, make_site
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import add_user, database_url, keyring, settings


async def test_it_serves_works_and_stops_at_once_even_with_listeners(
    tmp_path: Path, clock: FakeClock, chain: FakeChain
) -> None:
    kit_settings = settings(database_url("sqlite", tmp_path), work=True, demo=True, smtp_sink_port=0)
    async with ClientSession() as session:
        async with serving(make_site(), kit_settings, chain, keyring(ACCOUNT), clock=clock) as (kit, port):
            user = add_user(kit, "officer")
            await kit.database.write(lambda s: kit.mails.tell(s, user, "registered", thing="毛布", account=ACCOUNT))
            kit.mails.wake()
            stream = await session.get(f"http://127.0.0.1:{port}/live/things")
            assert await stream.content.readline()
            for _ in range(200):
                await asyncio.sleep(0.02)
                if chain.blocks:
                    break
            assert [t.body.method for t, _ in chain.blocks] == ["record_mail"]
            assert (await kit.database.read(lambda s: s.get_one(Mail, 1))).state == "sent"
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 3
        stream.close()


async def test_a_worker_that_falls_begins_again(
    tmp_path: Path, clock: FakeClock, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.common.application.RESTART_S", 0.01)
    falls = 0

    async def fall(kit: object) -> None:
        nonlocal falls
        falls += 1
        raise OSError("the database is away")

    site = replace(make_site(), background=(fall,))
    kit_settings = settings(database_url("sqlite", tmp_path), work=True)
    async with serving(site, kit_settings, chain, keyring(ACCOUNT), clock=clock):
        for _ in range(100):
            await asyncio.sleep(0.01)
            if falls > 2:
                break
    assert falls > 2


def test_the_filter_is_put_on_every_handler_once() -> None:
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        keep_personal_data_out_of_logs()
        keep_personal_data_out_of_logs()
        assert len(handler.filters) == 1
    finally:
        logging.getLogger().removeHandler(handler)
        for other in logging.getLogger().handlers:
            other.filters.clear()
