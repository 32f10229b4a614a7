"""Rules and grants on the pages: two officers, one budget, a defined order."""

from __future__ import annotations

import re

import pytest

from tests.apps.ecopoints.books.test_periods_pages import until
from tests.apps.ecopoints.books.year import FIRST, LAST, Books
from tests.apps.ecopoints.town import OFFICER_MAIL, SECOND_MAIL, Town
from tests.contracts.ecopoints.programme import EV, PV


@pytest.mark.function("E4d", "E6a")
async def test_one_officer_proposes_and_another_releases_and_it_is_paid(town: Town, books: Books) -> None:
    books.plants(2)
    period, rule = books.settled(), books.rule(rate_points=5)
    grant = f"/periods/{period}/grants/{rule}"
    async with town.as_(OFFICER_MAIL) as first, town.as_(SECOND_MAIL) as second:
        page = await first.get(f"/periods/{period}/grants/new")
        assert "起案した本人は承認できません" in page.main, "said before it is tried"
        assert "最大 5,052 ポイント" in page.main
        page = await first.send({"rule": rule})
        assert "1 kg ごとに 5 ポイント" in page.main
        page = await first.send({"step": "confirm"})
        assert page.url.endswith(grant) and "承認待ち" in page.main
        page = await first.get(f"{grant}/release")
        assert "別の職員に承認を依頼してください" in page.main and 'name="sure"' not in page.text
        await second.get(f"{grant}/release")
        page = await second.send({"sure": "1"})
        await until(second, grant, "付与済み")
        page = second.page
        assert re.search(r"起案した職員\s+テスト officer1", page.main) and re.search(
            r"承認した職員\s+テスト officer2", page.main
        )
        assert page.main.count("2,526") == 2 and "5,052" in page.main
        assert "この期間に使える規則がありません" in (await first.get(f"/periods/{period}/grants/new")).main
    assert books.ask("points_account", account="member-0")["points"] == 2_526


@pytest.mark.function("E4d")
async def test_the_contract_refuses_whoever_releases_their_own(town: Town, books: Books) -> None:
    books.plants(1)
    period, rule = books.settled(), books.rule()
    books.officer("propose_grants", period=period, rule=rule)
    async with town.as_(OFFICER_MAIL) as first:
        page = await first.get("/rules/new")
        token = page.inputs["form_token"][0]
        forged = {"form_token": token, "form_key": "forged", "sure": "1", "step": "confirm"}
        page = await first.post(f"/periods/{period}/grants/{rule}/release", forged)
        assert page.status == 409 and "提案した職員とは別の職員が承認してください" in page.main
    assert books.ask("runs", period=period)["rows"][0]["status"] == "proposed"


@pytest.mark.function("E6b")
async def test_a_budget_that_ends_is_shown_with_the_order_in_which_it_was_paid(town: Town, books: Books) -> None:
    books.plants(4)
    period, rule = books.settled(), books.rule(budget=1_200)
    async with town.as_(OFFICER_MAIL) as officer:
        page = await officer.get(f"/periods/{period}/grants/new")
        assert "予算が足りません" in page.main and "参加した順に付与します" in page.main
        books.paid(period, rule)
        page = await officer.get(f"/periods/{period}/grants/{rule}")
        got = re.findall(r"member-(\d)\s+505\.2 kg\s+(\d+)\s+(\d+)", page.main)
        assert got == [("0", "505", "0"), ("1", "505", "0"), ("2", "190", "315"), ("3", "0", "505")]
        assert "予算を使い切りました" in page.main
        page = await officer.get(f"/rules/{rule}")
        assert re.search(r"予算の残り\s+0 ポイント", page.main)


@pytest.mark.function("E6b")
async def test_a_rule_is_set_and_ended_and_never_changed(town: Town, books: Books) -> None:
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get("/rules/new")
        rule = {
            "methodologies": [PV, EV], "rate_points": "3", "rate_kg": "2", "first_month": "2026-04",
            "last_month": "2027-03", "budget": "50,000", "cap": "400", "when": "certified", "lot_months": "12",
        }  # fmt: skip
        page = await officer.send({**rule, "last_month": "2026-03"})
        assert page.status == 422
        page = await officer.send(rule)
        assert "認証の後に付与" in page.main and re.search(r"400\s+ポイント", page.main)
        page = await officer.send({"step": "confirm"})
        address = page.url.partition("/rules/")[2]
        assert "2 kg ごとに 3 ポイント" in page.main and "50,000 ポイント" in page.main
        await officer.get(f"/rules/{address}/end")
        page = await officer.send({"sure": "1"})
        assert "規則を終了しました" in page.main
        assert (await officer.get(f"/rules/{address}/end")).status == 404
        assert "終了" in (await officer.get("/rules")).main
    (row,) = books.ask("rules", municipality="132012")["rows"]
    assert (row["methodologies"], row["ended"], row["cap"], row["when"]) == ([PV, EV], True, 400, "certified")


@pytest.mark.function("E6b")
async def test_a_rule_for_after_certification_is_not_offered_before_it(town: Town, books: Books) -> None:
    books.plants(2)
    period = books.settled()
    books.rule(when="certified", first_month=FIRST, last_month=LAST)
    async with town.as_(OFFICER_MAIL) as officer:
        assert "この期間に使える規則がありません" in (await officer.get(f"/periods/{period}/grants/new")).main
        books.certified(period, last=1)
        assert "最大 1,010 ポイント" in (await officer.get(f"/periods/{period}/grants/new")).main
