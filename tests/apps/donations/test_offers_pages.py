"""Pledges and offers on the pages: with and without an account, partly, too much, taken back, lapsed (D3, D4, D5)."""

from __future__ import annotations

import asyncio
import re

import pytest

from apps.common.outbox import Settled
from apps.common.tables import Write
from apps.donations.offers import HOLD_MS, lapse_due, offered
from apps.donations.tables import Pending
from tests.apps.common.harness import PASSWORD
from tests.apps.donations.relief import CONTACT, RIVAL, STAFF, SUPPORTER, Relief, last_part

NEW = {"name": "山田 太郎", "email": "taro@example.jp", "password": "long enough words"}


@pytest.mark.function("D3a", "D3d")
async def test_the_shown_need_falls_by_what_is_pledged(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter, relief.as_() as visitor:
        need = await relief.need(staff, quantity=100)
        await relief.pledge(supporter, need, 30)
        await visitor.get(f"/needs/{need}")
        assert "残り 70枚" in visitor.page.main


@pytest.mark.function("D3b")
async def test_a_first_pledge_makes_an_account_and_lapses_unless_the_address_is_confirmed(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_() as visitor:
        need = await relief.need(staff, quantity=100)
        await visitor.get(f"/needs/{need}/first-pledge")
        await visitor.send({"quantity": "40", **NEW})
        offer = last_part(visitor.page, "/offers/")
        assert "24時間以内" in visitor.page.main and "取り消されます" in visitor.page.main
        (mail,) = relief.mails("confirm")
        assert mail.recipient == NEW["email"]
        relief.clock.forward(HOLD_MS + 1)
        assert relief.kit.database.write_now(lambda s: lapse_due(relief.kit, s)) == 1
        assert relief.kit.database.write_now(lambda s: lapse_due(relief.kit, s)) == 0, "once"
        relief.kit.outbox.wake()
        await visitor.get("/mine")
        for _ in range(100):
            if relief.row("offer_of", offer=offer)["status"] == "withdrawn":
                break
            await asyncio.sleep(0.02)
        row = relief.row("need", need=need)["need"]
        assert isinstance(row, dict) and row["pledged"] == 0


@pytest.mark.function("D3b")
async def test_a_confirmed_address_keeps_its_pledge(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_() as visitor:
        need = await relief.need(staff, quantity=100)
        await visitor.get(f"/needs/{need}/first-pledge")
        await visitor.send({"quantity": "40", **NEW})
        offer = last_part(visitor.page, "/offers/")
        link = re.search(r"http://[^\s]+/confirm/[^\s]+", relief.mails("confirm")[0].body)
        assert link is not None
        await visitor.get(link[0].replace("http://127.0.0.1", "", 1))
        await visitor.send({})
        relief.clock.forward(HOLD_MS + 1)
        assert relief.kit.database.write_now(lambda s: lapse_due(relief.kit, s)) == 0
        assert relief.kit.database.read_now(lambda s: s.get(Pending, offer)) is None
        assert relief.row("offer_of", offer=offer)["status"] == "open"


async def test_an_address_with_an_account_needs_its_password(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_() as visitor:
        need = await relief.need(staff, quantity=100)
        await visitor.get(f"/needs/{need}/first-pledge")
        await visitor.send({**NEW, "quantity": "4", "email": SUPPORTER})
        assert visitor.page.status == 422 and "パスワードと違います" in visitor.page.main
        assert visitor.page.inputs["quantity"] == ["4"] and visitor.page.inputs["email"] == [SUPPORTER]
        await visitor.send({"password": PASSWORD})
        last_part(visitor.page, "/offers/")
        assert relief.mails("confirm") == []


@pytest.mark.function("D3g")
async def test_too_much_is_named_and_becomes_an_offer_only_on_the_senders_word(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=10)
        await supporter.get(f"/needs/{need}/pledge")
        await supporter.send({"quantity": "25"})
        assert supporter.page.status == 422 and "必要な残りは 10" in supporter.page.main
        await supporter.send({"quantity": "25", "excess": "1"})
        await supporter.send({"step": "confirm"})
        offer = last_part(supporter.page, "/offers/")
        row = relief.row("offer_of", offer=offer)
        assert (row["pledged"], row["left"]) == (10, 25)
        await supporter.get("/offers")
        assert "15枚" in supporter.page.main


@pytest.mark.function("D3h", "D4b")
async def test_food_needs_its_date_and_what_shelters_cannot_use_is_said(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, goods="water-2l/", quantity=10)
        await supporter.get(f"/needs/{need}/pledge")
        assert "生鮮食品・使用済みの衣類" in supporter.page.main and "一種類だけ" in supporter.page.main
        await supporter.send({"quantity": "10"})
        assert supporter.page.status == 422 and "期限の入力が必要" in supporter.page.main
        await supporter.send({"expires": "2020-01-01"})
        assert supporter.page.status == 422 and "期限が過ぎています" in supporter.page.main
        await supporter.send({"expires": "2028-04-01", "available": "2027-02-01"})
        await supporter.send({"step": "confirm"})
        assert "2028年4月1日" in supporter.page.main and "2027年2月1日" in supporter.page.main


@pytest.mark.function("D4a", "D5a")
async def test_an_offer_without_a_need_is_found_by_both_sides(relief: Relief) -> None:
    async with relief.as_(SUPPORTER) as supporter, relief.as_(STAFF) as staff, relief.as_() as visitor:
        await supporter.get("/offers/new")
        await supporter.send({"goods": "diaper/S", "quantity": "300"})
        await supporter.send({"step": "confirm"})
        offer = last_part(supporter.page, "/offers/")
        for browser in (supporter, staff, visitor):
            await browser.get("/offers?category=infant-diaper")
            assert offer in browser.page.text and "300枚" in browser.page.main
            await browser.get("/offers?q=blanket")
            assert offer not in browser.page.text
        pseudonym = str(relief.row("offer_of", offer=offer)["supporter"])
        await visitor.get(f"/offers/{offer}")
        assert pseudonym not in visitor.page.text


@pytest.mark.function("D5b", "D6a", "D6b")
async def test_a_shelter_picks_an_offer_and_asks_for_part_of_it(relief: Relief) -> None:
    async with relief.as_(SUPPORTER) as supporter, relief.as_(STAFF) as staff:
        await supporter.get("/offers/new")
        await supporter.send({"goods": "blanket/", "quantity": "300"})
        await supporter.send({"step": "confirm"})
        offer = last_part(supporter.page, "/offers/")
        await staff.get(f"/offers/{offer}/request")
        assert "募集が、あなたの避難所にはありません" in staff.page.main
        need = await relief.need(staff, quantity=100)
        await staff.get(f"/offers/{offer}")
        assert f"/offers/{offer}/request" in staff.page.text
        await staff.get(f"/offers/{offer}/request")
        assert staff.page.inputs["need"] == [need] and staff.page.inputs["quantity"] == ["100"]
        await relief.request(staff, offer, 80)
        await supporter.get(f"/offers/{offer}")
        assert "残り 220枚" in " ".join(supporter.page.main.split())


@pytest.mark.function("D3d", "D3g")
async def test_of_two_supporters_racing_for_the_last_unit_one_gets_it_and_the_other_sees_what_is_left(
    relief: Relief,
) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as one, relief.as_(RIVAL) as two:
        need = await relief.need(staff, quantity=1)
        for browser in (one, two):
            await browser.get(f"/needs/{need}/pledge")
            await browser.send({"quantity": "1"})
        pages = await asyncio.gather(one.send({"step": "confirm"}), two.send({"step": "confirm"}))
        assert sorted(page.status for page in pages) == [200, 409]
        loser = next(page for page in pages if page.status == 409)
        assert "既に充足しています" in loser.main
        row = relief.row("need", need=need)["need"]
        assert isinstance(row, dict) and (row["pledged"], row["pledges"]) == (1, 1)


@pytest.mark.function("D13c")
async def test_a_supporter_withdraws_what_nobody_asked_for(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter, relief.as_(RIVAL) as rival:
        need = await relief.need(staff, quantity=10)
        offer = await relief.pledge(supporter, need, 10)
        assert (await rival.get(f"/offers/{offer}/withdraw")).status == 404
        await supporter.get(f"/offers/{offer}/withdraw")
        await supporter.send({"sure": "1"})
        assert "取り下げ済み" in supporter.page.main
        await supporter.get(f"/needs/{need}")
        assert "残り 10枚" in supporter.page.main


@pytest.mark.function("D13d")
async def test_a_shelter_declines_a_pledge_and_it_becomes_a_free_offer(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=10)
        offer = await relief.pledge(supporter, need, 10)
        await staff.get(f"/needs/{need}")
        assert f"/offers/{offer}/decline" in staff.page.text
        await staff.get(f"/offers/{offer}/decline")
        await staff.send({"sure": "1"})
        row = relief.row("offer_of", offer=offer)
        assert (row["need"], row["left"]) == ("", 10)


@pytest.mark.function("D3c", "D8a")
async def test_the_shelters_contact_is_told_of_a_pledge_and_the_chain_of_the_mail(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=10)
        offer = await relief.pledge(supporter, need, 10)
    (mail,) = relief.mails("offer_registered")
    assert mail.recipient == CONTACT and "毛布" in mail.subject and need in mail.body
    assert mail.reference == f"offer:{offer}"


def test_a_refused_pledge_has_no_consequences(relief: Relief) -> None:
    def check(session: object) -> None:
        write = Write(kind="pledge", reference="need:x", state="refused")
        offered(relief.kit, Settled(session, write, None))  # type: ignore[arg-type]

    relief.kit.database.write_now(check)
    assert relief.mails("offer_registered") == []
