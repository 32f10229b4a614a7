"""Monitoring periods on the pages: opened, closed, settled, corrected, each seen as the contract has it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import pytest

from apps.common.outbox import Call
from apps.common.tables import User
from apps.ecopoints.books import periods
from apps.ecopoints.signing import officer_call
from contracts.ecopoints.methodology import LATEST_TABLE, table
from ledger.encoding import Value
from tests.apps.common.harness import Browser
from tests.apps.ecopoints.books.year import FIRST, LAST, Books
from tests.apps.ecopoints.town import FOREIGN_MAIL, OFFICER_MAIL, SECOND_MAIL, VERIFIER_MAIL, Town
from tests.contracts.ecopoints.programme import PV


async def press(browser: Browser, action: str) -> None:
    """A button that is a form of its own."""
    token = re.search(r'name="form_token" value="([^"]+)"', browser.page.text)
    assert token is not None
    await browser.post(action, {"form_token": token[1]})


async def until(browser: Browser, path: str, wanted: str) -> None:
    """Steps that the application makes one after the other: look again until they are done."""
    async with asyncio.timeout(60):
        while wanted not in (await browser.get(path)).main:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


@pytest.mark.function("E5a", "E4a")
async def test_a_period_is_opened_closed_and_settled_with_its_sums_and_factors(town: Town, books: Books) -> None:
    books.plants(3)
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get("/periods/open")
        page = await officer.send({"methodology": PV, "first_month": LAST, "last_month": FIRST})
        assert page.status == 422 and "最初の月より後" in page.main
        await officer.send({"methodology": PV, "first_month": FIRST, "last_month": LAST})
        page = await officer.send({"step": "confirm"})
        address = page.url.partition("/periods/")[2]
        assert "受付中" in page.main and f"期間 {FIRST} 〜 {LAST}" in page.main
        await officer.get(f"/periods/{address}/close")
        assert "チェックを入れてください" in (await officer.send({})).main
        page = await officer.send({"sure": "1"})
        assert "計測値の受付は終わりました" in page.main and "0 台を計算済み" in page.main
        await press(officer, f"/periods/{address}/settle")
        await until(officer, f"/periods/{address}", "1,515.6 kg")
        page = officer.page
        assert "合計します: 1 トン" in page.main, "1,515.6 kg, floored"
        assert table(LATEST_TABLE).digest.hex() in page.main and "tepco" in page.main
        page = await officer.get(f"/periods/{address}/devices")
        assert page.main.count("505.2 kg") == 3
        page = await officer.get("/periods")
        assert "削減量確定" in page.main and "1,515.6 kg" in page.main
        page = await officer.get(f"/story/period:{address}")
        assert "期間の削減量がすべて確定しました(3 台)" in page.main


@pytest.mark.function("E5a")
async def test_many_devices_are_settled_step_after_step(
    town: Town, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.plants(5)
    period = books.opened()
    books.officer("close_period", period=period)

    def two_devices(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
        return officer_call(user, method, {**arguments, "limit": 2} if method == "settle_period" else arguments)

    monkeypatch.setattr(periods, "officer_call", two_devices)
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/periods/{period}")
        await press(officer, f"/periods/{period}/settle")
        await until(officer, f"/periods/{period}", "2,526.0 kg")


async def test_a_verifier_looks_and_an_officer_of_another_town_does_not(town: Town, books: Books) -> None:
    books.plants(1)
    period = books.settled()
    async with town.as_(VERIFIER_MAIL) as verifier:
        page = await verifier.get(f"/periods/{period}")
        assert "505.2 kg" in page.main and "起案する" not in page.main
        assert (await verifier.get("/periods/open")).status == 403
    async with town.as_(FOREIGN_MAIL) as foreign:
        assert (await foreign.get(f"/periods/{period}")).status == 404
        assert (await foreign.get(f"/periods/{period}/close")).status == 404
        assert "期間はまだありません" in (await foreign.get("/periods")).main


@pytest.mark.function("E6c")
async def test_a_correction_after_payment_is_seen_as_an_adjustment(town: Town, books: Books) -> None:
    (plant,) = books.plants(1)
    period, rule = books.settled(), books.rule()
    books.paid(period, rule)
    async with town.as_(SECOND_MAIL) as officer:
        assert "訂正はありません" in (await officer.get(f"/periods/{period}/corrections")).main
        books.correct(plant, sold=300_000)
        page = await officer.get(f"/periods/{period}/corrections")
        assert plant in page.main and "-42.1 kg" in page.main and "-42" in page.main
        assert "期間の削減量に反映" in page.main
        assert "463.1 kg" in (await officer.get(f"/periods/{period}")).main
        page = await officer.get(f"/periods/{period}/grants/{rule}")
        assert re.search(r"member-0\s+463\.1 kg\s+463", page.main), page.main
        assert "締めた後の訂正を記録しました(ポイントの増減 -42)" in (await officer.get(f"/story/period:{period}")).main


@pytest.mark.function("E6c", "E5b", "E5c")
async def test_after_certification_a_correction_moves_points_alone(town: Town, books: Books) -> None:
    plants = books.plants(2)
    period = books.settled()
    books.certified(period, last=1)
    books.correct(plants[0], sold=100_000)
    async with town.as_(OFFICER_MAIL) as officer:
        assert "認証後のため、ポイントだけに反映" in (await officer.get(f"/periods/{period}/corrections")).main
        page = await officer.get(f"/periods/{period}")
        assert "1,010.4 kg" in page.main, "as certified"
        assert "2027年4月1日(木) まで保存" in page.main
