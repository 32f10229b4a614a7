"""The demonstration of eco-points, seeded on the real contract: what each page needs to have something to show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete

from apps.common.tables import User
from apps.ecopoints import demo
from apps.ecopoints.demo import EcoTown
from apps.ecopoints.working import batcher_of
from tests.apps.common.fakes import FakeClock
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.town import Town, open_town
from tests.contracts.world import HACHIOJI

TOWN = EcoTown(HACHIOJI, "hachioji", households=3)


async def seed(town: Town) -> None:
    """The seeding, with a batcher that does not rest in between."""
    seeding = asyncio.create_task(demo.seed(town.kit, [TOWN]))
    while not seeding.done():
        await batcher_of(town.kit).plan_once()
        await asyncio.wait([seeding], timeout=0.05)
    await seeding


@pytest.mark.function("X8")
async def test_the_demonstration_has_points_to_spend_and_a_year_of_credits(
    tmp_path: Path, clock: FakeClock, chain: EcoChain
) -> None:
    async with open_town(tmp_path, clock, chain, "sqlite") as town:
        await town.kit.database.write(lambda session: session.execute(delete(User)))
        await seed(town)
        ask = chain.world.query
        accounts = [
            ask("ecopoints", "points_account", account=demo.member_id(TOWN, number))
            for number in range(1, TOWN.households + 1)
        ]
        assert any(account["points"] > 0 for account in accounts)
        periods = ask("ecopoints", "periods", municipality=HACHIOJI)["rows"]
        assert sorted(p["status"] for p in periods) == ["certified", "settled", "settled"]
        (block,) = ask("ecopoints", "credits", municipality=HACHIOJI)["rows"]
        (sale,) = ask("ecopoints", "sales", credits_block=block["block"])["rows"]
        assert (sale["last"], sale["buyer"]) == (block["sold"], "company")
        async with town.running.browser() as page:
            await page.get("/sign-in")
            await page.send({"email": demo.member_email(TOWN, 1), "password": demo.PASSWORD})
            await town.copied()
            assert "推定" in (await page.get("/mine")).main, "a car whose months were typed"
            assert (await page.get("/documents")).main.count("一致") == 2
        async with town.running.browser() as page:
            await page.get("/sign-in")
            await page.send({"email": f"eco1.hachioji@{demo.DOMAIN}", "password": demo.PASSWORD})
            assert "佐藤 花子" in (await page.get("/members")).main and "件" in (await page.get("/quarantine")).main
            assert "清水 直樹" in (await page.get("/applications")).main
        written = len(chain.blocks)
        await seed(town)
        assert not any(t.body.method != "record_view" for t, _ in chain.blocks[written:]), (
            "a second start writes nothing"
        )
