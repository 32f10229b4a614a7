"""Rewards: kept by officers, ordered by residents with a review, fetched with a code (E7c, V7f)."""

from __future__ import annotations

import re

import pytest

from tests.apps.common.harness import Browser
from tests.apps.ecopoints.town import ADMIN_MAIL, FOREIGN_MAIL, MEMBER_MAIL, OFFICER_MAIL, RIVAL_MAIL
from tests.apps.points.high_street import BALANCE, CODE, HighStreet


async def registered(officer: Browser, stock: int = 3, points: int = 150) -> str:
    """A ticket of the catalogue; its path."""
    await officer.get("/points/rewards/new")
    typed = {"name_ja": "市民まつり入場券", "name_en": "Festival ticket", "points": str(points), "stock": str(stock)}
    assert "市民まつり入場券" in (await officer.send(typed)).main
    page = await officer.send({"step": "confirm"})
    assert page.status == 200 and "市民まつり入場券" in page.main
    found = re.search(r"/points/rewards/reward-[a-z0-9]+", page.text)
    assert found
    return found[0]


async def ordered(member: Browser, reward: str, count: int = 1) -> str:
    await member.get(f"{reward}/redeem")
    assert f"{150 * count} ポイント" in (await member.send({"count": str(count)})).main
    page = await member.send({"step": "confirm"})
    assert page.status == 200 and "/points/redemptions/redemption-" in page.url
    return page.url


@pytest.mark.function("E7c", "V7f")
async def test_a_resident_redeems_and_fetches_a_reward_with_its_code(street: HighStreet) -> None:
    async with street.as_(OFFICER_MAIL) as officer, street.as_(MEMBER_MAIL) as member:
        reward = await registered(officer)
        assert "Festival ticket" in (await member.get("/points/rewards?lang=en")).main
        await member.get("/points/rewards?lang=ja")
        order = await ordered(member, reward, 2)
        code = CODE.search(member.page.main)
        assert code and 'class="qr"' in member.page.text
        assert f"{BALANCE - 300} ポイント" in (await member.get("/points")).main
        await officer.get("/points/fetch")
        page = await officer.send({"code": code[0]})
        assert page.status == 200 and "市民まつり入場券" in page.main
        assert street.books.ask("redemption", redemption=order.rsplit("/", 1)[1])["status"] == "ordered"
        path = page.url
        assert "受取り済み" in (await officer.send()).main
        assert "品物は渡してあります" in (await officer.get(path)).main
        assert "受取り済み" in (await member.get(order)).main and CODE.search(member.page.main) is None
        assert (await member.get(order + "/cancel")).status == 404
        assert "受取り済み" in (await member.get("/points/redemptions?state=handed_out")).main
        story = await member.get("/story/redemption:" + order.rsplit("/", 1)[1])
        assert "引き渡しました" in story.main
    totals = street.books.ask("points_totals", municipality="132012")
    assert (totals["redeemed"], totals["rewards"]) == (300, 0)


@pytest.mark.function("E7c", "V7f")
async def test_an_order_is_cancelled_and_stock_and_points_come_back(street: HighStreet) -> None:
    async with street.as_(OFFICER_MAIL) as officer, street.as_(MEMBER_MAIL) as member:
        reward = await registered(officer, stock=1)
        order = await ordered(member, reward)
        assert "在庫切れ" in (await member.get("/points/rewards")).main
        async with street.as_(RIVAL_MAIL) as rival:
            await rival.get(f"{reward}/redeem")
            assert (await rival.send({"count": "1"})).status == 422
            assert (await rival.get(order)).status == 404 and (await rival.get(order + "/cancel")).status == 404
        await member.get(order + "/cancel")
        assert "取りやめ" in (await member.send()).main
        assert f"{BALANCE} ポイント" in (await member.get("/points")).main
        assert street.books.ask("reward", reward=reward.rsplit("/", 1)[1])["stock"] == 1


@pytest.mark.function("E7c")
async def test_officers_change_and_restock_their_own_catalogue(street: HighStreet) -> None:
    async with street.as_(ADMIN_MAIL) as admin, street.as_(FOREIGN_MAIL) as foreign:
        reward = await registered(admin)
        assert (await foreign.get(f"{reward}/edit")).status == 404
        assert "市民まつり" not in (await foreign.get("/points/rewards")).main
        await admin.get(f"{reward}/stock")
        assert (await admin.send({"more": "-4"})).status == 422
        await admin.send({"more": "-2"})
        await admin.send({"step": "confirm"})
        await admin.get(f"{reward}/edit")
        assert admin.page.inputs["name_en"] == ["Festival ticket"]
        fields = {**admin.page.inputs, "points": "700"}
        await admin.post(admin.page.url, fields)
        await admin.send({"step": "confirm"})
    kept = street.books.ask("reward", reward=reward.rsplit("/", 1)[1])
    assert (kept["stock"], kept["points"], kept["in_use"]) == (1, 700, True)
    async with street.as_(MEMBER_MAIL) as member:
        assert "ポイントが足りません" in (await member.get("/points/rewards")).main
    async with street.as_(ADMIN_MAIL) as admin:
        await admin.get(f"{reward}/edit")
        await admin.post(admin.page.url, {k: v for k, v in admin.page.inputs.items() if k != "in_use"})
        await admin.send({"step": "confirm"})
    async with street.as_(MEMBER_MAIL) as member:
        assert "市民まつり" not in (await member.get("/points/rewards")).main
        assert (await member.get(f"{reward}/redeem")).status == 404
