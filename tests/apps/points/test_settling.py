"""Settlement: closed, approved, burnt, paid by two officers; shops and totals of the municipality (E7b, E4d, V7e)."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import pytest

from contracts.points import commitment
from tests.apps.common.harness import Browser
from tests.apps.ecopoints.town import (
    ADMIN_MAIL,
    FOREIGN_MAIL,
    OFFICER_MAIL,
    SECOND_MAIL,
    SHOP_MAIL,
)
from tests.apps.points.high_street import BALANCE, FOREIGN_SHOP_MAIL, OTHER_SHOP_MAIL, HighStreet


def pay(street: HighStreet, points: int, number: int, shop: str = "shop-1") -> str:
    """A payment, beside the pages."""
    code = f"ABCDEFGHIJKLMN{number:02d}"
    street.books.app("open_payment", account="member-0", points=points, commitment=commitment(code))
    return str(street.books.app("confirm_payment", code=code, shop=shop)["payment"])


async def close(shop: Browser) -> str:
    await shop.get("/points/statements/new")
    page = await shop.send({"sure": "1"})
    assert page.status == 200 and "/points/statements/statement-" in page.url
    return page.url


async def step(officer: Browser, statement: str, what: str) -> int:
    page = await officer.get(f"{statement}/{what}")
    return page.status if page.status != 200 else (await officer.send({"sure": "1"})).status


@pytest.mark.function("E7b", "E4d", "V7e")
async def test_a_statement_is_closed_approved_burnt_and_paid_by_another_officer(street: HighStreet) -> None:
    payment = pay(street, 100, 1)
    pay(street, 20, 2)
    street.books.app("refund_payment", payment=payment, shop="shop-1", points=30)
    async with (
        street.as_(SHOP_MAIL) as shop,
        street.as_(OFFICER_MAIL) as first,
        street.as_(SECOND_MAIL) as second,
    ):
        assert "90" in (await shop.get("/points/statements/new")).main
        statement = await close(shop)
        assert "承認待ち" in shop.page.main and "−30" in shop.page.main
        assert await step(first, statement, "burn") == 404, "not before it is approved"
        assert await step(first, statement, "approve") == 200
        assert await step(first, statement, "approve") == 404, "not twice"
        assert await step(first, statement, "burn") == 200
        assert await step(first, statement, "burn") == 404, "burnt once"
        told = await first.get(statement)
        assert "あなたが承認しました" in told.main and f"{statement.rsplit('/', 1)[1]}/pay" not in told.text
        refused = await first.get(f"{statement}/pay")
        assert "別の職員が記録してください" in refused.main and 'name="sure"' not in refused.text
        token = (await first.get("/points/rewards/new")).inputs["form_token"]
        tried = await first.post(f"{statement}/pay", {"form_token": token, "sure": "1", "form_key": "x"})
        assert tried.status == 422
        assert await step(second, statement, "pay") == 200
        page = await shop.get(statement)
        assert "振込済み" in page.main and "officer1" in page.main and "officer2" in page.main
        story = await shop.get("/story/statement:" + statement.rsplit("/", 1)[1])
        assert "消却しました" in story.main
    totals = street.books.ask("points_totals", municipality="132012")
    assert (totals["cashed_out"], totals["locked"], totals["shops"]) == (90, 0, 0)


def text_of(pdf: bytes, folder: Path) -> str:
    file = folder / "statement.pdf"
    file.write_bytes(pdf)
    return subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True).stdout.decode()


@pytest.mark.function("E7b")
async def test_a_statement_holds_the_lines_since_the_one_before_and_prints_them(
    street: HighStreet, tmp_path: Path
) -> None:
    async with street.as_(SHOP_MAIL) as shop, street.as_(OFFICER_MAIL) as officer:
        pay(street, 40, 1)
        pay(street, 7, 9, shop="shop-2")
        await street.copied()
        await close(shop)
        pay(street, 50, 2)
        pay(street, 5, 3)
        await street.copied()
        second = await close(shop)
        assert "+50" in shop.page.main and "+5 " in shop.page.main and "+40" not in shop.page.main
        data = (await shop.get(second + "/lines.csv")).data
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
        assert [row[2] for row in rows[1:]] == ["50", "5"]
        text = text_of((await officer.get(second + "/statement.pdf")).data, tmp_path)
        assert "精算書" in text and "55" in text and "テスト shop" in text


@pytest.mark.function("E7b")
async def test_what_was_sent_back_is_in_the_next_statement(street: HighStreet) -> None:
    async with street.as_(SHOP_MAIL) as shop, street.as_(OFFICER_MAIL) as officer:
        pay(street, 40, 1)
        await street.copied()
        first = await close(shop)
        assert await step(officer, first, "reject") == 200
        pay(street, 2, 2)
        await street.copied()
        page = await shop.get(await close(shop))
        assert "42 ポイント" in page.main and "+40" in page.main and "+2" in page.main
        assert "差戻し" in (await officer.get("/points/statements?state=rejected")).main


@pytest.mark.function("E7b", "E9a", "X6")
async def test_a_statement_is_for_its_shop_and_its_municipality(street: HighStreet) -> None:
    pay(street, 40, 1)
    await street.copied()
    async with street.as_(SHOP_MAIL) as shop:
        statement = await close(shop)
    for stranger in (OTHER_SHOP_MAIL, FOREIGN_MAIL):
        async with street.as_(stranger) as browser:
            for path in ("", "/lines.csv", "/statement.pdf", "/approve"):
                assert (await browser.get(statement + path)).status in (403, 404), (stranger, path)
            assert statement.rsplit("/", 1)[1] not in (await browser.get("/points/statements")).text
    async with street.as_(ADMIN_MAIL) as admin:
        assert (await admin.get(statement)).status == 200
        assert (await admin.get(statement + "/approve")).status == 403


@pytest.mark.function("E7a", "E7b", "E9a")
async def test_a_shop_is_opened_and_closed_once_it_is_settled(street: HighStreet) -> None:
    async with street.as_(FOREIGN_MAIL) as officer, street.as_(FOREIGN_SHOP_MAIL) as shop:
        assert "まだ開設されていません" in (await shop.get("/points/till")).main
        assert (await shop.get("/points/statements/new")).status == 404
        await officer.get("/points/shops")
        assert "テスト shop.t" in officer.page.main and "テスト shop2" not in officer.page.main
        link = next(part for part in officer.page.text.split('"') if part.endswith("/open"))
        await officer.get(link)
        assert "開設しました" in (await officer.send()).main
        assert (await officer.get(link)).status == 404
        assert "支払を受ける" in (await shop.get("/points/till")).main
        await officer.get(link.replace("/open", "/close"))
        assert "閉鎖しました" in (await officer.send()).main
        assert "閉鎖されています" in (await shop.get("/points/till")).main
        own = link.split("/")[3]
    pay(street, 40, 1)
    async with street.as_(OFFICER_MAIL) as officer:
        assert (await officer.get(f"/points/shops/{own}/close")).status == 404
        await officer.get("/points/shops")
        link = next(part for part in officer.page.text.split('"') if part.endswith("/close"))
        await officer.get(link)
        refused = await officer.send()
        assert refused.status == 409 and "先に精算してください" in refused.main


@pytest.mark.function("E4d", "E7b")
async def test_the_totals_show_each_point_in_one_place(street: HighStreet) -> None:
    pay(street, 40, 1)
    async with street.as_(ADMIN_MAIL) as admin:
        page = await admin.get("/points/totals")
        assert f"{2 * BALANCE - 40}" in page.main.replace(",", "") and "一致しています" in page.main
    async with street.as_(FOREIGN_MAIL) as foreign:
        assert f"{2 * BALANCE}" not in (await foreign.get("/points/totals")).main.replace(",", "")
