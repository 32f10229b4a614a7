"""The register of certified credits and their sales on the pages."""

from __future__ import annotations

import re

import pytest

from tests.apps.ecopoints.books.year import Books
from tests.apps.ecopoints.town import OFFICER_MAIL, VERIFIER_MAIL, Town


@pytest.mark.function("E5a", "E5b")
async def test_credits_are_applied_for_certified_and_sold_by_serial_number(town: Town, books: Books) -> None:
    books.plants(6)
    period = books.settled()
    async with town.as_(OFFICER_MAIL) as officer:
        page = await officer.get("/credits/apply")
        assert "3 トン" in page.main, "3,031.2 kg"
        await officer.send({"periods": [period]})
        page = await officer.send({"step": "confirm"})
        address = page.url.partition("/credits/")[2]
        assert "合計 3 トン" in page.main and "申請中" in page.main
        assert "申請できる期間がありません" in (await officer.get("/credits/apply")).main
        await officer.get(f"/credits/{address}/register")
        page = await officer.send({"prefix": "JC-2024", "first": "101", "last": "104"})
        assert page.status == 422 and "残り 3 トン" in page.main
        await officer.send({"prefix": "JC-2024", "first": "101", "last": "103"})
        page = await officer.send({"step": "confirm"})
        assert "JC-2024-101 〜 JC-2024-103" in page.main and "認証済み" in page.main
        assert "2027年4月1日(木) まで保存" in page.main
        block = books.ask("credits", municipality="132012")["rows"][0]["block"]
        await officer.get(f"/credits/blocks/{block}/sell")
        page = await officer.send({"tonnes": "4", "buyer": "company"})
        assert page.status == 422 and "未売却は 3 トンです" in page.main
        await officer.send({"tonnes": "2", "yen_per_tonne": "2,536", "buyer": "event"})
        page = await officer.send({"step": "confirm"})
        assert "JC-2024-101 〜 JC-2024-102" in page.main and "5,072" in page.main and "イベント" in page.main
        page = await officer.get(f"/story/credits:{block}")
        assert "クレジットを売却しました(2 トン、5072 円、イベント)" in page.main
    async with town.as_(VERIFIER_MAIL) as verifier:
        page = await verifier.get("/credits")
        assert re.search(r"2026年度\s+3 t\s+2 t\s+5,072 円", page.main), page.main
        assert "未売却のクレジット: 1 トン" in page.main and "2 年後まで削除できません" in page.main
        assert (await verifier.get(f"/credits/blocks/{block}/sell")).status == 403
        page = await verifier.get("/credits.csv")
        lines = page.text.lstrip("\ufeff").splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == ["JC-2024-101 〜 JC-2024-102", "JC-2024-103"]
        assert lines[1].endswith("イベント,2536,5072")


@pytest.mark.function("E5b")
async def test_serial_numbers_are_registered_once_and_a_rejected_period_is_free_again(town: Town, books: Books) -> None:
    books.plants(4)
    first, second = books.settled(("2024-04", "2024-09")), books.settled(("2024-10", "2025-03"))
    books.certified(first, last=1)
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get("/credits/apply")
        await officer.send({"periods": [second]})
        page = await officer.send({"step": "confirm"})
        address = page.url.partition("/credits/")[2]
        await officer.get(f"/credits/{address}/register")
        await officer.send({"prefix": "JC", "first": "1", "last": "1"})
        page = await officer.send({"step": "confirm"})
        assert page.status == 409 and "登録済みです" in page.main
        await officer.get(f"/credits/{address}/reject")
        page = await officer.send({"sure": "1"})
        assert "不認証" in page.main
        page = await officer.get("/credits/apply")
        assert second in page.text and first not in page.text
