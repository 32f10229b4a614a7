"""必要物資 on the pages: registered, seen, searched, amended, closed (D1, D2)."""

from __future__ import annotations

from datetime import date

import pytest

from tests.apps.donations.relief import (
    FOREIGN_OFFICER,
    OFFICER,
    STAFF,
    STAFF_2,
    SUPPORTER,
    Relief,
)


@pytest.mark.function("D1a", "D1c")
async def test_a_need_with_everything_that_can_be_said_of_it(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter, relief.as_() as visitor:
        need = await relief.need(
            staff, goods="diaper/M", quantity=120, priority="urgent", beneficiaries="infants", allergens="milk",
            need_by="2027-01-20", detail="夜間も受け取れます", occurred="2027-01-15 09:30",
        )  # fmt: skip
        row = relief.row("need", need=need)["need"]
        assert isinstance(row, dict)
        assert (row["item"], row["size"], row["priority"], row["beneficiaries"]) == ("diaper", "M", "urgent", "infants")
        assert row["allergens"] == ["milk"] and row["occurred_ms"] < row["registered_ms"]
        assert len(str(row["detail"])) == 64, "the chain has a commitment, not the words"
        await staff.get(f"/needs/{need}")
        assert "乳幼児" in staff.page.main and "夜間も受け取れます" in staff.page.main and "乳" in staff.page.main
        await supporter.get(f"/needs/{need}")
        assert "夜間も受け取れます" in supporter.page.main and "乳幼児" not in supporter.page.main
        await visitor.get(f"/needs/{need}")
        assert "夜間も受け取れます" not in visitor.page.main and "120枚" in visitor.page.main


@pytest.mark.function("D1b")
async def test_everybody_sees_a_need_at_once(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_() as visitor:
        need = await relief.need(staff)
        await visitor.get("/needs")
        assert f"/needs/{need}" in visitor.page.text
        await visitor.get("/")
        assert f"/needs/{need}" in visitor.page.text


@pytest.mark.function("D1c")
async def test_for_whom_something_is_needed_is_no_filter_of_the_public(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_() as visitor:
        need = await relief.need(staff, goods="diaper/S", beneficiaries="infants")
        await staff.get("/needs?beneficiaries=elderly")
        assert need not in staff.page.text
        await staff.get("/needs?beneficiaries=infants")
        assert need in staff.page.text
        await visitor.get("/needs?beneficiaries=elderly")
        assert need in visitor.page.text and 'name="beneficiaries"' not in visitor.page.text


@pytest.mark.function("D1d")
async def test_amending_releases_what_was_pledged_beyond_it(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=100)
        await relief.pledge(supporter, need, 80)
        await staff.get(f"/needs/{need}/amend")
        assert staff.page.inputs["quantity"] == ["100"]
        await staff.send({"quantity": "50"})
        await staff.send({"step": "confirm"})
        row = relief.row("need", need=need)["need"]
        assert isinstance(row, dict) and (row["quantity"], row["pledged"]) == (50, 50)
        await supporter.get("/offers")
        assert "30枚" in supporter.page.main, "what was released is a free offer"


@pytest.mark.function("D1d")
async def test_a_closed_need_leaves_the_list_and_takes_no_pledge(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff)
        await staff.get(f"/needs/{need}/close")
        await staff.send({})
        assert staff.page.status == 422, "the box must be ticked"
        await staff.send({"sure": "1"})
        assert "締め切りました" in staff.page.main
        await supporter.get("/needs")
        assert need not in supporter.page.text
        await supporter.get(f"/needs/{need}/pledge")
        await supporter.send({"quantity": "1"})
        await supporter.send({"step": "confirm"})
        assert supporter.page.status == 409 and "締め切られています" in supporter.page.main


@pytest.mark.function("D1e")
async def test_a_second_need_for_the_same_item_is_offered_for_merging(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff:
        first = await relief.need(staff, quantity=30)
        await staff.get("/needs/new")
        await staff.send({"goods": "blanket/", "quantity": "20"})
        assert staff.page.status == 422 and "30 / 30" in staff.page.main
        assert "/needs?shelter=hachioji-01&amp;item=blanket" in staff.page.text
        assert staff.page.inputs["quantity"] == ["20"], "nothing typed is lost"
        await staff.send({"separate": "1"})
        await staff.send({"step": "confirm"})
        await staff.get("/needs?shelter=hachioji-01")
        assert staff.page.text.count('href="/needs/need-') == 2 and first in staff.page.text


@pytest.mark.function("D2a", "D2b")
async def test_needs_are_found_by_place_item_priority_remaining_and_words(relief: Relief) -> None:
    async with relief.as_(STAFF) as one, relief.as_(STAFF_2) as two, relief.as_() as visitor:
        water = await relief.need(one, goods="water-2l/", quantity=600, priority="urgent")
        blanket = await relief.need(two, goods="blanket/", quantity=5)
        cases = {
            "municipality=132012": {water, blanket},
            "municipality=132021": set(),
            "shelter=hachioji-02": {blanket},
            "item=water-2l": {water},
            "category=blanket": {blanket},
            "priority=urgent": {water},
            "remaining=6": {water},
            "q=%E9%A3%B2%E6%96%99": {water},
            "q=Sixth": {blanket},
        }
        for query, expected in cases.items():
            await visitor.get(f"/needs?{query}")
            found = {need for need in (water, blanket) if f'"/needs/{need}"' in visitor.page.text}
            assert found == expected, query


@pytest.mark.function("D2c")
async def test_a_row_leads_to_the_pledge_filled_in(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter, relief.as_() as visitor:
        need = await relief.need(staff, quantity=77)
        await supporter.get("/needs")
        assert f'href="/needs/{need}/pledge"' in supporter.page.text
        await supporter.get(f"/needs/{need}/pledge")
        assert supporter.page.inputs["quantity"] == ["77"]
        await visitor.get("/needs")
        assert f'href="/needs/{need}/first-pledge"' in visitor.page.text


@pytest.mark.function("X6")
async def test_an_officer_acts_for_the_own_municipality_only(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(OFFICER) as own, relief.as_(FOREIGN_OFFICER) as foreign:
        need = await relief.need(staff)
        await foreign.get("/needs")
        assert need in foreign.page.text, "shared lists show all"
        for path in (f"/needs/{need}/amend", f"/needs/{need}/close"):
            assert (await foreign.get(path)).status == 403
            assert (await own.get(path)).status == 200
        await foreign.get("/needs/new")
        assert "hachioji-01" not in foreign.page.text and "tachikawa-01" in foreign.page.text


async def test_shelter_staff_act_for_their_own_shelter_only(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(STAFF_2) as neighbour:
        need = await relief.need(staff)
        assert (await neighbour.get(f"/needs/{need}/amend")).status == 403
        await neighbour.get("/needs/new")
        await neighbour.send({"shelter": "hachioji-01", "goods": "blanket/", "quantity": "1"})
        assert neighbour.page.status == 422


async def test_a_day_that_is_over_and_a_time_ahead_are_named_beside_their_fields(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff:
        await staff.get("/needs/new")
        await staff.send(
            {
                "goods": "blanket/",
                "quantity": "1",
                "need_by": date(2020, 1, 1).isoformat(),
                "occurred": "2099-01-01 00:00",
            }
        )
        assert staff.page.status == 422
        assert "過ぎた日です" in staff.page.main and "まだ来ていない日時です" in staff.page.main
