"""The volunteers' application in Chromium: each page on a phone and on a desk, in both languages, by axe-core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES, PASSWORD
from tests.apps.common.screen import faults_of, open_chromium, open_page
from tests.apps.volunteers.chain import CorpsChain
from tests.apps.volunteers.corps import DAY, HANA, HOME, HOUR, KEN, OFFICER_MAIL, Corps, open_corps
from tests.apps.volunteers.handling.steps import APP, OFFICER, begun, published, reported, rule

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("DAICHO_SCREENSHOTS", "")
LOOKS = [(320, "ja"), (320, "en"), (1280, "ja")]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as chromium:
        yield chromium


@pytest.fixture
async def lived_in(
    tmp_path: Path, clock: FakeClock, chain: CorpsChain, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Corps, dict[str, str]]]:
    """A town with something on every page, and the ids by which paths name it."""
    kind = DATABASES[LOOKS.index(request.param) % len(DATABASES)]
    async with open_corps(tmp_path, clock, chain, kind) as corps:
        yield corps, await live_some_days(corps)


async def live_some_days(corps: Corps) -> dict[str, str]:
    home = corps.requester(HOME)
    hana, ken = corps.volunteer(HANA, "vietnamese", "gardening"), corps.volunteer(KEN, "computers")
    found = {"hana": hana, "certificate": str(corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"])}
    found["rule"] = rule(corps, daily_cap=150, yearly_cap=5_000)
    approved = reported(corps, home, hana)
    corps.act(OFFICER, "approve_report", activity=approved)
    found["approved"], found["reported"] = approved, reported(corps, home, ken)
    found["begun"] = begun(corps, hana, home)
    found["posting"] = published(corps, home, starts_in=DAY)
    for volunteer in (hana, ken):
        corps.act(APP, "apply", posting=found["posting"], volunteer=volunteer)
    start = corps.clock() + 3 * DAY
    times = {"starts_ms": start, "ends_ms": start + HOUR, "kind": "lightbulb", "place": "north", "requester": home}
    found["asked"] = str(corps.act(APP, "ask_for_posting", **times, withdraw_until_ms=start)["posting"])
    found["ask"] = str(corps.act(APP, "ask_volunteer", **times, volunteer=ken)["ask"])
    found["passed"] = str(corps.act(APP, "ask_volunteer", **times, volunteer=ken)["ask"])
    corps.act(OFFICER, "forward_ask", ask=found["passed"])
    found["free"] = published(corps, home, starts_in=2 * DAY)
    await corps.copied()
    return found


PAGES = {
    "": ("/", "/activities", "/activities/{posting}", "/p/never-shown-code"),
    HANA: ("/me", "/me/show", "/activities/{free}/apply", "/points"),
    KEN: ("/me/requests/{passed}/consent",),
    HOME: (
        "/help", "/help/new", "/volunteers", "/volunteers/{hana}", "/volunteers/{hana}/ask", "/requests",
        "/requests/{ask}", "/manage/{posting}", "/manage/{posting}/cancel", "/work/{begun}", "/work/{begun}/end",
    ),
    OFFICER_MAIL: (
        "/office/postings", "/office/postings?state=published", "/office/postings/new", "/manage/{asked}",
        "/manage/{asked}/publish", "/manage/{posting}", "/manage/{posting}/{hana}/decline", "/requests/{ask}",
        "/office/reports", "/work/{reported}", "/work/{reported}/approve",
        "/work/{approved}", "/rules", "/rules/new", "/rules/{rule}/end", "/office/volunteers?state=registered",
        "/office/volunteers/{hana}", "/office/certificates/{certificate}/suspend",
        "/story/activity:{approved}",
    ),
}  # fmt: skip
"""Who looks at what; what is in braces comes from `live_some_days`."""


async def sign_in(page: Page, corps: Corps, email: str, language: str = "ja") -> None:
    await page.goto(f"{corps.running.base}/sign-in?lang={language}")
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").click()
    await expect(page.get_by_role("status")).to_be_attached()


@pytest.mark.function("X2")
@pytest.mark.parametrize(("look", "lived_in"), [(look, look) for look in LOOKS], indirect=["lived_in"])
async def test_every_page_keeps_the_rules(
    browser: Browser, lived_in: tuple[Corps, dict[str, str]], look: tuple[int, str]
) -> None:
    corps, ids = lived_in
    width, language = look
    for email, paths in PAGES.items():
        async with open_page(browser, width, language=language) as page:
            if email:
                await sign_in(page, corps, email, language)
            for path in (path.format_map(ids) for path in paths):
                sign = "&" if "?" in path else "?"
                answer = await page.goto(corps.running.base + path + ("" if email else f"{sign}lang={language}"))
                assert answer is not None and answer.status == 200, path
                assert len(await answer.body()) < 60_000, path
                if SHOTS:
                    name = path.strip("/").replace("/", "-").replace(":", "-").replace("?", "-") or "home"
                    await page.screenshot(path=f"{SHOTS}/{width}-{language}-{email[:4]}-{name}.png", full_page=True)
                assert await faults_of(page) == [], path


@pytest.mark.function("V5c", "V6a", "V6b", "X2")
async def test_the_end_of_work_is_confirmed_reported_and_approved_without_javascript(
    tmp_path: Path, clock: FakeClock, chain: CorpsChain, browser: Browser
) -> None:
    async with open_corps(tmp_path, clock, chain, "sqlite") as corps:
        home_id, hana = corps.requester(HOME), corps.volunteer(HANA)
        rule(corps)
        activity = begun(corps, hana, home_id)
        clock.forward(2 * HOUR)
        await corps.copied()
        async with open_page(browser, 320, javascript=False) as home:
            await sign_in(home, corps, HOME)
            await home.get_by_role("link", name="お願いの管理").click()
            await home.get_by_role("link", name="終了を確認する").click()
            await home.locator("main button").click()
            await home.get_by_role("button", name="終了を記録する").click()
            await home.get_by_role("link", name="活動を報告する").click()
            await home.get_by_label("問題なく終わった").check()
            await home.locator("main button").click()
            await home.get_by_role("button", name="報告する").click()
            await expect(home.locator("main")).to_contain_text("承認待ち")
        await corps.copied()
        async with open_page(browser, 320, javascript=False) as officer:
            await sign_in(officer, corps, OFFICER_MAIL)
            await officer.goto(f"{corps.running.base}/office/reports")
            await officer.get_by_role("link", name="花壇・公園の手入れ").click()
            await officer.get_by_role("link", name="承認する", exact=True).click()
            await officer.locator("main button").click()
            await officer.get_by_role("button", name="承認してポイントを付与する").click()
            await expect(officer.locator("main")).to_contain_text("承認済み")
        assert corps.row("activity", activity=activity)["points"] == 200
