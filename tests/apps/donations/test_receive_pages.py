"""受取 on the pages: seen without opening, confirmed once, other quantity, other shelter, photo, later (D9)."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import func, select

from apps.common import qr
from apps.common.tables import Write
from tests.apps.common.harness import Browser
from tests.apps.donations.relief import FOREIGN, OFFICER, STAFF, STAFF_2, SUPPORTER, Relief


def need_row(relief: Relief, need: str) -> dict[str, int]:
    row = relief.row("need", need=need)["need"]
    assert isinstance(row, dict)
    return row


@pytest.mark.function("D9d", "D9e")
async def test_opening_changes_nothing_confirming_does_and_a_second_scan_shows_the_first_result(relief: Relief) -> None:
    need, _, (code, _) = await relief.shipped_boxes(40, 2)
    blocks = len(relief.chain.blocks)
    async with relief.as_(STAFF) as staff, relief.as_(STAFF) as colleague, relief.as_() as visitor:
        await visitor.get(f"/box/{code}")
        assert "毛布" in visitor.page.main and "20枚" in visitor.page.main and "2 箱中 1 箱目" in visitor.page.main
        assert "受け取りを記録できます" in visitor.page.main and 'name="quantity"' not in visitor.page.text
        await colleague.get(f"/box/{code}")
        await staff.get(f"/box/{code}")
        assert len(relief.chain.blocks) == blocks and need_row(relief, need)["arrived"] == 0
        await staff.send()
        assert "受け取りを記録しました" in staff.page.main and need_row(relief, need)["arrived"] == 20
        await colleague.send({"quantity": "1", "reason": "missing"})
        assert "20枚" in colleague.page.main and need_row(relief, need)["arrived"] == 20
        await staff.get(f"/box/{code}")
        assert "受け取り済みです" in staff.page.main and 'name="quantity"' not in staff.page.text


@pytest.mark.function("D8d", "D9e")
async def test_the_supporter_is_told_of_each_arrival_once(relief: Relief) -> None:
    _, request, codes = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF) as staff:
        await relief.receive(staff, codes[0])
        await staff.get(f"/box/{codes[0]}")
        await relief.receive(staff, codes[1])
    mails = relief.mails("received")
    assert [m.recipient for m in mails] == [SUPPORTER] * 2
    assert {m.reference for m in mails} == {f"request:{request}"} and "2/2" in mails[1].subject


@pytest.mark.function("D9f")
async def test_another_quantity_needs_its_reason(relief: Relief) -> None:
    need, _, (code, _) = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF) as staff:
        await relief.receive(staff, code, {"quantity": "15"})
        assert staff.page.status == 422 and "理由を選んでください" in staff.page.main
        await staff.send({"reason": "damaged"})
        assert "15枚" in staff.page.main and "破損" in staff.page.main
    assert (need_row(relief, need)["arrived"], need_row(relief, need)["shipped"]) == (15, 20)


@pytest.mark.function("D9g")
async def test_at_another_shelter_it_warns_and_diverts_on_confirmation(relief: Relief) -> None:
    need, _, (code, _) = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF_2) as elsewhere, relief.as_() as visitor:
        await relief.receive(elsewhere, code)
        assert elsewhere.page.status == 422 and "第一小学校体育館 宛てです" in elsewhere.page.main
        await elsewhere.send({"divert": "1"})
        assert "第六中学校体育館" in elsewhere.page.main
        await visitor.get(f"/needs/{need}")
        assert "残り 20枚" in visitor.page.main, "the first need is open again"


@pytest.mark.function("D9h")
async def test_an_arrival_before_shipping_records_both(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=10)
        request = await relief.request(staff, await relief.pledge(supporter, need, 10), 10)
        await relief.receive(staff, relief.codes(request)[0])
        await staff.get(f"/story/shipment:{request}")
        assert "発送されました" in staff.page.main and "箱 1 を受け取りました" in staff.page.main


@pytest.mark.function("D9i")
async def test_a_photo_of_the_code_leads_to_the_box(relief: Relief) -> None:
    _, _, (code, _) = await relief.shipped_boxes()
    async with relief.as_(STAFF) as staff:
        await staff.get("/scan/photo")
        await staff.send(files={"photo": ("box.png", qr.png(f"https://supplies.example.jp/box/{code}"))})
        assert staff.page.url.endswith(f"/box/{code}") and staff.page.status == 200
        await staff.get("/scan/photo")
        await staff.send(files={"photo": ("cat.png", b"no picture")})
        assert staff.page.status == 422 and "読み取れません" in staff.page.main


async def test_a_typed_code_leads_to_the_box(relief: Relief) -> None:
    _, _, (code, _) = await relief.shipped_boxes()
    async with relief.as_(STAFF) as staff:
        await staff.get(f"/scan?code={code[:4]}-{code[4:8].lower()}%20{code[8:]}")
        assert staff.page.url.endswith(f"/box/{code}")
        await staff.get("/scan?code=ABC")
        assert "コードを読み取れません" in staff.page.main
        assert (await staff.get("/box/AAAABBBBCCCCDDDD")).status == 404


async def later(browser: Browser, code: str, occurred_ms: int, shelter: str = "hachioji-01") -> dict[str, str]:
    await browser.get("/scan")
    token = browser.page.text.split('data-token="')[1].split('"')[0]
    body = {"form_token": token, "code": code, "shelter": shelter, "occurred_ms": str(occurred_ms)}
    async with browser._session.post(browser.base.rstrip("/") + "/scan/later", data=body) as response:
        return dict(json.loads(await response.text()))


@pytest.mark.function("D9d")
async def test_what_a_phone_kept_is_received_once_with_the_time_at_which_it_happened(relief: Relief) -> None:
    need, request, codes = await relief.shipped_boxes(40, 2)
    relief.clock.forward(3_600_000)
    happened = relief.clock() - 1_800_000
    async with relief.as_(STAFF) as staff:
        first = await later(staff, codes[0], happened)
        assert first["state"] == "done" and "1/2" in first["text"]
        again = await asyncio.gather(*(later(staff, codes[0], happened) for _ in range(3)))
        assert {a["state"] for a in again} == {"done"}
        writes = select(func.count()).select_from(Write).where(Write.kind == "receive")
        assert relief.kit.database.read_now(lambda s: s.scalar(writes)) == 1, "each once"
        await staff.get("/arrivals")
        box = relief.chain.world.query("donations", "boxes", request=request)[0]["box"]
        assert box["occurred_ms"] == happened and need_row(relief, need)["arrived"] == 20


async def test_a_clock_that_is_ahead_does_not_stop_what_a_phone_kept(relief: Relief) -> None:
    _, _, codes = await relief.shipped_boxes()
    async with relief.as_(STAFF) as staff:
        assert (await later(staff, codes[0], relief.clock() + 3_600_000))["state"] == "done"


async def test_what_a_phone_sends_for_somebody_elses_shelter_is_refused(relief: Relief) -> None:
    _, _, codes = await relief.shipped_boxes()
    async with relief.as_(FOREIGN) as foreign:
        assert (await later(foreign, codes[0], relief.clock()))["state"] == "refused"
        assert (await later(foreign, "nonsense", relief.clock(), "tachikawa-01"))["state"] == "refused"


@pytest.mark.function("D10c")
async def test_a_closed_shelter_says_where_its_boxes_go_and_they_are_received_there(relief: Relief) -> None:
    _, _, (code, _) = await relief.shipped_boxes()
    async with relief.as_(OFFICER) as officer, relief.as_(STAFF_2) as elsewhere:
        await officer.get("/shelters/hachioji-01/status")
        await officer.send({"status": "closed", "redirect_to": "hachioji-02"})
        await officer.send({"step": "confirm"})
        await elsewhere.get(f"/box/{code}")
        assert "転送先: 第六中学校体育館" in elsewhere.page.main
        await elsewhere.send()
        assert "受け取りを記録しました" in elsewhere.page.main


async def test_the_chain_being_away_is_said_and_nothing_is_lost(relief: Relief) -> None:
    _, _, (code, _) = await relief.shipped_boxes()
    async with relief.as_(STAFF) as staff:
        relief.chain.down = True
        assert (await staff.get(f"/box/{code}")).status == 503
        assert (await staff.get("/needs")).status == 200, "lists go on from the copy"
        relief.chain.down = False
        await relief.receive(staff, code)
        assert "受け取りを記録しました" in staff.page.main
