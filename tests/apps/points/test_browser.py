"""Points in Chromium: the whole story without JavaScript on a phone, and every page by axe-core in both languages."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from apps.common.tables import User
from contracts.points import commitment
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import DATABASES, PASSWORD
from tests.apps.common.screen import faults_of, open_chromium, open_page
from tests.apps.ecopoints.chain import EcoChain
from tests.apps.ecopoints.town import MEMBER_MAIL, OFFICER_MAIL, SECOND_MAIL, SHOP_MAIL
from tests.apps.points.high_street import UNOPENED_MAIL, HighStreet, open_high_street, opened

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("DAICHO_SCREENSHOTS", "")
LOOKS = [(320, "en"), (1280, "ja")]
CODES = [letter * 16 for letter in "ABCDEF"]

PAGES = {
    MEMBER_MAIL: (
        "/points", "/points/history", "/points/pay", "/points/payments", "{open}", "{open}/cancel", "{paid}",
        "/points/rewards", "{reward}/redeem", "/points/redemptions", "{order}", "{order}/cancel",
        "/story/account:member-0",
    ),
    SHOP_MAIL: (
        "/points/till", "/points/take", "/points/take/{waiting}", "/points/take/{used}", "{paid}", "{paid}/refund",
        "/points/statements", "/points/statements/new", "{burnt}",
    ),
    OFFICER_MAIL: (
        "/points/statements", "{closed}", "{closed}/approve", "{closed}/reject", "{approved}/burn", "{burnt}",
        "{burnt}/pay", "/points/rewards", "/points/rewards/new", "{reward}/edit", "{reward}/stock",
        "/points/redemptions", "/points/fetch", "/points/fetch/{fetch}", "/points/shops",
        "/points/shops/{shop}/close", "/points/shops/{unopened}/open", "/points/totals",
    ),
    SECOND_MAIL: ("{burnt}/pay",),
}  # fmt: skip
"""Who looks at what; what is in braces comes from `live_a_week`."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as chromium:
        yield chromium


async def sign_in(page: Page, street: HighStreet, email: str, language: str = "ja") -> None:
    await page.goto(f"{street.running.base}/sign-in?lang={language}")
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").click()
    await expect(page.get_by_role("status")).to_be_attached()


async def press(street: HighStreet, page: Page, name: str) -> None:
    """Follow a link or press a button of the page's main part, once the copy shows what has happened."""
    await street.copied()
    await page.locator("main").get_by_role("link", name=name).or_(
        page.locator("main").get_by_role("button", name=name)
    ).first.click()  # fmt: skip


async def live_a_week(street: HighStreet) -> dict[str, str]:
    """Something on every page: payments, statements in each state, rewards and an order; their paths."""
    books = street.books
    found: dict[str, str] = {"waiting": CODES[5], "used": CODES[0]}
    for number, state in enumerate(("burnt", "approved", "closed", "paid")):
        books.app("open_payment", account="member-0", points=20 + number, commitment=commitment(CODES[number]))
        payment = books.app("confirm_payment", code=CODES[number], shop="shop-1")["payment"]
        found["paid"] = f"/points/payments/{payment}"
        if state == "paid":
            books.app("refund_payment", payment=payment, shop="shop-1", points=1)
            continue
        statement = str(books.app("close_statement", shop="shop-1")["statement"])
        found[state] = f"/points/statements/{statement}"
        if state != "closed":
            books.officer("approve_statement", statement=statement)
        if state == "burnt":
            books.officer("burn_statement", statement=statement)
    books.app("open_payment", account="member-0", points=5, commitment=commitment(CODES[5]))
    async with street.as_(MEMBER_MAIL) as member:
        await opened(member, 6)
        found["open"] = urlsplit(member.page.url).path
    names = {"name_ja": "市民まつり入場券", "name_en": "Festival ticket"}
    reward = books.officer("register_reward", **names, points=50, stock=9)["reward"]
    order = books.app(
        "redeem_reward", account="member-0", reward=reward, commitment=commitment(CODES[4])
    )["redemption"]  # fmt: skip
    found |= {
        "reward": f"/points/rewards/{reward}", "fetch": CODES[4],
        "order": f"/points/redemptions/{order}",
    }  # fmt: skip
    mails = {SHOP_MAIL: "shop", UNOPENED_MAIL: "unopened"}
    for email, name in mails.items():
        query = select(User.id).where(User.email == email)
        found[name] = str(street.kit.database.read_now(lambda session: session.scalar(query)))  # noqa: B023
    await street.copied()
    return found


@pytest.mark.function("X2")
@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_of_points_keeps_the_rules(
    tmp_path: Path, clock: FakeClock, chain: EcoChain, browser: Browser, look: tuple[int, str]
) -> None:
    width, language = look
    kind = DATABASES[LOOKS.index(look) % len(DATABASES)]
    async with open_high_street(tmp_path, clock, chain, kind) as street:
        ids = await live_a_week(street)
        for email, paths in PAGES.items():
            async with open_page(browser, width, language=language) as page:
                await sign_in(page, street, email, language)
                for path in (path.format_map(ids) for path in paths):
                    answer = await page.goto(street.running.base + path)
                    assert answer is not None and answer.status == 200, path
                    assert len(await answer.body()) < 60_000, path
                    if SHOTS:
                        name = re.sub(r"[^a-z0-9]+", "-", path.strip("/").lower())[:50]
                        await page.screenshot(path=f"{SHOTS}/{width}-{language}-{email[:8]}-{name}.png", full_page=True)
                    assert await faults_of(page) == [], path


@pytest.mark.function("X2", "E7a", "E7b", "E7c", "V7d", "V7e")
async def test_points_go_from_a_resident_to_a_shop_and_to_money_without_javascript(
    tmp_path: Path, clock: FakeClock, chain: EcoChain, browser: Browser
) -> None:
    async with AsyncExitStack() as stack:
        street = await stack.enter_async_context(open_high_street(tmp_path, clock, chain, "sqlite"))
        people = {}
        for email in (MEMBER_MAIL, SHOP_MAIL, OFFICER_MAIL, SECOND_MAIL):
            page = await stack.enter_async_context(open_page(browser, 320, javascript=False))
            await sign_in(page, street, email)
            people[email] = page
        member, shop, first, second = people.values()
        # Pay, and take it by the code that is shown.
        await member.goto(f"{street.running.base}/points")
        await press(street, member, "支払う")
        await member.locator("#points").fill("120")
        await press(street, member, "確認")
        await press(street, member, "支払コードを発行する")
        await expect(member.locator("svg.qr")).to_be_visible()
        code = await member.locator(".code").first.inner_text()
        await shop.goto(f"{street.running.base}/points/till")
        await press(street, shop, "支払を受ける")
        await shop.locator("#code").fill(code)
        await press(street, shop, "内容を見る")
        await press(street, shop, "このポイントを受け取る")
        await expect(shop.get_by_text("120 ポイントを受け取りました")).to_be_visible()
        await street.copied()
        await member.reload()
        await expect(member.get_by_text("お店が確認しました")).to_be_visible()
        # Give a part back.
        await press(street, shop, "払い戻す")
        await shop.locator("#points").fill("20")
        await press(street, shop, "確認")
        await press(street, shop, "払い戻す")
        await expect(shop.get_by_text("20 ポイントを払い戻しました")).to_be_visible()
        # To money, by two officers.
        await shop.goto(f"{street.running.base}/points/statements/new")
        await shop.locator("#sure").check()
        await press(street, shop, "精算に出す")
        statement = shop.url
        for officer, link, button in (
            (first, "承認する", "承認する"),
            (first, "消却する", "消却する"),
            (second, "振込を記録する", "記録する"),
        ):
            await street.copied()
            await officer.goto(statement)
            await press(street, officer, link)
            await officer.locator("#sure").check()
            await press(street, officer, button)
        await expect(second.get_by_text("振込が記録されました")).to_be_visible()
    totals = street.books.ask("points_totals", municipality="132012")
    assert (totals["cashed_out"], totals["shops"], totals["locked"]) == (100, 0, 0)
