"""Asking for help, publishing, applications (FUNCTIONS V3)."""

from __future__ import annotations

import asyncio

import pytest

from tests.apps.volunteers.corps import DAY, FOREIGN_MAIL, HANA, HOME, HOUR, KEN, NEIGHBOUR, OFFICER_MAIL, Corps
from tests.apps.volunteers.handling.steps import APP, confirm, help_form, last_part, published, typed


@pytest.mark.function("V3b", "X1")
async def test_a_resident_registers_asks_for_a_small_hand_and_an_officer_publishes_it(corps: Corps) -> None:
    async with corps.as_(NEIGHBOUR) as neighbour, corps.as_(OFFICER_MAIL) as officer:
        await neighbour.get("/help/new")
        assert neighbour.page.url.endswith("/help/join"), "who asks for the first time registers"
        await neighbour.send({"sure": "1"})
        await neighbour.get("/help/new")
        await confirm(neighbour, help_form(corps))
        posting = last_part(neighbour.page, "/manage/")
        assert "確認待ち" in neighbour.page.main and "元本郷町" in neighbour.page.main
        row = corps.row("posting", posting=posting)
        assert (row["status"], row["kind"], row["place"]) == ("asked", "lightbulb", "north")
        assert len(row["detail"]) == 64, "the chain has a commitment, not the words"
        await officer.get("/office/postings")
        assert "居間の電球の交換" in officer.page.main
        await officer.get(f"/manage/{posting}/publish")
        await officer.send({"selection": "reviewed"})
        assert corps.row("posting", posting=posting)["selection"] == "reviewed"
        await neighbour.get("/help")
        assert "募集中" in neighbour.page.main


@pytest.mark.function("V3b")
async def test_times_that_cannot_be_are_told_beside_their_fields(corps: Corps) -> None:
    corps.requester(NEIGHBOUR)
    async with corps.as_(NEIGHBOUR) as neighbour:
        await neighbour.get("/help/new")
        now = corps.clock()
        await neighbour.send(
            help_form(corps, starts=typed(now - HOUR), ends=typed(now - 2 * HOUR), withdraw_until=typed(now + DAY))
        )
        assert neighbour.page.status == 422
        for words in ("将来の日時にしてください", "7日以内にしてください", "開始までの日時にしてください"):
            assert words in neighbour.page.main


@pytest.mark.function("V3b")
async def test_an_officer_declines_a_request_and_publishes_one_for_a_shelter(corps: Corps) -> None:
    corps.requester(NEIGHBOUR)
    async with corps.as_(NEIGHBOUR) as neighbour, corps.as_(OFFICER_MAIL) as officer:
        await neighbour.get("/help/new")
        await confirm(neighbour, help_form(corps))
        posting = last_part(neighbour.page, "/manage/")
        await officer.get(f"/manage/{posting}/decline")
        await confirm(officer, {"why": "not_suitable"})
        assert corps.row("posting", posting=posting)["status"] == "declined"
        await officer.get("/office/postings/new")
        await officer.send({**help_form(corps), "kind": "disaster", "capacity": "20", "shelter": "no-such-shelter"})
        await officer.send({"step": "confirm"})
        assert officer.page.status == 409 and "避難所 no-such-shelter は登録されていない" in officer.page.main


@pytest.mark.function("V3d", "V3e", "V9a")
async def test_an_officer_accepts_and_who_is_promoted_gets_a_mail(corps: Corps) -> None:
    requester = corps.requester(HOME)
    hana, ken = corps.volunteer(HANA), corps.volunteer(KEN)
    posting = published(corps, requester, starts_in=DAY)
    for volunteer in (hana, ken):
        corps.act(APP, "apply", posting=posting, volunteer=volunteer)
    async with corps.as_(OFFICER_MAIL) as officer, corps.as_(HOME) as home:
        await officer.get(f"/manage/{posting}")
        assert "参加決定" in officer.page.main and "キャンセル待ち" in officer.page.main
        await officer.get(f"/manage/{posting}/{hana}/withdraw")
        await officer.send({"sure": "1"})
        assert corps.row("application", posting=posting, volunteer=ken)["status"] == "accepted"
        await mailed(corps, "accepted", HANA)
        await mailed(corps, "waiting", KEN)
        await mailed(corps, "promoted", KEN)
        await officer.get(f"/manage/{posting}/capacity")
        await officer.send({"capacity": "3"})
        assert corps.row("posting", posting=posting)["capacity"] == 3
        await home.get(f"/manage/{posting}/cancel")
        await confirm(home, {"why": "weather"})
        assert corps.row("posting", posting=posting)["status"] == "cancelled"
        await mailed(corps, "cancelled", KEN)


async def mailed(corps: Corps, kind: str, email: str) -> None:
    """Until the mail is in the outbox."""
    async with asyncio.timeout(20):
        while [mail.recipient for mail in corps.mails(kind)] != [email]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@pytest.mark.function("V3e", "V5d")
async def test_who_did_not_come_is_marked_and_a_paper_puts_it_right(corps: Corps) -> None:
    requester, hana = corps.requester(HOME), corps.volunteer(HANA)
    posting = published(corps, requester)
    corps.act(APP, "apply", posting=posting, volunteer=hana)
    starts = corps.clock() + HOUR
    corps.clock.forward(4 * HOUR)
    async with corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await home.get(f"/manage/{posting}/{hana}/absent")
        await home.send({"sure": "1"})
        assert corps.row("application", posting=posting, volunteer=hana)["status"] == "no_show"
        await officer.get(f"/manage/{posting}/{hana}/enter")
        assert officer.page.inputs["started"] == [typed(starts).replace(" ", "T")]
        await confirm(officer)
        activity = corps.row("activity", activity=last_part(officer.page, "/work/"))
        assert (activity["status"], activity["path"], activity["volunteer"]) == ("ended", "paper", hana)


@pytest.mark.function("X6")
async def test_nobody_manages_what_is_another_s(corps: Corps) -> None:
    requester, hana = corps.requester(HOME), corps.volunteer(HANA)
    corps.requester(NEIGHBOUR)
    posting = published(corps, requester)
    corps.act(APP, "apply", posting=posting, volunteer=hana)
    for email in (NEIGHBOUR, FOREIGN_MAIL):
        async with corps.as_(email) as other:
            for path in ("", "/cancel", f"/{hana}/absent"):
                assert (await other.get(f"/manage/{posting}{path}")).status == 404
