"""Joining, members as their municipality keeps them, and devices."""

from __future__ import annotations

import pytest

from apps.common.tables import Letter, Mail, Salt, User
from apps.ecopoints.people.tables import EcoPerson, EcoPlate
from tests.apps.ecopoints.people.folk import CAR, PERSON, SOLAR, Folk, confirm
from tests.apps.ecopoints.town import FOREIGN_MAIL, MEMBER_MAIL, OFFICER_MAIL, RIVAL_MAIL, VERIFIER_MAIL, Town


@pytest.mark.function("E4c", "E9a", "X1")
async def test_a_resident_applies_and_becomes_a_member_under_a_pseudonym(town: Town, folk: Folk) -> None:
    async with town.as_(MEMBER_MAIL) as member, town.as_(OFFICER_MAIL) as officer, town.as_(FOREIGN_MAIL) as foreign:
        assert "まだ会員ではありません" in (await member.get("/mine")).main
        await member.get("/join")
        assert "チェックを入れてください" in (await member.send({**PERSON, "agreed": ""})).main
        page = await confirm(member, PERSON)
        assert "八王子市の確認をお待ちください" in page.main
        page = await officer.get("/applications")
        assert "佐藤 花子" in page.main and "八王子市元本郷町" in page.main
        assert "佐藤 花子" not in (await foreign.get("/applications")).main
        pseudonym = folk.pseudonym()
        assert (await foreign.get(f"/applications/{pseudonym}/accept")).status == 404
        await officer.get(f"/applications/{pseudonym}/return")
        await confirm(officer, {"reason": "番地を書いてください"})
        page = await member.get("/mine")
        assert "差し戻されました" in page.main and "番地を書いてください" in page.main
        await member.get("/join")
        assert member.page.inputs["address"] == ["八王子市元本郷町"], "what was given back is there to be mended"
        await confirm(member, {**PERSON, "address": "元本郷町三丁目24番1号"})
        await officer.get(f"/applications/{pseudonym}/accept")
        page = await officer.send({"sure": "1"})
        assert "会員として登録しました" in page.text and "元本郷町三丁目24番1号" in page.main
        assert folk.ask("member", member=pseudonym)["kind"] == "household"
        assert "機器はまだ登録されていません" in (await member.get("/mine")).main
        mails = town.kit.database.read_now(lambda s: [m.kind for m in s.query(Mail).order_by(Mail.id)])
        assert mails == ["join_returned", "joined"]
    on_chain = b"".join(transaction.raw for transaction, _ in town.chain.blocks)
    assert pseudonym.encode() in on_chain and "佐藤".encode() not in on_chain and "元本郷町".encode() not in on_chain


@pytest.mark.function("E4c", "X5", "X6")
async def test_members_are_searched_added_and_changed_at_the_counter(town: Town, folk: Folk) -> None:
    async with town.as_(OFFICER_MAIL) as officer, town.as_(FOREIGN_MAIL) as foreign:
        await officer.get("/members/new")
        page = await confirm(
            officer, {"name": "鈴木 一郎", "address": "散田町", "kind": "firm", "email": "ichiro@example.jp"}
        )
        assert "鈴木 一郎" in page.main
        member = page.url.rsplit("/", 1)[1]
        assert folk.ask("member", member=member)["kind"] == "firm"
        await officer.get("/members/new")
        page = await officer.send({"name": "別人", "address": "散田町", "kind": "firm", "email": "ichiro@example.jp"})
        page = await officer.send({"step": "confirm"})
        assert page.status == 422, "an address has one account"
        await officer.get(f"/members/{member}/edit")
        await confirm(officer, {"address": "めじろ台"})
        assert "めじろ台" in officer.page.main
        for found, words in ((True, "鈴木"), (True, "めじろ"), (True, "ichiro@"), (False, "散田町")):
            assert ("鈴木 一郎" in (await officer.get(f"/members?q={words}")).main) == found, words
        assert "鈴木" not in (await foreign.get("/members")).main
        assert (await foreign.get(f"/members/{member}")).status == 404
        assert (await foreign.get(f"/members/{member}/remove")).status == 404
    await town.kit.outbox.work_once()
    viewed = [c.receipt for t, c in town.chain.blocks if t.body.method == "record_view"]
    assert len(viewed) >= 2 and all(receipt.done for receipt in viewed)


@pytest.mark.function("E4e", "E4c")
async def test_a_device_is_registered_once_whoever_asks_and_however_it_is_typed(town: Town, folk: Folk) -> None:
    member, rival = await folk.join(), await folk.join(RIVAL_MAIL, name="山田 太郎")
    device = await folk.device(member)
    row = folk.ask("device", device=device)
    assert row["parameters"] == {"capacity_w": 3_000} and "PCS" not in str(row)
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/members/{rival}/devices/solar")
        page = await officer.send({**SOLAR, "serial": "pcs0001", "place": "別の場所 1"})
        assert (
            page.status == 422 and f"機器 {device} として登録済みです" in page.main and 'id="serial-error"' in page.text
        )
        page = await officer.send({**SOLAR, "serial": "PCS-2", "place": "0300112233445566778899"})
        assert 'id="place-error"' in page.text and 'id="serial-error"' not in page.text
        assert device in (await officer.get("/devices?q=pcs 0001")).text, "found by its number"
        await officer.get(f"/devices/{device}/retire")
        page = await officer.send({"sure": "1"})
        assert "廃止" in page.main
        await officer.get(f"/members/{rival}/devices/solar")
        page = await confirm(officer, SOLAR)
        assert "/devices/device-" in page.url, "free for its next owner"
    assert folk.ask("device", device=device)["retired_ms"] is not None


@pytest.mark.function("E4c")
async def test_a_car_s_facts_are_checked_and_its_key_is_changed(town: Town, folk: Folk) -> None:
    member = await folk.join()
    car = await folk.device(member, "car", km_per_kwh_x10="60")
    row = folk.ask("device", device=car)
    assert row["kind"] == "ev" and row["methodology"] == "EN-S-012"
    plug_in = await folk.device(member, "car", serial="OBD-78", place="PHV-1", fuel="gasoline")
    assert folk.ask("device", device=plug_in)["kind"] == "phv"
    async with town.as_(OFFICER_MAIL) as officer, town.as_(VERIFIER_MAIL) as verifier, town.as_(MEMBER_MAIL) as owner:
        await officer.get(f"/members/{member}/devices/car")
        assert (await officer.send({**CAR, "baseline_km_per_l_x10": "5"})).status == 422
        await officer.get(f"/devices/{car}/key")
        assert (await officer.send({"key": "xyz"})).status == 422
        await confirm(officer, {"key": "ab" * 32})
        assert folk.ask("device", device=car)["key"] == "ab" * 32
        page = await verifier.get(f"/devices/{car}")
        assert "ZAA-ZE1-123456" in page.main and "0.1 km/L" in page.main
        assert "通勤の車" in (await owner.get(f"/devices/{car}")).main
    async with town.as_(RIVAL_MAIL) as rival:
        assert (await rival.get(f"/devices/{car}")).status == 404


def rows_about(town: Town, member: str) -> list[object]:
    """Everything in the application's own tables that leads to the person."""
    tables = ((EcoPerson, EcoPerson.member), (EcoPlate, EcoPlate.member), (User, User.pseudonym))
    return town.kit.database.read_now(lambda s: [r for t, c in tables for r in s.query(t).filter(c == member)])


@pytest.mark.function("E4c", "X1")
async def test_removing_a_member_deletes_who_they_were_and_no_one_else(town: Town, folk: Folk) -> None:
    member, rival = await folk.join(), await folk.join(RIVAL_MAIL)
    await folk.device(member)
    async with town.as_(MEMBER_MAIL) as owner:
        await folk.document(owner, member)
    async with town.as_(OFFICER_MAIL) as officer:
        await officer.get(f"/members/{member}/remove")
        assert "使用中の 1 台は廃止されます" in officer.page.main
        assert (await officer.send({})).status == 422
        page = await officer.send({"sure": "1"})
        assert "個人情報は消去されました" in page.text
        page = await officer.get(f"/members/{member}")
        assert "個人情報は削除されました" in page.main and "佐藤" not in page.main
    assert rows_about(town, member) == [] and len(rows_about(town, rival)) == 2
    assert town.kit.database.read_now(lambda s: s.query(Salt).count()) == 0
    assert town.kit.database.read_now(lambda s: s.query(Mail).filter(Mail.recipient == MEMBER_MAIL).count()) == 0
    assert town.kit.database.read_now(lambda s: s.query(Letter).count()) == 0
    assert folk.ask("member", member=member)["left_ms"] is not None


@pytest.mark.function("E4c")
async def test_a_member_leaves_by_themselves(town: Town, folk: Folk) -> None:
    member = await folk.join()
    async with town.as_(MEMBER_MAIL) as owner:
        await owner.get("/mine/leave")
        await owner.send({"sure": "1"})
        assert (await owner.get("/mine", follow=False)).status == 303, "signed out: the account is gone"
    assert folk.ask("member", member=member)["left_ms"] is not None and rows_about(town, member) == []
