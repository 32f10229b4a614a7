"""Values by hand and as a file, and the evidence for them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, update

from apps.common.sheets import write_csv, write_xlsx
from apps.ecopoints.intake.tables import EcoReading
from apps.ecopoints.people.amounts import read_amount, show_amount
from apps.ecopoints.people.tables import EcoDocument
from contracts.ecopoints.methodology import month_start_ms
from tests.apps.common.harness import Browser, Seen
from tests.apps.ecopoints.people.folk import KEY, PNG, Folk, confirm
from tests.apps.ecopoints.town import FOREIGN_MAIL, MEMBER_MAIL, OFFICER_MAIL, RIVAL_MAIL, VERIFIER_MAIL, Town

HALF_HOUR_MS = 1_800_000
HEADING = ["機器", "月", "項目", "量(kWh・km・L)", "推定"]
ROOF = "屋根 (太陽光発電)"


def month_of(folk: Folk, device: str, month: str) -> dict[str, object]:
    rows = folk.ask("months", device=device)["rows"]
    return next((row["row"] for row in rows if row["month"] == month), {})


async def upload(
    browser: Browser, member: str, rows: list[list[str]], what: str = "months", heading: list[str] = HEADING
) -> Seen:
    await browser.get(f"/members/{member}/upload")
    return await browser.send({"what": what}, files={"table": ("値.csv", write_csv(heading, rows))})


async def press(browser: Browser) -> Seen:
    token = re.search(r'name="form_token" value="([^"]+)"', browser.page.text[browser.page.text.index("<main") :])
    assert token is not None, browser.page.main
    return await browser.post(browser.page.url, {"form_token": token[1]})


def test_amounts_are_read_as_people_type_them_and_kept_exactly() -> None:
    read = {"0": 0, "1,234.5": 1_234_500, "１２.５": 12_500, "0.001": 1}
    assert {typed: read_amount(typed) for typed in read} == read
    assert [read_amount(typed) for typed in ("", "-1", "1.2345", "abc", "1e3")] == [None] * 5
    assert [show_amount(n) for n in (0, 1, 1_234_500, 2_000)] == ["0", "0.001", "1,234.5", "2"]


@pytest.mark.function("E3b", "E1b")
async def test_a_month_is_entered_by_hand_with_its_evidence_and_zero_is_not_blank(town: Town, folk: Folk) -> None:
    member = await folk.join()
    device = await folk.device(member)
    async with town.as_(MEMBER_MAIL) as owner:
        document = await folk.document(owner, member, device=device)
        await owner.get(f"/devices/{device}/enter-solar")
        page = await owner.send({"month": "2026-12", "generated": "", "sold": ""})
        assert page.status == 422 and "値を一つ以上" in page.main
        page = await owner.send({"month": "2026-12", "generated": "100", "sold": "100.5"})
        assert "売電量が発電量を超えています" in page.main and 'id="sold-error"' in page.text
        page = await owner.send({"month": "2026-12", "generated": "x", "sold": ""})
        assert 'id="generated-error"' in page.text
        page = await confirm(owner, {"month": "2026-12", "generated": "310.5", "sold": "0", "evidence": document})
        assert "値を 2 件記録しました" in page.text and "手入力" in page.main and "130.7 kg" in page.main
        row = month_of(folk, device, "2026-12")
        assert row["totals"] == {"generated": 310_500, "sold": 0} and row["manual"] == ["generated", "sold"]
        entered = [
            s.event for s in (await town.kit.chain.history(f"device:{device}"))[0] if s.event.name == "value_entered"
        ]
        assert {e.data["evidence"] for e in entered} == {folk.ask("document", document=document)["hash"]}
        await owner.get(f"/devices/{device}/enter-solar")
        await confirm(owner, {"month": "2026-11", "generated": "200"})
        assert month_of(folk, device, "2026-11")["totals"] == {"generated": 200_000}, "a blank is not a zero"
        assert "必要な値が足りません" in (await owner.get("/mine")).main
        blocks = len(town.chain.blocks)
        await owner.get(f"/devices/{device}/enter-solar")
        page = await confirm(owner, {"month": "2026-12", "generated": "310.5", "sold": "0"})
        assert "何も変わりません" in page.text and len(town.chain.blocks) == blocks
        page = await owner.get(f"/members/{member}/entries")
        assert page.main.count("記録済み") == 3 and "310.5 kWh" in page.main
    async with town.as_(RIVAL_MAIL) as rival, town.as_(FOREIGN_MAIL) as foreign:
        for browser in (rival, foreign):
            assert (await browser.get(f"/devices/{device}/enter-solar")).status == 404
            assert (await browser.get(f"/members/{member}/entries")).status == 404
            assert (await browser.get(f"/members/{member}/upload")).status == 404


@pytest.mark.function("E3b", "E3a")
async def test_what_a_device_measured_or_a_period_closed_is_not_typed_over(town: Town, folk: Folk) -> None:
    member = await folk.join()
    device = await folk.device(member, key=KEY.public_key.hex())
    start = month_start_ms("2027-01") + 12 * 3_600_000
    steps = range(4)
    await folk.send(
        device,
        *(("generated", start + n * HALF_HOUR_MS, 400 * n) for n in steps),
        *(("sold", start + n * HALF_HOUR_MS, 100 * n) for n in steps),
    )
    officer_account = "eco-officer-1.132012"
    period = town.chain.act(
        officer_account, "ecopoints", "open_period", methodology="EN-R-002", first_month="2026-11",
        last_month="2026-11", factor_table="2026-1",
    )["period"]  # fmt: skip
    town.chain.act(officer_account, "ecopoints", "close_period", period=period)
    async with town.as_(MEMBER_MAIL) as owner:
        await owner.get(f"/devices/{device}/enter-solar")
        page = await owner.send({"month": "2027-01", "generated": "5"})
        assert "機器が計測しているため" in page.main and 'id="generated-error"' in page.text
        page = await owner.send({"month": "2026-11", "generated": "5"})
        assert "2026-11 は締め切られています" in page.main and 'id="month-error"' in page.text
        page = await owner.get("/mine")
        assert "計測" in page.main and "0 % (3 / 1,488)" in page.main
        page = await upload(owner, member, [[ROOF, "2027-01", "発電量", "5", ""], [ROOF, "2026-11", "発電量", "5", ""]])
        assert page.status == 422 and "機器が計測しているため" in page.main and "締め切られています" in page.main


@pytest.mark.function("E3b", "X6")
async def test_a_file_is_looked_at_first_and_twice_is_nothing(town: Town, folk: Folk) -> None:
    member = await folk.join()
    device = await folk.device(member)
    good = [
        [ROOF, "2026/10", "発電量", "300", ""], [ROOF, "2026年10月", "売電量", "0", ""],
        [ROOF, "2026-09", "発電量", "", ""], [device, "2026-08", "発電量", "280", "はい"],
    ]  # fmt: skip
    async with town.as_(MEMBER_MAIL) as owner:
        form = await owner.get(f"/members/{member}/upload.csv")
        assert form.status == 200
        wrong = [
            ["知らない機器", "2026-10", "発電量", "1", ""],
            [ROOF, "十月", "発電量", "1", ""],
            [ROOF, "2026-10", "走行距離", "1", ""],
        ]
        page = await upload(owner, member, [*good, *wrong, [ROOF, "2028-01", "発電量", "1", ""]])
        assert page.status == 422 and "誤りが 4 か所あります" in page.main
        cells = re.findall(r'data-label="行"><div>(\d+)</div></td><td [^>]*><div>([^<]+)<', page.text)
        assert cells == [("6", "機器"), ("7", "月"), ("8", "項目"), ("9", "月")]
        assert town.kit.database.read_now(lambda s: s.scalars(select(EcoDocument)).all()) == []
        page = await upload(owner, member, good)
        assert "新しい値 3" in " ".join(page.main.split()) and "空欄(入力しません) 1" in " ".join(page.main.split())
        assert folk.ask("months", device=device)["rows"] == [], "nothing is recorded yet"
        page = await press(owner)
        assert "3 件を入力しました" in page.text
        await town.kit.outbox.work_once()
        assert month_of(folk, device, "2026-10")["totals"] == {"generated": 300_000, "sold": 0}
        assert month_of(folk, device, "2026-08")["estimated"] == ["generated"]
        assert month_of(folk, device, "2026-09") == {}, "a blank is not a zero"
        blocks = len(town.chain.blocks)
        page = await upload(owner, member, good)
        assert "新しい値はありません" in page.main
        looked = owner.page.url
        data = write_xlsx({"値": (HEADING, good)}, made_ms=0)
        await owner.get(f"/members/{member}/upload")
        page = await owner.send({"what": "months"}, files={"table": ("値.xlsx", data)})
        assert "新しい値はありません" in page.main and len(town.chain.blocks) == blocks
    async with town.as_(RIVAL_MAIL) as rival:
        assert (await rival.get(looked)).status == 404


@pytest.mark.function("E3b")
async def test_a_meter_s_readings_are_taken_from_a_file_marked_as_manual(town: Town, folk: Folk) -> None:
    member = await folk.join()
    device = await folk.device(member)
    heading = ["機器", "項目", "計測日時", "積算値(Wh・m・mL)"]
    rows = [
        [ROOF, c, f"2026-12-01 {12 + n // 2:02d}:{n % 2 * 30:02d}", str(n * step)]
        for n in range(5)
        for c, step in (("generated", 500), ("sold", 200))
    ]
    async with town.as_(MEMBER_MAIL) as owner:
        page = await upload(owner, member, [*rows, [ROOF, "generated", "2026-12-01 12:10", "1"]], "readings", heading)
        assert page.status == 422 and "計測の区切り" in page.main
        await upload(owner, member, rows, "readings", heading)
        page = await press(owner)
        assert "10 件を入力しました" in page.text
        await folk.record()
        manual = town.kit.database.read_now(lambda s: set(s.scalars(select(EcoReading.manual))))
        assert manual == {True} and month_of(folk, device, "2026-12")["totals"] == {"generated": 2_000, "sold": 800}
        page = await owner.get(f"/devices/{device}")
        assert "手入力" in page.main and "計測 " not in page.main.split("月別の値")[1].split("計測できた割合")[0]
        page = await upload(owner, member, rows, "readings", heading)
        assert "新しい値はありません" in page.main


@pytest.mark.function("E4b", "E3b", "X5", "X6")
async def test_documents_are_compared_with_the_chain_each_time_they_are_shown(town: Town, folk: Folk) -> None:
    member = await folk.join()
    async with town.as_(MEMBER_MAIL) as owner, town.as_(OFFICER_MAIL) as officer:
        await owner.get(f"/members/{member}/documents/new")
        page = await owner.send({"kind": "receipt"}, files={"file": ("x.html", b"<script>alert(1)</script>")})
        assert page.status == 422 and "画像か PDF" in page.main
        document = await folk.document(owner, member)
        await owner.get(f"/members/{member}/documents/new")
        page = await owner.send({"kind": "receipt"}, files={"file": ("again.png", PNG)})
        assert page.status == 422 and "同じファイルが" in page.main
        page = await officer.get(f"/documents/{document}")
        assert "一致" in page.main and "不一致" not in page.main and "佐藤 花子" in page.main
        file = await officer.get(f"/documents/{document}/file")
        assert file.headers["Content-Type"] == "image/png" and "attachment" in file.headers["Content-Disposition"]
        altered = update(EcoDocument).values(data=PNG + b"!")
        town.kit.database.write_now(lambda s: s.execute(altered))
        assert "不一致" in (await officer.get(f"/documents/{document}")).main
        assert "不一致" in (await officer.get(f"/documents?member={member}")).main
        await town.kit.outbox.work_once()
    async with town.as_(FOREIGN_MAIL) as foreign, town.as_(RIVAL_MAIL) as rival, town.as_(VERIFIER_MAIL) as verifier:
        for browser in (foreign, rival):
            for path in (f"/documents/{document}", f"/documents/{document}/file", f"/documents/{document}/delete"):
                assert (await browser.get(path)).status in (403, 404), path
            assert document not in (await browser.get("/documents")).text
        assert (await verifier.get(f"/documents/{document}")).status == 200
        assert (await verifier.get(f"/documents/{document}/delete")).status == 403
    looks = [t.body for t, _ in town.chain.blocks if t.body.method == "record_view"]
    assert len(looks) >= 1, "an officer's look is on the record"


@pytest.mark.function("E1g", "E1f", "E1b", "E3a")
async def test_estimates_and_months_below_zero_are_shown_as_what_they_are(town: Town, folk: Folk) -> None:
    member = await folk.join()
    car = await folk.device(member, "car", km_per_kwh_x10="60")
    hybrid = await folk.device(member, "car", serial="OBD-9", place="PHV-9", fuel="gasoline")
    async with town.as_(MEMBER_MAIL) as owner:
        await owner.get(f"/devices/{car}/enter-car")
        page = await owner.send({"month": "2026-12", "distance": "600", "fuel": "3"})
        assert page.status == 422 and 'id="fuel-error"' in page.text, "an electric car burns nothing"
        await owner.get(f"/devices/{car}/enter-car")
        page = await confirm(owner, {"month": "2026-12", "distance": "600"})
        assert "推定" in page.main and "49.5 kg" in page.main, "600 km ÷ 15 km/L less 100 kWh at 6 km/kWh"
        await owner.get(f"/devices/{hybrid}/enter-car")
        page = await confirm(owner, {"month": "2026-12", "distance": "100", "charged": "0", "fuel": "30"})
        assert "-53.5 kg" in page.main and "手入力" in page.main
        page = await owner.get("/mine")
        assert "-53.5 kg" in page.main and "見込み(未確定) -3.9 kg" in " ".join(page.main.split()), page.main
