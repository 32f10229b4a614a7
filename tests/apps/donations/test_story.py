"""The whole way of relief goods through the application, from the need to the arrival."""

from __future__ import annotations

import pytest

from tests.apps.donations.relief import CONTACT, STAFF, SUPPORTER, Relief


@pytest.mark.function("D1a", "D2c", "D3a", "D3c", "D5c", "D6a", "D6c", "D6d", "D8a", "D8b", "D8c", "D8d", "D9d", "D9e")
async def test_from_the_need_to_the_arrival(relief: Relief) -> None:
    async with relief.as_(STAFF) as staff, relief.as_(SUPPORTER) as supporter:
        need = await relief.need(staff, quantity=100)
        await supporter.get("/needs")
        assert "毛布" in supporter.page.main and f"/needs/{need}" in supporter.page.text
        await supporter.get(f"/needs/{need}/pledge")
        assert supporter.page.inputs["quantity"] == ["100"]
        offer = await relief.pledge(supporter, need, 60)
        assert [m.recipient for m in relief.mails("offer_registered")] == [CONTACT]
        await staff.get(f"/needs/{need}")
        assert "40枚" in staff.page.main and offer in staff.page.text
        request = await relief.request(staff, offer, 50, boxes=3)
        assert [m.recipient for m in relief.mails("request")] == [SUPPORTER]
        await supporter.get("/mine")
        assert f"/mine/requests/{request}" in supporter.page.text
        await relief.ship(supporter, request)
        assert [m.recipient for m in relief.mails("shipped")] == [CONTACT]
        codes = relief.codes(request)
        assert len(codes) == 3
        for code in codes:
            page = await relief.receive(staff, code)
            assert "受け取り済み" in page.main
        assert len(relief.mails("received")) == 3
        row = relief.row("need", need=need)["need"]
        assert isinstance(row, dict)
        assert (row["arrived"], row["shipped"], row["requested"], row["pledged"]) == (50, 0, 0, 0)
        await staff.get("/arrivals")
        assert "第一小学校体育館" in staff.page.main and "17枚" in staff.page.main
        await supporter.get(f"/story/shipment:{request}")
        assert "箱 3 を受け取りました" in supporter.page.main
