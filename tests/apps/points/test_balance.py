"""What a resident sees of their points (E3c, V7c, V8)."""

from __future__ import annotations

from datetime import date

import pytest

from apps.common.language import day_start_ms
from tests.apps.ecopoints.town import MEMBER_MAIL
from tests.apps.points.high_street import BALANCE, HighStreet


@pytest.mark.function("E3c", "V7b", "V7c", "V8a")
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_resident_sees_balance_next_expiry_and_history(street: HighStreet, language: str) -> None:
    async with street.as_(MEMBER_MAIL) as member:
        page = await member.get(f"/points?lang={language}")
        assert page.status == 200 and f"{BALANCE} " in page.main
        assert ("2027年12月31日" if language == "ja" else "31 Dec 2027") in page.main
        history = await member.get("/points/history")
        assert f"+{BALANCE}" in history.main and "/story/period%3A" in history.text
        assert (await member.get("/story/account:member-0")).status == 200


@pytest.mark.function("E3c", "E7c", "V13a")
async def test_what_has_expired_is_not_in_the_balance_and_is_in_the_history(street: HighStreet) -> None:
    street.clock.now_ms = day_start_ms(date(2028, 1, 1)) - 1_000
    async with street.as_(MEMBER_MAIL) as member:
        assert f"{BALANCE} ポイント(2027年12月31日" in (await member.get("/points")).main
        street.clock.now_ms += 2_000
        assert street.books.app("expire")["accounts"] == 2
        page = await member.get("/points")
        assert "次の有効期限: ありません" in page.main and f"−{BALANCE}" in page.main and "失効" in page.main
