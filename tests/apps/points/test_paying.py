"""Paying with a one-time code: the resident's page, the shop's confirmation, refund, and what goes wrong (E7, V7)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from apps.common import qr
from apps.common.accounts import MAX_TRIES_ACCOUNT, WINDOW_MS
from apps.common.codes import new_code
from apps.common.tables import Write
from apps.points.codes import code_from
from apps.points.tables import CodeSeed
from contracts.points.types import MAX_VALID_MS
from tests.apps.ecopoints.town import MEMBER_MAIL, OFFICER_MAIL, RIVAL_MAIL, SHOP_MAIL
from tests.apps.points.high_street import BALANCE, CODE, FOREIGN_SHOP_MAIL, OTHER_SHOP_MAIL, HighStreet, opened


def balance(street: HighStreet, account: str) -> int:
    return int(street.books.ask("points_account", account=account)["points"])


def writes(street: HighStreet) -> int:
    return street.kit.database.read_now(lambda session: session.scalar(select(func.count()).select_from(Write)) or 0)


@pytest.mark.function("E7a", "V7d", "X4")
async def test_typed_points_go_to_the_shop_when_it_confirms_with_the_code(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop:
        code = await opened(member, 120)
        payment_url = member.page.url
        address = street.kit.url("points_confirm", code=code.replace("-", ""))
        assert qr.svg(address, "お店が読み取る支払の QR コード") in member.page.text
        await shop.get("/points/take")
        seen = await shop.send({"code": code.lower()})
        assert seen.url.endswith(f"/points/take/{code.replace('-', '')}") and "120" in seen.main
        assert balance(street, "member-0") == BALANCE, "opening the page changes nothing"
        done = await shop.send()
        assert done.status == 200 and "/points/payments/payment-" in done.url
        assert (balance(street, "member-0"), balance(street, "shop-1")) == (BALANCE - 120, 120)
        assert "お店が確認しました" in (await member.get(payment_url)).main
        story = await member.get("/story/payment:" + payment_url.rsplit("/", 1)[1])
        assert "店舗が 120 ポイントの支払を確認しました" in story.main and "/proof/" in story.text
        till = await shop.get("/points/till")
        assert "+120" in till.main


@pytest.mark.function("E7a")
async def test_a_used_code_shows_the_first_result_and_pays_nothing_again(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop, street.as_(OTHER_SHOP_MAIL) as other:
        code = (await opened(member, 10)).replace("-", "")
        await shop.get(f"/points/take/{code}")
        first = shop.page.inputs
        await shop.send()
        before = writes(street)
        assert "このお店で受け取りました" in (await shop.get(f"/points/take/{code}")).main
        assert "別のお店で使われました" in (await other.get(f"/points/take/{code}")).main
        again = await shop.post(f"/points/take/{code}", first)
        assert again.status == 200 and "/points/payments/" in again.url, "the same form again leads to its result"
        token = (await other.get("/points/take")).inputs["form_token"]
        late = await other.post(f"/points/take/{code}", {"form_token": token})
        assert late.status == 422
        assert writes(street) == before and balance(street, "member-0") == BALANCE - 10


@pytest.mark.function("E7a")
async def test_of_two_payments_of_the_whole_balance_one_succeeds(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop, street.as_(OTHER_SHOP_MAIL) as other:
        codes = [(await opened(member, BALANCE)).replace("-", "") for _ in range(2)]
        for at, code in zip((shop, other), codes, strict=True):
            assert str(BALANCE) in (await at.get(f"/points/take/{code}")).main
        assert (await shop.send()).status == 200
        refused = await other.send()
        assert refused.status == 409 and "使えるポイントは 0 です" in refused.main
        assert [balance(street, a) for a in ("member-0", "shop-1", "shop-2")] == [0, BALANCE, 0]


@pytest.mark.function("E7a")
async def test_more_than_the_balance_is_told_beside_the_field(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member:
        await member.get("/points/pay")
        page = await member.send({"points": str(BALANCE + 1)})
        assert page.status == 422 and f"使えるポイントは {BALANCE} です" in page.main


@pytest.mark.function("E7a")
async def test_a_resident_cancels_and_a_code_lapses(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop:
        code = (await opened(member, 10)).replace("-", "")
        await member.get(member.page.url + "/cancel")
        page = await member.send()
        assert page.status == 200 and "取りやめ" in page.main and CODE.search(page.main) is None
        assert "取りやめました" in (await shop.get(f"/points/take/{code}")).main
        code = (await opened(member, 10)).replace("-", "")
        street.clock.now_ms += MAX_VALID_MS + 1_000
        assert "有効時間が過ぎました" in (await shop.get(f"/points/take/{code}")).main
        assert "時間切れ" in (await member.get("/points/payments")).main
    assert balance(street, "member-0") == BALANCE


@pytest.mark.function("E7c")
async def test_the_shop_refunds_a_part_and_then_the_rest(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop:
        code = (await opened(member, 100)).replace("-", "")
        await shop.get(f"/points/take/{code}")
        payment = (await shop.send()).url
        await shop.get(payment + "/refund")
        assert (await shop.send({"points": "101"})).status == 422
        assert "30" in (await shop.send({"points": "30"})).main
        page = await shop.send({"step": "confirm"})
        assert page.status == 200 and "一部払戻し" in page.main
        await shop.get(payment + "/refund")
        assert shop.page.inputs["points"] == ["70"]
        await shop.send()
        assert "払戻し済み" in (await shop.send({"step": "confirm"})).main
        assert (await shop.get(payment + "/refund")).status == 404
        till = await shop.get("/points/till")
        assert "−30" in till.main and "−70" in till.main
    assert (balance(street, "member-0"), balance(street, "shop-1")) == (BALANCE, 0)


@pytest.mark.function("E7a", "E9a")
async def test_a_payment_is_seen_by_its_resident_its_shop_and_its_municipality_only(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop:
        code = (await opened(member, 10)).replace("-", "")
        payment = member.page.url
        for stranger in (RIVAL_MAIL, OTHER_SHOP_MAIL, SHOP_MAIL):
            async with street.as_(stranger) as browser:
                assert (await browser.get(payment)).status == 404
        async with street.as_(FOREIGN_SHOP_MAIL) as foreign:
            assert (await foreign.get(f"/points/take/{code}")).status == 404
        await shop.get(f"/points/take/{code}")
        assert (await shop.send()).status == 200 and (await shop.get(payment)).status == 200
        async with street.as_(OFFICER_MAIL) as officer:
            page = await officer.get(payment)
            assert page.status == 200 and CODE.search(page.main) is None
        async with street.as_(OTHER_SHOP_MAIL) as other:
            assert (await other.get(payment + "/refund")).status == 404


@pytest.mark.function("E7a")
async def test_wrong_codes_are_slowed_down_until_a_quarter_of_an_hour_is_over(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member, street.as_(SHOP_MAIL) as shop:
        await shop.get("/points/take")
        assert (await shop.send({"code": "not a code"})).status == 422
        for _ in range(MAX_TRIES_ACCOUNT - 1):
            assert (await shop.get(f"/points/take/{new_code()}")).status == 404
        await shop.get("/points/take")
        assert "見つかりません" in (await shop.send({"code": new_code()})).main
        code = (await opened(member, 10)).replace("-", "")
        assert (await shop.get(f"/points/take/{code}")).status == 429
        await shop.get("/points/take")
        assert "入力を止めています" in (await shop.send({"code": code})).main
        async with street.running.browser(SHOP_MAIL) as fresh:
            assert fresh.page.status == 200, "signing in is not slowed down"
        street.clock.now_ms += WINDOW_MS + 1
        assert (await shop.get(f"/points/take/{code}")).status == 200


@pytest.mark.function("E7a", "X1")
async def test_neither_the_database_nor_the_chain_holds_a_code_that_is_not_used(street: HighStreet) -> None:
    async with street.as_(MEMBER_MAIL) as member:
        code = (await opened(member, 10)).replace("-", "")
        seed = street.kit.database.read_now(lambda session: session.scalars(select(CodeSeed)).one())
        assert code_from(street.kit.settings.secret, seed.seed) == code
        assert code_from(b"another secret", seed.seed) != code
        dumped = street.kit.database.read_now(lambda s: [bytes(w.raw) for w in s.scalars(select(Write))])
        assert all(code.encode() not in raw for raw in dumped + street.chain.submitted)
