"""The demonstration of volunteers, seeded on the real contract: what each page needs to have something to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from apps.common.tables import User
from apps.volunteers import demo
from apps.volunteers.demo import Town
from tests.apps.common.fakes import FakeClock
from tests.apps.volunteers.chain import CorpsChain
from tests.apps.volunteers.corps import open_corps
from tests.contracts.world import HACHIOJI

TOWN = Town(HACHIOJI, "hachioji")


@pytest.mark.function("X8")
async def test_the_demonstration_has_activities_to_come_and_points_to_spend(
    tmp_path: Path, clock: FakeClock, chain: CorpsChain
) -> None:
    async with open_corps(tmp_path, clock, chain, "sqlite") as corps:
        await corps.kit.database.write(lambda session: session.execute(delete(User)))
        await demo.seed(corps.kit, [TOWN])
        assert corps.row("points_account", account=demo.volunteer_id(TOWN, 1))["points"] == 70
        reported = corps.row("activities", municipality=HACHIOJI, status="reported")["rows"]
        assert len(reported) == demo.WORKED - 1, "one report waits for an officer"
        for email, path, shown in (
            ("volunteer1", "/activities", demo.WEEK[0].title),
            ("volunteer1", "/points", "70"),
            ("vol1", "/office/reports", "カフェの手伝い"),
        ):
            async with corps.running.browser() as page:
                await page.get("/sign-in")
                await page.send({"email": f"{email}.hachioji@{demo.DOMAIN}", "password": demo.PASSWORD})
                await corps.copied()
                assert shown in (await page.get(path)).main, path
        written = len(chain.blocks)
        await demo.seed(corps.kit, [TOWN])
        again = {t.body.method for t, _ in chain.blocks[written:]}
        assert all(method.startswith("record_") for method in again), "a second start writes nothing"
