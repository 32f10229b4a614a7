"""管理, 到着, 在庫 on the pages: shelters, items, files, totals, stock (D7, D10, D13e, D13f)."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.donations.arrivals import shares
from apps.donations.lists import Total
from apps.donations.tables import Contact
from tests.apps.common.harness import Browser
from tests.apps.donations.relief import ADMIN, FOREIGN_OFFICER, OFFICER, STAFF, STAFF_2, SUPPORTER, Relief


async def table(browser: Browser, path: str) -> list[list[str]]:
    async with browser._session.get(browser.base.rstrip("/") + path) as response:
        assert response.status == 200, path
        data = await response.read()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def as_csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode("utf-8-sig")


@pytest.mark.function("D10a", "D11a")
async def test_an_administrator_registers_and_changes_a_shelter_and_contacts_stay_here(relief: Relief) -> None:
    async with relief.as_(ADMIN) as admin, relief.as_() as visitor:
        await admin.get("/shelters/new")
        filled = {
            "shelter": "hachioji-09", "name_ja": "第九小学校", "name_en": "Ninth School", "address": "元横山町 9",
            "person": "鈴木 一郎", "email": "ichiro@example.jp", "phone": "042-999-0009",
        }  # fmt: skip
        await admin.send(filled)
        await admin.send({"step": "confirm"})
        assert admin.page.url.endswith("/shelters/hachioji-09") and "鈴木 一郎" in admin.page.main
        row = relief.row("shelter", shelter="hachioji-09")
        assert row["staff"] == ["staff.132012"] and len(str(row["contact"])) == 64
        await visitor.get("/shelters/hachioji-09")
        assert "第九小学校" in visitor.page.main
        assert not any(value in visitor.page.text for value in ("鈴木", "ichiro", "042-999", "元横山町 9"))
        await admin.get("/shelters/hachioji-09/edit")
        assert admin.page.inputs["person"] == ["鈴木 一郎"]
        await admin.send({"name_en": "Ninth Primary School"})
        await admin.send({"step": "confirm"})
        assert relief.row("shelter", shelter="hachioji-09")["name_en"] == "Ninth Primary School"
        await admin.get("/shelters/tachikawa-01/edit")
        assert admin.page.status == 403, "not another municipality's"


@pytest.mark.function("D11c")
async def test_staff_of_a_new_shelter_act_for_it_through_the_municipalitys_account(relief: Relief) -> None:
    async with relief.as_(ADMIN) as admin:
        await admin.get("/shelters/new")
        await admin.send({"shelter": "hachioji-09", "name_ja": "第九小学校", "name_en": "Ninth School"})
        await admin.send({"step": "confirm"})
        await admin.get("/accounts")
        await admin.get("/accounts/new")
        await admin.send({"name": "新担当", "email": "new@example.jp", "roles": "shelter", "place": "hachioji-09"})
        await admin.send({"step": "confirm"})
        (mail,) = relief.mails("welcome")
        link = mail.body.split("http://127.0.0.1")[1].split()[0]
    async with relief.as_() as new:
        await new.get(link)
        await new.send({"password": "a new long password"})
        await new.sign_in("new@example.jp", "a new long password")
        await relief.need(new, quantity=3)
        await new.get("/needs?shelter=hachioji-09")
        assert "3枚" in new.page.main


@pytest.mark.function("D10b")
async def test_items_are_kept_by_the_municipality_that_registered_them(relief: Relief) -> None:
    async with relief.as_(ADMIN) as admin:
        await admin.get("/items/new")
        await admin.send(
            {"item": "sleeping-bag", "name_ja": "寝袋", "name_en": "Sleeping bag", "category": "bedding",
             "unit_ja": "個", "sizes": "大人、子ども"}
        )  # fmt: skip
        await admin.send({"step": "confirm"})
        assert "寝袋" in admin.page.main and "大人、子ども" in admin.page.main
        await admin.get("/items/sleeping-bag/edit")
        fields = {k: v for k, v in admin.page.inputs.items() if k != "in_use"}
        await admin.post(admin.page.url, fields)
        await admin.send({"step": "confirm"})
        assert "使用停止" in admin.page.main


@pytest.mark.function("D10c")
async def test_a_full_shelter_takes_no_new_pledges_and_says_so(relief: Relief) -> None:
    async with relief.as_(OFFICER) as officer, relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff)
        await officer.get("/shelters/hachioji-01/status")
        await officer.send({"status": "full"})
        await officer.send({"step": "confirm"})
        await supporter.get(f"/needs/{need}")
        assert "置き場がない" in supporter.page.main
        await supporter.get(f"/needs/{need}/pledge")
        await supporter.send({"quantity": "1"})
        await supporter.send({"step": "confirm"})
        assert supporter.page.status == 409


@pytest.mark.function("D10d")
async def test_shelters_go_out_and_come_in_again_and_only_what_differs_is_written(relief: Relief) -> None:
    async with relief.as_(ADMIN) as admin:
        rows = await table(admin, "/shelters.csv")
        assert {row[-1] for row in rows[1:]} == {"hachioji-01", "hachioji-02"}
        assert any("山田 花子" in row for row in rows)
        rows[1][rows[0].index("名称(英語)")] = "First Primary School"
        rows.append(["第十小学校", "Tenth School", "", "", "", "", "hachioji-10"])
        await admin.get("/shelters/import")
        await admin.send(files={"table": ("s.csv", as_csv(rows))})
        assert "2 件を登録しました" in admin.page.main or "3 件を登録しました" in admin.page.main
        await admin.get("/shelters/hachioji-10")
        assert admin.page.status == 200 and "第十小学校" in admin.page.main
        assert relief.row("shelter", shelter="hachioji-01")["name_en"] == "First Primary School"
        kept = relief.kit.database.read_now(lambda s: s.get_one(Contact, "hachioji-01"))
        assert kept.person == "山田 花子"
        rows = await table(admin, "/shelters.csv")
        await admin.get("/shelters/import")
        await admin.send(files={"table": ("s.csv", as_csv(rows))})
        assert "0 件を登録しました" in admin.page.main


@pytest.mark.function("D10d")
async def test_every_wrong_row_of_a_file_is_named_and_nothing_is_read_in(relief: Relief) -> None:
    before = len(relief.chain.blocks)
    async with relief.as_(ADMIN) as admin:
        rows = await table(admin, "/items.csv")
        heading = rows[0]
        bad = [
            ["", "No name", "food", "個", "", "はい", "はい", "no-name"],
            ["米", "Rice", "Food!", "袋", "", "たぶん", "はい", "rice"],
        ]
        await admin.get("/items/import")
        await admin.send(files={"table": ("i.csv", as_csv([heading, *bad]))})
        assert admin.page.status == 422 and "3 か所に誤り" in admin.page.main
        assert "品名(日本語)" in admin.page.main and "はい」か「いいえ" in admin.page.main
        await admin.get("/shelters/import")
        foreign = [["名称(日本語)", "名称(英語)", "避難所ID"], ["乗っ取り", "Taken", "tachikawa-01"]]
        await admin.send(files={"table": ("s.csv", as_csv(foreign))})
        assert admin.page.status == 422 and "他の市町村が登録したものです" in admin.page.main
        await admin.get("/items/import")
        await admin.send(files={"table": ("i.bin", b"\x00\x01\x02")})
        assert admin.page.status == 422 and "表として読めません" in admin.page.main
    assert len(relief.chain.blocks) == before


@pytest.mark.function("D7a", "D7b")
async def test_arrivals_and_needs_are_listed_and_exported_for_the_municipality(relief: Relief) -> None:
    need, request, codes = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF) as staff, relief.as_(OFFICER) as officer, relief.as_(FOREIGN_OFFICER) as foreign:
        await relief.receive(staff, codes[0], {"quantity": "19", "reason": "damaged"})
        for browser in (staff, officer):
            await browser.get("/arrivals")
            assert "19枚" in browser.page.main and "破損" in browser.page.main
        await foreign.get("/arrivals")
        assert "まだ届いた物資はありません" in foreign.page.main
        heading, row = await table(officer, "/arrivals.csv")
        cells = dict(zip(heading, row, strict=True))
        assert (cells["品目"], cells["送付数"], cells["受領数"], cells["差の理由"]) == ("毛布", "20", "19", "破損")
        assert cells["依頼番号"] == request
        heading, row = await table(officer, "/needs.csv?shelter=hachioji-01")
        cells = dict(zip(heading, row, strict=True))
        assert (cells["必要数"], cells["到着"], cells["発送済み"], cells["不足"]) == ("40", "19", "20", "1")
        assert len(await table(foreign, "/needs.csv")) == 1
        await officer.get(f"/needs/{need}")


@pytest.mark.function("D7b")
async def test_the_situation_shows_shares_by_item_and_shelter_and_the_oldest_first(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(OFFICER) as officer:
        later_need = await relief.need(staff, quantity=10)
        older = await relief.need(staff, goods="diaper/S", quantity=30, occurred="2027-01-14 08:00")
        await officer.get("/situation")
        assert officer.page.text.index(older) < officer.page.text.index(later_need)
        assert "品目ごとの充足率" in officer.page.main and 'class="bars"' in officer.page.text
        assert 'aria-label="乳児用おむつ(S): ' in officer.page.text


@given(st.tuples(*[st.integers(0, 10_000)] * 5))
def test_shares_add_up_to_a_hundred(parts: tuple[int, ...]) -> None:
    open_, pledged, requested, shipped, arrived = parts
    found = shares(Total("x", sum(parts), open_, pledged, requested, shipped, arrived))
    assert sum(found) == (100 if sum(parts) else 0) and min(found) >= 0


@pytest.mark.function("D13e", "D13f")
async def test_stock_is_taken_shown_low_near_its_date_and_transferred(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(OFFICER) as officer, relief.as_(STAFF_2) as other:
        await staff.get("/stock/take")
        await staff.send({"goods": "water-2l/", "quantity": "48", "minimum": "100", "expires": "2027-01-25"})
        await staff.send({"step": "confirm"})
        assert "48本" in staff.page.main and "不足" in staff.page.main
        await officer.get("/stock?show=below")
        assert "48本" in officer.page.main
        await officer.get("/stock?show=near")
        assert "48本" in officer.page.main
        await officer.get("/stock/transfer")
        await officer.send({"source": "hachioji-01", "target": "hachioji-02", "goods": "water-2l/", "quantity": "60"})
        assert officer.page.status == 422 and "移動元の在庫は 48" in officer.page.main
        await officer.send({"quantity": "8"})
        await officer.send({"step": "confirm"})
        await other.get("/stock")
        assert "8本" in other.page.main
        rows = await table(officer, "/stock.csv")
        assert {(row[0], row[3]) for row in rows[1:]} == {("第一小学校体育館", "40"), ("第六中学校体育館", "8")}


async def test_received_boxes_are_in_stock(relief: Relief) -> None:
    _, _, codes = await relief.shipped_boxes(40, 2)
    async with relief.as_(STAFF) as staff:
        await relief.receive(staff, codes[0])
        await staff.get("/stock")
        assert "20枚" in staff.page.main
