"""The kit's pages in Chromium: on a phone and a desk, with and without JavaScript, in both languages, by axe-core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.apps.common.example.application import ACCOUNT, make_site
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import PASSWORD, Running, add_user, database_url, keyring, serve, settings
from tests.apps.common.screen import WIDTHS, faults_of, open_chromium, open_page

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("DAICHO_SCREENSHOTS", "")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as chromium:
        yield chromium


@pytest.fixture
async def site(tmp_path: Path, clock: FakeClock, chain: FakeChain) -> AsyncIterator[Running]:
    url = database_url("sqlite", tmp_path)
    kit_settings = settings(url, demo=True, work=True, smtp_sink_port=0)
    async with serve(make_site(), kit_settings, chain, keyring(ACCOUNT), clock) as running:
        for role in ("resident", "officer", "admin"):
            add_user(running.kit, role)
        yield running


async def sign_in(page: Page, site: Running, role: str) -> None:
    await page.goto(f"{site.base}/sign-in")
    await page.locator("#email").fill(f"{role}@example.jp")
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").click()
    await page.wait_for_url(f"{site.base}/")


async def look(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    assert await faults_of(page) == [], name


@pytest.mark.function("X2")
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_in_every_state_keeps_the_rules(
    browser: Browser, site: Running, width: int, language: str
) -> None:
    async with open_page(browser, width, language=language) as page:
        for path in ("/", "/sign-in", "/register", "/forgot", "/mailbox", "/nowhere", "/?lang=" + language):
            await page.goto(site.base + path)
            await look(page, f"{width}-{language}-{path.strip('/?').replace('=', '-') or 'home'}")
        await page.goto(f"{site.base}/sign-in")
        await page.locator("main button").click()
        await look(page, f"{width}-{language}-sign-in-errors")
        await sign_in(page, site, "admin")
        for path in ("/accounts", "/accounts/new", "/accounts/1", "/mails", "/account/password", "/things/new"):
            await page.goto(site.base + path)
            await look(page, f"{width}-{language}{path.replace('/', '-')}")
        await page.locator("main .buttons button").click()
        await look(page, f"{width}-{language}-form-errors")
        await page.locator("#name").fill("毛布")
        await page.locator("#count").fill("12")
        await page.locator("#kind").select_option("bedding")
        await page.locator("main .buttons button").click()
        await look(page, f"{width}-{language}-review")
        await page.locator("main .buttons button").first.click()
        await expect(page.get_by_role("status")).to_contain_text("登録しました" if language == "ja" else "Registered")
        await look(page, f"{width}-{language}-done")
        await page.goto(f"{site.base}/story/thing:1")
        await look(page, f"{width}-{language}-story")


@pytest.mark.function("X2")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("javascript", [True, False])
async def test_the_whole_way_of_a_form_with_and_without_javascript(
    browser: Browser, site: Running, chain: FakeChain, width: int, javascript: bool
) -> None:
    async with open_page(browser, width, javascript=javascript) as page:
        await sign_in(page, site, "officer")
        await page.goto(f"{site.base}/things/new")
        await page.locator("#name").fill("水")
        await page.locator("#count").fill("１０")
        await page.locator("#kind").select_option("food")
        await page.get_by_role("button", name="確認画面へ進む").click()
        await page.get_by_role("button", name="登録する").dblclick()
        await expect(page.get_by_role("status")).to_be_attached()
        await expect(page.locator("main table")).to_contain_text("水")
        assert len(chain.blocks) == 1 or [t.body.method for t, _ in chain.blocks] == ["register", "record_mail"]


async def test_errors_take_the_focus_and_lead_to_their_field(browser: Browser, site: Running) -> None:
    async with open_page(browser, 320) as page:
        await sign_in(page, site, "officer")
        await page.goto(f"{site.base}/things/new")
        await page.get_by_role("button", name="確認画面へ進む").click()
        await expect(page.locator("#problems")).to_be_focused()
        await page.locator("#problems a").nth(1).click()
        await expect(page.locator("#count")).to_be_focused()


async def test_the_focus_is_seen_in_black_and_yellow(browser: Browser, site: Running) -> None:
    async with open_page(browser, 1280) as page:
        await page.goto(site.base)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        style = await page.evaluate(
            "() => ['outlineStyle', 'outlineWidth', 'boxShadow'].map(p => getComputedStyle(document.activeElement)[p])"
        )
        assert style[0] == "solid" and style[1] == "4px" and "255, 212, 61" in style[2]


@pytest.mark.function("D1b")
async def test_a_list_follows_without_reloading(browser: Browser, site: Running) -> None:
    async with open_page(browser, 320) as watching, open_page(browser, 1280) as page:
        await watching.goto(site.base)
        await expect(watching.locator("[data-live-note]")).to_be_visible()
        await sign_in(page, site, "officer")
        await page.goto(f"{site.base}/things/new?name=%E3%81%8A%E3%82%80%E3%81%A4&count=3")
        await page.locator("#kind").select_option("food")
        await page.get_by_role("button", name="確認画面へ進む").click()
        await page.get_by_role("button", name="登録する").click()
        await expect(watching.locator("#things")).to_contain_text("おむつ")


async def test_nothing_on_the_pages_breaks_the_security_policy(browser: Browser, site: Running) -> None:
    async with open_page(browser, 1280) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await sign_in(page, site, "admin")
        for path in ("/things/new", "/accounts", "/mails"):
            await page.goto(site.base + path)
        assert said == []
