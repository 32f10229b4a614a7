"""The relief application in Chromium: the whole story on a phone and a desk, with and without JavaScript, in both
languages; every page by axe-core; scanning without a connection; lists that follow.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from apps.common import qr
from apps.common.tables import Letter
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES, PASSWORD
from tests.apps.common.screen import WIDTHS, faults_of, open_chromium, open_page
from tests.apps.donations.chain import ContractChain
from tests.apps.donations.relief import ADMIN, CONTACT, OFFICER, STAFF, SUPPORTER, Relief, open_relief

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("DAICHO_SCREENSHOTS", "")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as chromium:
        yield chromium


@pytest.fixture
async def relief(
    tmp_path: Path, clock: FakeClock, chain: ContractChain, request: pytest.FixtureRequest
) -> AsyncIterator[Relief]:
    """On the database that a test asks for (`indirect`), by default SQLite."""
    kind = getattr(request, "param", "sqlite")
    async with open_relief(tmp_path, clock, chain, kind, demo=True, smtp_sink_port=0) as running:
        yield running


async def sign_in(page: Page, relief: Relief, email: str, language: str = "ja") -> None:
    await page.goto(f"{relief.running.base}/sign-in?lang={language}")
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").click()
    await expect(page.get_by_role("status")).to_be_attached()


async def press(page: Page) -> None:
    """The first button of the page's form."""
    await page.locator("main form .buttons button").first.click()


async def letter(relief: Relief, recipient: str, words: str) -> Letter:
    """The letter that the mail server took in, once it has."""
    rows = select(Letter).where(Letter.recipient == recipient).order_by(Letter.id.desc())
    for _ in range(300):
        found = relief.kit.database.read_now(lambda s: s.scalars(rows).all())
        for one in found:
            if words in one.subject:
                return one
        await asyncio.sleep(0.05)
    raise AssertionError(f"no letter about {words} to {recipient}: {[one.subject for one in found]}")


@pytest.mark.function("X2", "D1a", "D3a", "D6a", "D6e", "D8a", "D8b", "D8c", "D8d", "D9d", "X4")
@pytest.mark.parametrize(
    ("width", "javascript", "language", "relief"),
    [
        (width, javascript, language, DATABASES[number % len(DATABASES)])
        for number, (width, javascript, language) in enumerate(
            [
                (320, True, "ja"),
                (320, True, "en"),
                (320, False, "ja"),
                (320, False, "en"),
                (1280, True, "en"),
                (1280, True, "ja"),
                (1280, False, "en"),
                (1280, False, "ja"),
            ]
        )
    ],
    indirect=["relief"],
)
async def test_the_whole_story(browser: Browser, relief: Relief, width: int, javascript: bool, language: str) -> None:
    async def look(page: Page, name: str) -> None:
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/{width}-{language}-{name}.png", full_page=True)
        if javascript:
            assert await faults_of(page) == [], name

    async with (
        open_page(browser, width, javascript=javascript, language=language) as staff,
        open_page(browser, width, javascript=javascript, language=language) as giver,
    ):
        await sign_in(staff, relief, STAFF, language)
        need = await register_need(staff, relief, look)
        await giver.goto(f"{relief.running.base}/?lang={language}")
        await look(giver, "home")
        offer = await pledge_first(giver, relief, need, look)
        pledged = await letter(relief, CONTACT, "毛布")
        assert f"/needs/{need}" in pledged.body
        request = await ask(staff, relief, need, offer, look)
        asked = await letter(relief, "hanako@example.jp", "送付依頼" if language == "ja" else "Please send")
        link = re.search(r"http://\S+", asked.body)
        assert link is not None
        await relief.copied()
        await giver.goto(relief.running.base + link[0].removeprefix("http://127.0.0.1"))
        await look(giver, "my-request")
        async with giver.expect_download() as downloading:
            await giver.locator("a[href$='labels.pdf']").click()
        assert (await downloading.value).suggested_filename.endswith(".pdf")
        await giver.locator("a[href$='/ship']").click()
        await look(giver, "ship")
        await giver.locator("#sure").check()
        await press(giver)
        await expect(giver.get_by_role("status")).not_to_be_empty()
        await letter(relief, CONTACT, "提供物資発送")
        for number, code in enumerate(relief.codes(request)):
            await staff.goto(f"{relief.running.base}/box/{code}")
            await look(staff, f"box-{number}")
            await press(staff)
            await expect(staff.get_by_role("status")).not_to_be_empty()
        await look(staff, "received")
        await letter(relief, "hanako@example.jp", "物資受領" if language == "ja" else "Received")
        await relief.copied()
        await staff.goto(f"{relief.running.base}/arrivals")
        await expect(staff.locator("main table tbody tr")).to_have_count(2)
        await look(staff, "arrivals")
        await staff.goto(f"{relief.running.base}/story/shipment:{request}")
        await look(staff, "story")
        async with staff.expect_download() as downloading:
            await staff.locator("a[href^='/proof/']").first.click()
        assert (await downloading.value).suggested_filename.endswith(".json")


Look = Callable[[Page, str], Awaitable[None]]


async def register_need(page: Page, relief: Relief, look: Look) -> str:
    await page.goto(f"{relief.running.base}/needs/new")
    await look(page, "new-need")
    await press(page)
    await look(page, "new-need-errors")
    await page.locator("#goods").select_option("blanket/")
    await page.locator("#quantity").fill("40")
    await page.locator("input[name=priority][value=urgent]").check()
    await press(page)
    await look(page, "new-need-review")
    await press(page)
    await page.wait_for_url(re.compile(r"/needs/need-"))
    await look(page, "need")
    return page.url.rsplit("/", 1)[1]


async def pledge_first(page: Page, relief: Relief, need: str, look: Look) -> str:
    """D3b, in three taps: the row, the form, done."""
    await relief.copied()
    await page.goto(f"{relief.running.base}/needs")
    await look(page, "needs")
    await page.locator(f"a.button[href='/needs/{need}/first-pledge']").first.click()
    await look(page, "pledge")
    await page.locator("#name").fill("佐藤 花子")
    await page.locator("#email").fill("hanako@example.jp")
    await page.locator("#password").fill("a long and good phrase")
    await press(page)
    await page.wait_for_url(re.compile(r"/offers/offer-"))
    await look(page, "offer")
    offer = page.url.rsplit("/", 1)[1]
    confirm = await letter(relief, "hanako@example.jp", "")
    link = re.search(r"/confirm/\S+", confirm.body)
    assert link is not None
    await page.goto(relief.running.base + link[0])
    await look(page, "confirm")
    await page.locator("main button").click()
    return offer


async def ask(page: Page, relief: Relief, need: str, offer: str, look: Look) -> str:
    await relief.copied()
    await page.goto(f"{relief.running.base}/needs/{need}")
    await look(page, "need-pledged")
    await page.locator(f"a[href^='/offers/{offer}/request']").click()
    await page.locator("#boxes").fill("2")
    await look(page, "new-request")
    await press(page)
    await look(page, "new-request-review")
    await press(page)
    await page.wait_for_url(re.compile(r"/requests/shipment-"))
    await look(page, "request")
    return page.url.rsplit("/", 1)[1]


PAGES = {
    "": ("/", "/needs", "/needs?priority=urgent", "/offers", "/offers/first", "/shelters", "/shelters/hachioji-01"),
    SUPPORTER: ("/", "/mine", "/offers/new"),
    STAFF: ("/", "/requests", "/scan", "/scan?code=x", "/scan/photo", "/stock", "/stock/take", "/paper"),
    OFFICER: ("/situation", "/shelters/hachioji-01", "/shelters/hachioji-01/status", "/stock/transfer", "/mails"),
    ADMIN: (
        "/shelters/new", "/shelters/hachioji-01/edit", "/shelters/import", "/items", "/items/new", "/items/import",
        "/accounts", "/access-log",
    ),
}  # fmt: skip


@pytest.mark.function("X2")
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_keeps_the_rules(browser: Browser, relief: Relief, width: int, language: str) -> None:
    await relief.shipped_boxes(40, 2)
    for email, paths in PAGES.items():
        async with open_page(browser, width, language=language) as page:
            if email:
                await sign_in(page, relief, email, language)
            for path in paths:
                answer = await page.goto(relief.running.base + path)
                assert answer is not None and answer.status == 200, path
                if SHOTS:
                    name = path.strip("/").replace("/", "-").replace("?", "-") or "home"
                    await page.screenshot(path=f"{SHOTS}/{width}-{language}-{email[:5]}-{name}.png", full_page=True)
                assert await faults_of(page) == [], path


@pytest.mark.function("D9d")
async def test_boxes_read_without_a_connection_are_sent_later_each_once(browser: Browser, relief: Relief) -> None:
    need, _, codes = await relief.shipped_boxes(40, 2)
    async with open_page(browser, 320) as page:
        await sign_in(page, relief, STAFF)
        await page.goto(f"{relief.running.base}/scan")
        await page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
        await page.reload()
        await page.context.set_offline(True)
        for code in (codes[0], f"http://x.example/box/{codes[1]}", codes[0]):
            await page.locator("#scan-code").fill(code)
            await page.locator("#scan-keep").click()
        await page.locator("#scan-code").fill("nonsense")
        await page.locator("#scan-keep").click()
        await expect(page.locator("#scan-error")).not_to_be_empty()
        await expect(page.locator("#scan-list li")).to_have_count(2)
        await expect(page.locator("#scan-list")).to_contain_text("送信待ち")
        await expect(page.locator("#scan-offline")).to_be_visible()
        assert await faults_of(page) == []
        await page.reload()
        await expect(page.locator("#scan-list li")).to_have_count(2)
        await page.context.set_offline(False)
        await expect(page.locator("#scan-list")).not_to_contain_text("送信待ち", timeout=20_000)
        await expect(page.locator("#scan-list")).to_contain_text("受け取りました")
    row = relief.row("need", need=need)["need"]
    assert isinstance(row, dict) and row["arrived"] == 40
    assert [t.body.method for t, _ in relief.chain.blocks].count("receive") == 2


@pytest.mark.function("D1b", "D3d")
async def test_the_list_of_needs_follows_by_itself(browser: Browser, relief: Relief) -> None:
    async with open_page(browser, 1280) as watching, relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        await watching.goto(f"{relief.running.base}/needs")
        await expect(watching.locator("[data-live-note]")).to_be_visible()
        need = await relief.need(staff, quantity=100)
        await expect(watching.locator("#needs")).to_contain_text("100枚")
        await relief.pledge(supporter, need, 30)
        await expect(watching.locator("#needs")).to_contain_text("70枚")


async def test_a_photo_is_chosen_on_the_phone(browser: Browser, relief: Relief, tmp_path: Path) -> None:
    _, _, codes = await relief.shipped_boxes()
    async with open_page(browser, 320, javascript=False) as page:
        await sign_in(page, relief, STAFF)
        await page.goto(f"{relief.running.base}/scan/photo")
        picture = io.BytesIO(qr.png(f"http://127.0.0.1/box/{codes[0]}"))
        await page.locator("#photo").set_input_files(
            {"name": "box.png", "mimeType": "image/png", "buffer": picture.getvalue()}
        )
        await press(page)
        await expect(page).to_have_url(re.compile(f"/box/{codes[0]}$"))


async def test_nothing_on_the_pages_breaks_the_security_policy(browser: Browser, relief: Relief) -> None:
    async with open_page(browser, 1280) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await sign_in(page, relief, OFFICER)
        for path in ("/", "/needs", "/situation", "/scan", "/needs/new", "/arrivals"):
            await page.goto(relief.running.base + path)
        assert said == []
