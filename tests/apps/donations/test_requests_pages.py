"""送付依頼 on the pages: asked, labelled, shipped, taken back, written off (D6, D3e, D13a to D13d)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from pypdf import PdfReader

from apps.common.codes import grouped, new_code, read_code
from apps.donations.requests import split_boxes
from tests.apps.common.harness import Browser
from tests.apps.donations.relief import CONTACT, FOREIGN, OFFICER, RIVAL, STAFF, SUPPORTER, Relief


async def download(relief: Relief, email: str, path: str) -> tuple[int, bytes]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        browser = Browser(session, relief.running.base)
        await browser.sign_in(email)
        async with session.get(relief.running.base.rstrip("/") + path) as response:
            return response.status, await response.read()


def scanned(file: Path) -> list[str]:
    """What a scanner reads from the printed pages."""
    subprocess.run(["pdftoppm", "-r", "150", "-png", "-gray", str(file), str(file.parent / "page")], check=True)
    read: list[str] = []
    for page in sorted(file.parent.glob("page*.png")):
        found = subprocess.run(["zbarimg", "-q", "--raw", str(page)], capture_output=True, text=True, check=True)
        read += found.stdout.split()
    return read


@pytest.mark.function("D6e", "D9a", "D9b")
async def test_the_supporter_downloads_labels_that_are_read_back_from_the_rendered_page(
    relief: Relief, tmp_path: Path
) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=100)
        offer = await relief.pledge(supporter, need, 100)
        request = await relief.request(staff, offer, 100, boxes=9)
        await supporter.get(f"/mine/requests/{request}")
        assert "八王子市元本郷町9-99-9" in supporter.page.main, "where to send it"
    status, data = await download(relief, SUPPORTER, f"/mine/requests/{request}/labels.pdf")
    assert status == 200
    file = tmp_path / "labels.pdf"
    file.write_bytes(data)
    reader = PdfReader(file)
    assert len(reader.pages) == 2, "eight labels on a sheet"
    text = "".join(page.extract_text() for page in reader.pages).replace("\n", "")
    codes = relief.codes(request)
    assert "毛布" in text and "第一小学校体育館" in text and "9 / 9" in text and "12枚" in text
    assert all(grouped(code) in text for code in codes)
    read = scanned(file)
    assert sorted(read) == sorted(f"http://127.0.0.1/box/{code}" for code in codes)
    assert (await download(relief, STAFF, f"/requests/{request}/labels.pdf"))[1] == data, "shelters may print them, too"
    assert (await download(relief, RIVAL, f"/mine/requests/{request}/labels.pdf"))[0] == 404
    assert (await download(relief, FOREIGN, f"/requests/{request}/labels.pdf"))[0] == 403


@pytest.mark.function("D5c", "D6c", "D8c")
async def test_the_supporter_is_told_and_finds_the_request_after_signing_in(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff)
        offer = await relief.pledge(supporter, need, 10)
        request = await relief.request(staff, offer, 10)
    (mail,) = relief.mails("request")
    assert mail.recipient == SUPPORTER and f"/mine/requests/{request}" in mail.body and "第一小学校体育館" in mail.body
    async with relief.as_(SUPPORTER) as again:
        await again.get("/")
        assert "あなたへの送付依頼が 1 件" in again.page.main
        await again.get("/mine")
        assert request in again.page.text and "発送待ち" in again.page.main


@pytest.mark.function("D3e", "D3f", "D8b")
async def test_shipping_is_recorded_once_and_the_shelter_is_told(relief: Relief) -> None:
    need, request, _ = await relief.shipped_boxes(40, 2)
    row = relief.row("need", need=need)["need"]
    assert isinstance(row, dict) and (row["shipped"], row["requested"]) == (40, 0)
    (mail,) = relief.mails("shipped")
    assert mail.recipient == CONTACT and request in mail.body
    async with relief.as_(SUPPORTER) as supporter:
        assert (await supporter.get(f"/mine/requests/{request}/ship")).status == 404, "shipped already"
    async with relief.as_() as visitor:
        await visitor.get("/needs")
        assert need not in visitor.page.text, "delisted when met"


@pytest.mark.function("D3e")
async def test_nothing_is_shipped_before_it_is_requested(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff)
        offer = await relief.pledge(supporter, need, 10)
        assert (await supporter.get(f"/mine/requests/{offer}/ship")).status == 404
        await supporter.get(f"/offers/{offer}")
        assert "発送はそれまでお待ちください" in supporter.page.main


@pytest.mark.function("D13c", "D13d")
async def test_either_side_steps_back_before_shipping(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=30)
        for who, path in ((supporter, "/mine/requests/{}/refuse"), (staff, "/requests/{}/cancel")):
            offer = await relief.pledge(supporter, need, 30)
            request = await relief.request(staff, offer, 30)
            await who.get(path.format(request))
            await who.send({"sure": "1"})
            assert relief.row("request_of", request=request)["status"] == "cancelled"
            row = relief.row("need", need=need)["need"]
            assert isinstance(row, dict) and row["requested"] == 0
            if who is staff:
                assert relief.row("offer_of", offer=offer)["left"] == 30


@pytest.mark.function("D13a", "D13b")
@pytest.mark.parametrize("what", ["lost", "returned"])
async def test_an_officer_writes_off_what_never_came(relief: Relief, what: str) -> None:
    need, request, codes = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF) as staff, relief.as_(OFFICER) as officer:
        await relief.receive(staff, codes[0])
        assert (await staff.get(f"/requests/{request}/write-off")).status == 403, "staff may not"
        await officer.get(f"/requests/{request}/write-off")
        await officer.send({"what": what})
        await officer.send({"step": "confirm"})
        assert relief.row("request_of", request=request)["status"] == what
        await officer.get(f"/needs/{need}")
        assert "残り 20枚" in officer.page.main
        page = await relief.receive(staff, codes[1])
        assert ("受け取り済み" in page.main) == (what == "lost"), "a lost box that turns up is received"


async def test_more_boxes_than_units_are_named_beside_the_field(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff)
        offer = await relief.pledge(supporter, need, 3)
        await staff.get(f"/offers/{offer}/request")
        await staff.send({"quantity": "3", "boxes": "4"})
        assert staff.page.status == 422 and "箱の数は数量(3)以下" in staff.page.main


async def test_requests_are_listed_by_state(relief: Relief) -> None:
    _, request, _ = await relief.shipped_boxes()
    async with relief.as_(STAFF) as staff, relief.as_(FOREIGN) as foreign:
        await staff.get("/requests?status=shipped")
        assert request in staff.page.text
        await staff.get("/requests?status=requested")
        assert request not in staff.page.text
        await foreign.get("/requests")
        assert request not in foreign.page.text
        assert (await foreign.get(f"/requests/{request}")).status == 403


@pytest.mark.parametrize(("quantity", "boxes"), [(10, 3), (1, 1), (200, 200), (7, 5)])
def test_units_are_spread_evenly_over_boxes(quantity: int, boxes: int) -> None:
    split = split_boxes(quantity, boxes)
    assert sum(split) == quantity and len(split) == boxes and max(split) - min(split) <= 1


def test_a_code_is_read_however_it_was_typed_or_scanned() -> None:
    code = new_code()
    for typed in (
        code, grouped(code), grouped(code).lower(), f"https://x.example/box/{code}", f" {code[:8]} {code[8:]} ",
        code.replace("O", "0").replace("I", "1").replace("B", "8"),
    ):  # fmt: skip
        assert read_code(typed) == code
    for wrong in ("", "abc", code + "A", "https://x.example/", "9" * 16):
        assert read_code(wrong) == ""
