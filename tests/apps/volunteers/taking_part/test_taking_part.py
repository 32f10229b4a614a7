"""The whole way of a volunteer on the pages, from applying to points; and codes that are refused (V2 to V8)."""

from __future__ import annotations

import re

import pytest

from contracts.volunteers.certificates import SHOWN_MS
from tests.apps.common.harness import Browser
from tests.apps.volunteers.corps import DAY, FOREIGN_HOME, HANA, HOME, HOUR, KEN, NEIGHBOUR, OFFICER_MAIL, Corps
from tests.apps.volunteers.handling.steps import APP, OFFICER, confirm, help_form, last_part, published, rule
from tests.apps.volunteers.handling.test_candidates_pages import asked
from tests.contracts.world import HACHIOJI, TACHIKAWA


async def shown(volunteer: Browser) -> str:
    """The address in the QR code that the volunteer's phone shows now."""
    await volunteer.get("/me/show")
    await volunteer.send({})
    assert "<svg" in volunteer.page.text, volunteer.page.main
    found = re.search(r"/p/[A-Za-z0-9]+", volunteer.page.main)
    assert found is not None
    return found[0]


@pytest.mark.function("V2a", "V3a", "V3c", "V5a", "V5b", "V5c", "V6a", "V7b", "V7c", "V8a", "X4")
async def test_from_applying_to_be_a_volunteer_to_points(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.pseudonym(HANA)
    rule(corps)
    async with corps.as_(HANA) as me, corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await me.get("/me/apply")
        await confirm(me, {"skills": "vietnamese", "details": "週末に参加できます"})
        assert "市町村が確認しています" in me.page.main
        await officer.get(f"/office/volunteers/{hana}/register")
        await confirm(officer)
        await me.get("/me")
        assert "有効" in me.page.main and "ベトナム語" in me.page.main
        posting = published(corps, home_id, capacity=2)
        await me.get("/activities")
        assert f"/activities/{posting}" in me.page.text
        await me.get(f"/activities/{posting}/apply")
        await confirm(me)
        assert "参加決定" in me.page.main
        corps.clock.forward(HOUR)
        address = await shown(me)
        await home.get(address)
        assert "有効です" in home.page.main and "テスト" not in home.page.main
        await home.get(f"{address}/start")
        await home.send({"posting": posting})
        activity = last_part(home.page, "/work/")
        await home.get(address)
        assert "使用済み" in home.page.main, "a second use is refused"
    corps.clock.forward(2 * HOUR)  # long enough for sessions to end
    async with corps.as_(HANA) as me, corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await home.get(f"/work/{activity}/end")
        await confirm(home)
        await home.get(f"/work/{activity}/report")
        await confirm(home, {"outcome": "well"})
        await officer.get(f"/work/{activity}/approve")
        await confirm(officer)
        await me.get("/me")
        assert "承認済み" in me.page.main and re.search(r"\s200\s", me.page.main)
        await me.get("/points")
        assert "200" in me.page.main and activity in me.page.text
        await me.get(f"/story/activity:{activity}")
        assert "証明書の提示" in me.page.main and "報告を承認しました" in me.page.main


@pytest.mark.function("V5a", "V5d")
async def test_codes_that_do_not_count_say_why(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    posting = published(corps, home_id)
    corps.act(APP, "apply", posting=posting, volunteer=hana)
    corps.clock.forward(HOUR)
    certificate = corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"]
    async with corps.as_(HANA) as me, corps.as_(HOME) as home:
        old, new = await shown(me), await shown(me)
        corps.act(OFFICER, "suspend_certificate", certificate=certificate)
        await home.get(new)
        assert "一時停止中" in home.page.main
        assert (await home.get(f"{new}/start")).url.endswith(new), "nothing can begin with it"
        await me.get("/me/show")
        await me.send({})
        assert "有効ではありません" in me.page.main and "<svg" not in me.page.main
        corps.act(OFFICER, "resume_certificate", certificate=certificate)
        corps.clock.forward(SHOWN_MS + 1_000)  # the chain may be some milliseconds ahead of the clock
        await home.get(old)
        assert "有効時間が過ぎています" in home.page.main
        for code in ("short", "AAAAAAAAAAAAAAAA"):
            await home.get(f"/p/{code}")
            assert "見つかりません" in home.page.main


@pytest.mark.function("V5a", "X6")
async def test_another_facility_sees_that_it_is_valid_and_can_begin_nothing(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    corps.requester(FOREIGN_HOME, TACHIKAWA)
    corps.requester(NEIGHBOUR)
    posting = published(corps, home_id)
    corps.act(APP, "apply", posting=posting, volunteer=hana)
    corps.clock.forward(HOUR)
    async with corps.as_(HANA) as me:
        address = await shown(me)
    for email in (FOREIGN_HOME, NEIGHBOUR):
        async with corps.as_(email) as other:
            await other.get(address)
            assert "有効です" in other.page.main
            await other.get(f"{address}/start")
            assert "いま開始できる" in other.page.main
            await other.send({"posting": posting})
            assert other.page.status == 422
    async with corps.as_() as visitor:
        await visitor.get(address)
        assert "有効です" in visitor.page.main and "/start" not in visitor.page.text


@pytest.mark.function("V4d", "V4e")
async def test_a_volunteer_answers_requests_that_an_officer_passed_on_and_no_others(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    corps.volunteer(KEN)
    first, second, kept = (asked(corps, home_id, hana) for _ in range(3))
    for ask in (first, second):
        corps.act(OFFICER, "forward_ask", ask=ask)
    async with corps.as_(HANA) as me, corps.as_(KEN) as ken:
        assert (await ken.get(f"/me/requests/{first}/consent")).status == 404
        assert (await me.get(f"/me/requests/{kept}/consent")).status == 404
        await me.get("/me")
        assert me.page.text.count("/consent") == 2
        await me.get(f"/me/requests/{first}/decline")
        await me.send({"sure": "1"})
        await me.get(f"/me/requests/{second}/consent")
        await me.send({"sure": "1"})
        assert "参加決定" in me.page.main
        assert corps.row("ask", ask=first)["status"] == "declined"
        posting = corps.row("ask", ask=second)["posting"]
        assert (await me.get(f"/activities/{posting}")).status == 200
        assert (await ken.get(f"/activities/{posting}")).status == 404, "it was made for one volunteer"


@pytest.mark.function("V3c", "V3e")
async def test_only_who_is_registered_applies_and_may_withdraw_in_time(corps: Corps) -> None:
    home_id = corps.requester(HOME)
    posting = published(corps, home_id, starts_in=DAY)
    async with corps.as_(HANA) as me:
        await me.get(f"/activities/{posting}/apply")
        assert me.page.url.endswith("/me"), "who is not registered is led to do so first"
        hana = corps.volunteer(HANA)
        await me.get(f"/activities/{posting}/apply")
        await confirm(me)
        await me.get(f"/activities/{posting}/withdraw")
        await me.send({"sure": "1"})
        assert corps.row("application", posting=posting, volunteer=hana)["status"] == "withdrawn"
        await me.get("/activities?kind=cafe")
        assert posting not in me.page.text
        await me.get(f"/activities?kind=garden&municipality={HACHIOJI}&lang=en")
        assert posting in me.page.text and "Flower beds" in me.page.main


@pytest.mark.function("V3d", "X1")
async def test_where_to_go_is_told_to_those_who_have_a_place(corps: Corps) -> None:
    corps.requester(NEIGHBOUR)
    hana = corps.volunteer(HANA)
    async with corps.as_(NEIGHBOUR) as neighbour, corps.as_(HANA) as me, corps.as_(OFFICER_MAIL) as officer:
        await neighbour.get("/help/new")
        await confirm(neighbour, help_form(corps))
        posting = last_part(neighbour.page, "/manage/")
        await officer.get(f"/manage/{posting}/publish")
        await officer.send({})
        await me.get(f"/activities/{posting}")
        assert "元本郷町" not in me.page.main and "脚立はあります" in me.page.main
        corps.act(APP, "apply", posting=posting, volunteer=hana)
        await me.get(f"/activities/{posting}")
        assert "元本郷町" in me.page.main
