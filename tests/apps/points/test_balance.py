"""What a resident sees of their points (E3c, V7c, V8)."""

from __future__ import annotations

import pytest

from tests.apps.ecopoints.town import MEMBER_MAIL
from tests.apps.points.high_street import BALANCE, HighStreet


@pytest.mark.function("E3c", "V8a")
@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_resident_sees_balance_next_expiry_and_history(street: HighStreet, language: str) -> None:
    async with street.as_(MEMBER_MAIL) as member:
        page = await member.get(f"/points?lang={language}")
        assert page.status == 200 and f"{BALANCE} " in page.main
        assert ("2027年12月31日" if language == "ja" else "31 Dec 2027") in page.main
        history = await member.get("/points/history")
        assert f"+{BALANCE}" in history.main and "/story/period%3A" in history.text
        assert (await member.get("/story/account:member-0")).status == 200
