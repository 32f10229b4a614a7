"""Finding a volunteer, asking one, the officer's check (FUNCTIONS V1, V4)."""

from __future__ import annotations

import asyncio

import pytest

from tests.apps.volunteers.corps import FOREIGN_MAIL, HANA, HOME, KEN, NEIGHBOUR, OFFICER_MAIL, SECOND_MAIL, Corps
from tests.apps.volunteers.handling.steps import APP, OFFICER, confirm, help_form, last_part, reported
from tests.apps.volunteers.handling.test_postings_pages import mailed


def ask_form(corps: Corps) -> dict[str, str]:
    return {k: v for k, v in help_form(corps).items() if k not in ("capacity", "skills", "withdraw_until")}


@pytest.mark.function("V1a", "V4a", "X1")
async def test_volunteers_are_found_by_skill_with_their_record_and_without_their_names(corps: Corps) -> None:
    home_id = corps.requester(HOME)
    hana, ken = corps.volunteer(HANA, "vietnamese"), corps.volunteer(KEN, "gardening")
    activity = reported(corps, home_id, hana, minutes=120)
    corps.act(OFFICER, "approve_report", activity=activity)
    async with corps.as_(HOME) as home:
        await home.get("/volunteers")
        assert hana[:8] in home.page.main and ken[:8] in home.page.main
        await home.get("/volunteers?skill=vietnamese")
        assert hana[:8] in home.page.main and ken[:8] not in home.page.main
        assert "1 回、2 時間" in home.page.main
        await home.get(f"/volunteers/{hana}")
        assert "花壇・公園の手入れ: 1 回" in home.page.main and "2027-01" in home.page.main
        assert "テスト" not in home.page.main and "hana@" not in home.page.text


@pytest.mark.function("V4e")
async def test_who_was_asked_least_lately_stands_first_and_is_suggested_to_the_officer(corps: Corps) -> None:
    home_id = corps.requester(HOME)
    hana, ken = corps.volunteer(HANA), corps.volunteer(KEN)
    first = asked(corps, home_id, hana)
    corps.act(OFFICER, "forward_ask", ask=first)
    second = asked(corps, home_id, hana)
    async with corps.as_(OFFICER_MAIL) as officer:
        await officer.get("/volunteers")
        assert officer.page.main.index(ken[:8]) < officer.page.main.index(hana[:8])
        await officer.get(f"/requests/{second}")
        assert "ほかに依頼できる方" in officer.page.main and ken[:8] in officer.page.main


def asked(corps: Corps, requester: str, volunteer: str) -> str:
    start = corps.clock() + 86_400_000
    args = {"kind": "garden", "place": "north", "starts_ms": start, "ends_ms": start + 3_600_000}
    return str(corps.act(APP, "ask_volunteer", requester=requester, volunteer=volunteer, **args)["ask"])


@pytest.mark.function("V4b", "V4c", "V4d", "V9a")
async def test_a_facility_asks_one_the_officers_check_it_and_the_consent_makes_an_activity(corps: Corps) -> None:
    corps.requester(HOME)
    hana = corps.volunteer(HANA)
    async with corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await home.get(f"/volunteers/{hana}/ask")
        await confirm(home, ask_form(corps))
        ask = last_part(home.page, "/requests/")
        assert "市町村が確認中" in home.page.main
        mails = {OFFICER_MAIL, SECOND_MAIL}
        await mailed_all(corps, "asked", mails)
        await officer.get("/requests")
        assert "居間の電球の交換" in officer.page.main
        await officer.get(f"/requests/{ask}/forward")
        await officer.send({"sure": "1"})
        await mailed(corps, "consent", HANA)
        corps.act(APP, "consent_to_ask", ask=ask, volunteer=hana)
        await home.get(f"/requests/{ask}")
        assert "確定" in home.page.main and "/manage/posting-" in home.page.text
        await mailed(corps, "confirmed", HANA)


async def mailed_all(corps: Corps, kind: str, emails: set[str]) -> None:
    """Until everybody's mail is in the outbox."""
    async with asyncio.timeout(20):
        while {mail.recipient for mail in corps.mails(kind)} != emails:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@pytest.mark.function("V4e")
async def test_the_requester_cannot_tell_a_volunteer_s_no_from_an_officer_s(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    refused, declined = asked(corps, home_id, hana), asked(corps, home_id, hana)
    async with corps.as_(HOME) as home, corps.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/requests/{refused}/refuse")
        await officer.send({"sure": "1"})
        corps.act(OFFICER, "forward_ask", ask=declined)
        corps.act(APP, "decline_ask", ask=declined, volunteer=hana)
        pages = []
        for ask in (refused, declined):
            await home.get(f"/requests/{ask}")
            pages.append(home.page.main.replace(ask, ""))
        assert pages[0] == pages[1] and "成立せず" in pages[0]


@pytest.mark.function("V4b", "X6")
async def test_a_request_is_taken_back_by_its_requester_and_seen_by_nobody_else(corps: Corps) -> None:
    home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
    corps.requester(NEIGHBOUR)
    ask = asked(corps, home_id, hana)
    for email in (NEIGHBOUR, FOREIGN_MAIL):
        async with corps.as_(email) as other:
            assert (await other.get(f"/requests/{ask}")).status == 404
            assert (await other.get(f"/requests/{ask}/cancel")).status == 404
    async with corps.as_(HOME) as home:
        await home.get(f"/requests/{ask}/cancel")
        await home.send({"sure": "1"})
        assert corps.row("ask", ask=ask)["status"] == "cancelled"
