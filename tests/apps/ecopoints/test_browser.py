"""The eco-point application in Chromium: every page at a phone's and a desk's width, in both languages, by axe-core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES, PASSWORD
from tests.apps.common.screen import faults_of, open_chromium, open_page
from tests.apps.ecopoints.books.year import FIRST, LAST, Books
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.town import ADMIN_MAIL, OFFICER_MAIL, VERIFIER_MAIL, Town, open_town

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("DAICHO_SCREENSHOTS", "")
LOOKS = [(320, "ja"), (320, "en"), (1280, "ja")]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as chromium:
        yield chromium


@pytest.fixture
async def lived_in(
    tmp_path: Path, clock: FakeClock, chain: EcoChain, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Town, dict[str, str]]]:
    """A town with something on every page, and the ids by which paths name it."""
    kind = DATABASES[LOOKS.index(request.param) % len(DATABASES)]
    async with open_town(tmp_path, clock, chain, kind) as town:
        yield town, await live_a_year(town)


async def live_a_year(town: Town) -> dict[str, str]:
    books = Books(town.chain)
    plants = books.plants(2)
    period, rule = books.settled((FIRST, LAST)), books.rule()
    books.paid(period, rule)
    books.correct(plants[0], sold=150_000)
    application = books.certified(period, last=1)
    await town.copied()
    return {"period": period, "rule": rule, "application": application, "plant": plants[0]}


PAGES = {
    "": ("/", "/sign-in", "/register"),
    OFFICER_MAIL: (
        "/periods", "/periods/open", "/periods/{period}", "/periods/{period}/devices", "/periods/{period}/corrections",
        "/periods/{period}/grants/{rule}", "/periods/{period}/export",
        "/rules", "/rules/new", "/rules/{rule}", "/credits", "/credits/apply",
        "/credits/{application}", "/story/period:{period}",
    ),
    VERIFIER_MAIL: (
        "/periods/{period}/sample", "/periods/{period}/evidence/member-0", "/periods/{period}/readings/{plant}/2024-06",
    ),
    ADMIN_MAIL: ("/accounts", "/accounts/new", "/access-log"),
}  # fmt: skip
"""Who looks at what; what is in braces comes from `live_a_year`."""


async def sign_in(page: Page, town: Town, email: str, language: str = "ja") -> None:
    await page.goto(f"{town.running.base}/sign-in?lang={language}")
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").click()
    await expect(page.get_by_role("status")).to_be_attached()


@pytest.mark.function("X2")
@pytest.mark.parametrize(("look", "lived_in"), [(look, look) for look in LOOKS], indirect=["lived_in"])
async def test_every_page_keeps_the_rules(
    browser: Browser, lived_in: tuple[Town, dict[str, str]], look: tuple[int, str]
) -> None:
    town, ids = lived_in
    width, language = look
    for email, paths in PAGES.items():
        async with open_page(browser, width, language=language) as page:
            if email:
                await sign_in(page, town, email, language)
            for path in (path.format_map(ids) for path in paths):
                answer = await page.goto(town.running.base + path + ("" if email else f"?lang={language}"))
                assert answer is not None and answer.status == 200, path
                assert len(await answer.body()) < 60_000, path
                if SHOTS:
                    name = path.strip("/").replace("/", "-").replace(":", "-") or "home"
                    await page.screenshot(path=f"{SHOTS}/{width}-{language}-{email[:5]}-{name}.png", full_page=True)
                assert await faults_of(page) == [], path
