"""Everything that the pages of the books show comes from the contract: a new database shows the same (E8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from apps.common.tables import Write
from tests.apps.common.fakes import FakeClock
from tests.apps.ecopoints.books.test_periods_pages import until
from tests.apps.ecopoints.books.year import Books
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.town import OFFICER_MAIL, SECOND_MAIL, Town, open_town


async def shown(town: Town, paths: list[str]) -> list[str]:
    async with town.as_(OFFICER_MAIL) as officer:
        return [(await officer.get(path)).main for path in paths]


@pytest.mark.function("E8a")
async def test_a_new_database_shows_all_periods_grants_and_credits_from_the_chain(
    tmp_path: Path, clock: FakeClock, chain: EcoChain
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    async with open_town(folders[0], clock, chain, "sqlite") as town:
        books = Books(chain)
        plants = books.plants(3)
        period, rule = books.settled(), books.rule()
        books.officer("propose_grants", period=period, rule=rule)
        async with town.as_(SECOND_MAIL) as second:
            await second.get(f"/periods/{period}/grants/{rule}/release")
            await second.send({"sure": "1"})
            await until(second, f"/periods/{period}/grants/{rule}", "付与済み")
        books.correct(plants[0], sold=100_000)
        application = books.certified(period, last=1)
        paths = [
            "/periods", f"/periods/{period}", f"/periods/{period}/corrections", f"/periods/{period}/grants/{rule}",
            "/rules", f"/rules/{rule}", "/credits", f"/credits/{application}",
        ]  # fmt: skip
        before = await shown(town, paths)
        writes = await town.kit.database.read(lambda session: session.scalars(select(Write)).all())
        assert {write.contract for write in writes} == {"ecopoints"}
        assert {"release_grants", "pay_grants"} <= {write.method for write in writes}
    async with open_town(folders[1], clock, chain, "sqlite") as town:
        assert await shown(town, paths) == before
