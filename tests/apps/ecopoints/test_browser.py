"""The eco-point application in Chromium: every page at a phone's and a desk's width, in both languages, by axe-core."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from apps.common import qr
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES, PASSWORD
from tests.apps.common.screen import faults_of, open_chromium, open_page
from tests.apps.ecopoints.books.year import FIRST, LAST, Books
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.people.folk import PERSON, Folk, confirm
from tests.apps.ecopoints.people.test_quarantine_pages import MONTH, lying_plant
from tests.apps.ecopoints.town import (
    ADMIN_MAIL,
    MEMBER_MAIL,
    OFFICER_MAIL,
    RIVAL_MAIL,
    VERIFIER_MAIL,
    Town,
    open_town,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
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
    ids = {"period": period, "rule": rule, "application": application, "plant": plants[0]}
    return ids | await live_as_members(town)


async def live_as_members(town: Town) -> dict[str, str]:
    """A member with a plant that lies and a car whose values are typed, a document and a file; another has applied."""
    folk = Folk(town)
    device = await lying_plant(folk)
    member = folk.pseudonym()
    car = await folk.device(member, "car", km_per_kwh_x10="60")
    for month, distance in (("2026-09", 812_000), ("2026-10", 640_500), ("2026-12", 705_000)):
        Books(town.chain).app("enter_value", device=car, month=month, channel="distance", value=distance)
    async with town.as_(MEMBER_MAIL) as owner, town.as_(RIVAL_MAIL) as rival:
        document = await folk.document(owner, member, qr.png("receipt"), device=car)
        await owner.get(f"/members/{member}/upload")
        table = "機器,月,項目,量(kWh・km・L)\n通勤の車 (電気自動車),2026-11,走行距離,700\n"
        page = await owner.send({"what": "months"}, files={"table": ("値.csv", table.encode())})
        upload = page.url.rsplit("/", 1)[1]
        await owner.get(f"/devices/{car}/enter-car")
        await confirm(owner, {"month": "2026-08", "distance": "512.3", "charged": "90", "evidence": document})
        await rival.get("/join")
        await confirm(rival, PERSON | {"name": "山田 太郎"})
    return {
        "member": member, "device": device, "car": car, "document": document, "upload": upload, "month": MONTH,
        "rival": folk.pseudonym(RIVAL_MAIL),
    }  # fmt: skip


PAGES = {
    "": ("/", "/sign-in", "/register"),
    MEMBER_MAIL: (
        "/mine", "/mine/leave", "/members/{member}/entries", "/members/{member}/documents/new",
        "/members/{member}/upload", "/uploads/{upload}", "/devices/{car}", "/devices/{car}/enter-car",
    ),
    RIVAL_MAIL: ("/mine", "/join"),
    OFFICER_MAIL: (
        "/members", "/members/new", "/members/{member}", "/members/{member}/edit", "/members/{member}/remove",
        "/members/{member}/devices/solar", "/members/{member}/devices/car", "/members/{member}/devices/generator",
        "/applications", "/applications/{rival}/accept", "/applications/{rival}/return", "/devices",
        "/devices/{device}",
        "/devices/{device}/key", "/devices/{device}/retire", "/documents", "/documents/{document}",
        "/documents/{document}/delete", "/quarantine", "/quarantine/{device}/{month}",
        "/quarantine/{device}/{month}/review", "/totals",
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


@pytest.mark.function("E3b", "E9a", "X2")
async def test_a_member_joins_and_enters_a_month_without_javascript(
    browser: Browser, tmp_path: Path, clock: FakeClock, chain: EcoChain
) -> None:
    async with (
        open_town(tmp_path, clock, chain, DATABASES[-1]) as town,
        open_page(browser, 320, javascript=False) as page,
    ):
        folk = Folk(town)
        await sign_in(page, town, MEMBER_MAIL)
        await page.goto(f"{town.running.base}/mine")
        await page.locator("main .buttons a").click()
        await page.locator("#municipality").select_option("132012")
        await page.locator("input[name=kind][value=household]").check()
        await page.locator("#address").fill("元本郷町三丁目24番1号")
        await page.locator("#agreed").check()
        await page.locator("main form .buttons button").first.click()
        await expect(page.locator("main")).to_contain_text("元本郷町三丁目24番1号")
        await page.locator("main form .buttons button").first.click()
        await expect(page.locator("main")).to_contain_text("八王子市の確認をお待ちください")
        member = folk.pseudonym()
        async with town.as_(OFFICER_MAIL) as officer:
            await officer.get(f"/applications/{member}/accept")
            await officer.send({"sure": "1"})
        await folk.device(member)
        await town.copied()
        await page.goto(f"{town.running.base}/mine")
        await page.get_by_role("link", name="屋根").last.click()
        await page.get_by_role("link", name="値を入力").click()
        await page.locator("#month").select_option("2026-12")
        await page.locator("#generated").fill("310.5")
        await page.locator("#sold").fill("0")
        await page.locator("main form .buttons button").first.click()
        await page.locator("main form .buttons button").first.click()
        await expect(page.locator("main")).to_contain_text("値を 2 件記録しました")
        await town.copied()
        await page.goto(f"{town.running.base}/mine")
        await expect(page.locator("main figure svg").first).to_be_visible()
        await expect(page.locator("main")).to_contain_text("130.7 kg")
