"""The end confirmed, the report, its approval with the caps shown; rules (FUNCTIONS V5c, V6)."""

from __future__ import annotations

import re

import pytest

from tests.apps.volunteers.corps import ADMIN_MAIL, FOREIGN_MAIL, HANA, HOME, HOUR, NEIGHBOUR, OFFICER_MAIL, Corps
from tests.apps.volunteers.handling.steps import APP, OFFICER, begun, confirm, reported, rule, typed
from tests.apps.volunteers.handling.test_postings_pages import mailed


@pytest.mark.function("V5c", "V6a", "V6b", "V7b")
async def test_a_facility_confirms_the_end_and_reports_and_an_officer_approves_with_the_caps_before_them(
    corps: Corps,
) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    rule(corps, daily_cap=150)
    activity = begun(corps, hana, home_id)
    corps.clock.forward(2 * HOUR)
    async with corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await home.get("/help")
        assert f"/work/{activity}/end" in home.page.text
        await home.get(f"/work/{activity}/end")
        await confirm(home)
        assert "報告待ち" in home.page.main and "120 分" in home.page.main
        await home.get(f"/work/{activity}/report")
        await confirm(home, {"outcome": "well", "details": "とても助かりました"})
        row = corps.row("activity", activity=activity)
        assert (row["status"], row["outcome"], len(row["report"])) == ("reported", "well", 64)
        await officer.get("/office/reports")
        assert f"/work/{activity}" in officer.page.text
        await officer.get(f"/work/{activity}")
        shown = re.sub(r"\s+", " ", officer.page.main)
        assert "とても助かりました" in shown and "規則による計算 200 ポイント" in shown
        assert "その日の上限までの残り 150 ポイント" in shown and "150 ポイント (1日の上限)" in shown
        await officer.get(f"/work/{activity}/approve")
        await confirm(officer)
        assert "50 ポイント(理由: 1日の上限)" in officer.page.main
        assert corps.row("points_account", account=hana)["points"] == 150
        await mailed(corps, "points", HANA)
        await officer.get(f"/work/{activity}/approve")
        await officer.send({"minutes": "60"})
        await officer.send({"step": "confirm"})
        assert officer.page.status == 409 and corps.row("points_account", account=hana)["points"] == 150


@pytest.mark.function("V5c")
async def test_an_end_before_the_start_or_ahead_is_told_beside_the_field(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    activity = begun(corps, hana, home_id)
    async with corps.as_(HOME) as home:
        for shift in (-2 * HOUR, 2 * HOUR):
            await home.get(f"/work/{activity}/end")
            await home.send({"ended": typed(corps.clock() + shift)})
            assert home.page.status == 422 and "開始より後で" in home.page.main


@pytest.mark.function("V6b")
async def test_a_report_is_returned_corrected_and_rejected(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    activity = reported(corps, home_id, hana)
    started = corps.row("activity", activity=activity)["started_ms"]
    async with corps.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/work/{activity}/correct")
        await confirm(officer, {"ended": typed(started + HOUR)})
        assert "60 分" in officer.page.main
        await officer.get(f"/work/{activity}/approve")
        await officer.send({"minutes": "61"})
        assert officer.page.status == 422 and "開始から終了まで" in officer.page.main
        await officer.get(f"/work/{activity}/return")
        await confirm(officer, {"why": "incomplete"})
        assert corps.row("activity", activity=activity)["status"] == "ended"
        corps.act(APP, "report", activity=activity, requester=home_id, outcome="problem")
        await officer.get(f"/work/{activity}/reject")
        await confirm(officer, {"why": "not_done"})
        assert corps.row("activity", activity=activity)["status"] == "rejected"


@pytest.mark.function("V5b", "X6")
async def test_a_mistaken_start_is_voided_and_nobody_else_sees_the_work(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    corps.requester(NEIGHBOUR)
    activity = begun(corps, hana, home_id)
    for email in (NEIGHBOUR, FOREIGN_MAIL):
        async with corps.as_(email) as other:
            assert (await other.get(f"/work/{activity}")).status == 404
            assert (await other.get(f"/work/{activity}/end")).status == 404
    async with corps.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/work/{activity}/void")
        await confirm(officer, {"why": "mistake"})
        assert corps.row("activity", activity=activity)["status"] == "voided"


@pytest.mark.function("V6b")
async def test_rules_are_set_with_their_days_and_caps_and_ended_earlier(corps: Corps) -> None:
    async with corps.as_(ADMIN_MAIL) as admin, corps.as_(OFFICER_MAIL) as officer:
        await admin.get("/rules/new")
        days = {"first_day": "2027-01-15", "last_day": "2027-03-31"}
        await confirm(admin, {**days, "points": "100", "daily_cap": "300", "yearly_cap": "5000", "kinds": "garden"})
        assert "60 分ごとに 100" in admin.page.main and "5,000" in admin.page.main
        (row,) = corps.row("rules", municipality="132012")["rows"]
        assert (row["kinds"], row["unit_minutes"], row["daily_cap"], row["yearly_cap"]) == (["garden"], 60, 300, 5000)
        await officer.get("/rules/new")
        await officer.send({**days, "points": "1", "kinds": "garden"})
        await officer.send({"step": "confirm"})
        assert officer.page.status == 409 and "期間が重なります" in officer.page.main
        await officer.get(f"/rules/{row['rule']}/end")
        await officer.send({"last_day": "2027-01-01"})
        assert officer.page.status == 422
        await confirm(officer, {"last_day": "2027-01-31"})
        assert "2027-01-15 – 2027-01-31" in officer.page.main
        await officer.get("/rules/new")
        await officer.send({"first_day": "2027-02-02", "last_day": "2027-02-01"})
        assert officer.page.status == 422 and "最初の日以降にしてください" in officer.page.main


@pytest.mark.function("X2")
async def test_pages_are_small_when_lists_are_full_and_speak_english(corps: Corps) -> None:
    home_id = corps.requester(HOME)
    hana = corps.volunteer(HANA, "vietnamese", "gardening")
    for number in range(35):
        start = corps.clock() + (number + 1) * HOUR
        corps.act(
            OFFICER, "post", kind="garden", place="north", starts_ms=start, ends_ms=start + HOUR,
            withdraw_until_ms=start, requester=home_id,
        )  # fmt: skip
    activity = reported(corps, home_id, hana)
    async with corps.as_(OFFICER_MAIL) as officer, corps.as_(HOME) as home:
        paths = ("/office/postings?state=published", "/office/postings?state=published&page=2", "/office/reports",
                 "/rules", "/volunteers", "/requests", "/office/volunteers?state=registered",
                 "/office/postings/new")  # fmt: skip
        for path in paths:
            page = await officer.get(path)
            assert page.status == 200 and len(page.text.encode()) < 60_000, path
        for path in ("/help", "/help?page=2"):
            page = await home.get(path)
            assert page.status == 200 and len(page.text.encode()) < 60_000, path
        await officer.get(f"/work/{activity}?lang=en")
        assert "To be paid" in officer.page.main and "Flower beds and parks" in officer.page.main
