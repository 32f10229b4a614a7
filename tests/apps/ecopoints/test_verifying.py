"""What a verifier sees of a period: a sample that can be drawn again, and the evidence of each member in it (E5d)."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from apps.ecopoints.export.check import check_export
from apps.ecopoints.export.pages import packed
from apps.ecopoints.intake.packets import Packet, PacketReading, sign_packet
from apps.ecopoints.intake.taking import Intake
from apps.ecopoints.people.tables import EcoDocument
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import app_account
from apps.ecopoints.verifying.reading_file import check_reading
from apps.ecopoints.verifying.sampling import draw
from apps.ecopoints.working import batcher_of
from cli import main
from contracts.ecopoints.metering import HALF_HOUR_MS
from contracts.ecopoints.methodology import month_start_ms
from contracts.ecopoints.methodology.jcredit import sample_size
from ledger.crypto import SigningKey, sha256
from ledger.genesis import dump_genesis
from ledger.proof import BadProof
from tests.apps.common.harness import on_both_databases
from tests.apps.ecopoints.books.year import FIRST, Books
from tests.apps.ecopoints.people.folk import PERSON, Folk
from tests.apps.ecopoints.town import MEMBER_MAIL, VERIFIER_MAIL, Town
from tests.contracts.ecopoints.programme import PV, commitment
from tests.contracts.world import HACHIOJI

MONTH = "2024-06"
KEY = SigningKey(b"a plant's key".ljust(32, b"."))


@pytest.fixture
def database_kind() -> str:
    """One is enough where the figures come from the chain."""
    return "sqlite"


@pytest.mark.function("E5d")
def test_the_sample_is_of_the_formula_s_size_and_hangs_on_the_seed_alone() -> None:
    members = [f"member-{n}" for n in range(1_000)]
    one, other = draw(b"\x01" * 32, members), draw(b"\x02" * 32, members)
    assert len(one.members) == sample_size(1_000) == 64 and one.of == 1_000
    assert one == draw(b"\x01" * 32, reversed(members)) and set(one.members) != set(other.members)
    by_hand = sorted(members, key=lambda member: sha256(b"\x01" * 32 + member.encode()))[:64]
    assert list(one.members) == by_hand
    more = draw(b"\x01" * 32, [*members, "member-late"])
    assert len(set(one.members) - set(more.members)) <= 1
    assert draw(b"", []).members == ()


@pytest.mark.function("E5d")
async def test_the_page_draws_the_sample_that_an_auditor_draws_from_the_export(town: Town) -> None:
    books = Books(town.chain)
    books.plants(12, {FIRST: {"generated": 300_000, "sold": 100_000}})
    period = books.settled((FIRST, FIRST))
    await town.copied()
    offline = check_export(await packed(town.kit, period), town.chain.world.genesis)
    async with town.as_(VERIFIER_MAIL) as verifier:
        page = await verifier.get(f"/periods/{period}/sample")
        shown = re.findall(rf"/periods/{period}/evidence/(member-\d+)", page.text)
    assert tuple(shown) == offline.sample and len(shown) == sample_size(12) == 11
    world = town.chain.world
    closed = next(c for t, c in town.chain.blocks if t.body.method == "close_period")
    height = world.chain.find(closed.receipt.transaction_id)
    assert height is not None
    header = world.chain.header(height.height)
    assert header is not None and header.hash.hex() in page.main


async def send_a_morning(town: Town) -> str:
    """A member's plant whose readings went through the intake to the chain; its id."""
    chain = town.chain
    chain.act(app_account(HACHIOJI), "ecopoints", "register_member", member="member-0", kind="household")
    plant = str(
        chain.act(
            app_account(HACHIOJI), "ecopoints", "register_device", member="member-0", kind="pv", methodology=PV,
            parameters={"capacity_w": 3_000}, key=KEY.public_key.hex(), serial=commitment("a"), place=commitment("b"),
        )["device"]
    )  # fmt: skip
    await town.copied()
    start = month_start_ms(MONTH) + 16 * HALF_HOUR_MS
    packets = [
        Packet(plant, n + 1, (PacketReading("generated", end, n * 1_000), PacketReading("sold", end, n * 500)))
        for n in range(9)
        for end in [start + n * HALF_HOUR_MS]
    ]
    intake = Intake(town.kit.database, CopiedRegistry())
    try:
        await intake.take([sign_packet(packet, KEY) for packet in packets], town.clock())
    finally:
        intake.close()
    return plant


@on_both_databases
@pytest.mark.function("E5d", "E2a")
async def test_every_reading_of_a_sampled_member_is_proved_up_to_the_chain(town: Town, tmp_path: Path) -> None:
    plant = await send_a_morning(town)
    async with asyncio.timeout(30):
        while not town.chain.world.query("ecopoints", "device", device=plant)["readings"]:
            await batcher_of(town.kit).plan_once()
            await asyncio.sleep(0.02)
    period = Books(town.chain).settled((MONTH, MONTH))
    async with town.as_(VERIFIER_MAIL) as verifier:
        await verifier.get(f"/periods/{period}/sample")
        page = await verifier.get(f"/periods/{period}/evidence/member-0")
        assert "サンプルに選ばれています" in page.main
        assert "EL_BL = 4 kWh" in page.main and "CEF_electricity,t = 0.000421 tCO2/kWh" in page.main
        assert "1.7 kg" in page.main, "4 kWh x 0.421"
        page = await verifier.get(f"/periods/{period}/readings/{plant}/{MONTH}")
        links = re.findall(r'href="([^"]+\.json)"', page.text)
        assert len(links) == 18 and "機器の署名" in page.main
        files = [(await verifier.get(link)).data for link in links]
        assert (await verifier.get(f"/periods/{period}/readings/{plant}/2024-07")).status == 404
    genesis = town.chain.world.genesis
    proved = [check_reading(data, genesis) for data in files]
    assert sorted((r.channel, r.value) for r in proved) == sorted(
        [("generated", n * 1_000) for n in range(9)] + [("sold", n * 500) for n in range(9)]
    )
    assert {r.device for r in proved} == {plant}
    forged = json.loads(files[-1])
    for key, value in {"value": 1, "index": 0, "batch": "batch-1", "count": 17, "device": "device-1"}.items():
        with pytest.raises(BadProof):
            check_reading(json.dumps({**forged, key: value}).encode(), genesis)
    right, wrong, known = tmp_path / "right.json", tmp_path / "wrong.json", tmp_path / "genesis.json"
    right.write_bytes(files[0])
    wrong.write_bytes(json.dumps({**forged, "value": 7}).encode())
    known.write_text(dump_genesis(genesis), encoding="utf-8")
    for file, code in ((right, 0), (wrong, 1)):
        told = CliRunner().invoke(main, ["ecopoints", "check-reading", str(file), "--genesis", str(known), "--json"])
        assert told.exit_code == code and json.loads(told.output)["ok"] == (code == 0)


@pytest.mark.function("E5d")
async def test_what_is_no_period_member_or_month_of_the_town_has_no_page(town: Town) -> None:
    books = Books(town.chain)
    (plant,) = books.plants(1)
    period = books.settled()
    other = books.opened(("2025-04", "2025-04"))
    async with town.as_(VERIFIER_MAIL) as verifier:
        for path in (
            f"{other}/sample", f"{period}/evidence/nobody", f"{period}/readings/{plant}/2024-1",
            f"{period}/readings/{plant}/2024-06/generated/5.json", f"{period}/readings/device-1/2024-06",
        ):  # fmt: skip
            assert (await verifier.get(f"/periods/{path}")).status == 404, path
        page = await verifier.get(f"/periods/{period}/readings/{plant}/2024-06")
        assert "手入力された月です" in page.main


@pytest.mark.function("E5d", "E4b")
async def test_documents_of_a_sampled_member_are_hashed_before_the_verifier_s_eyes(town: Town) -> None:
    folk, books = Folk(town), Books(town.chain)
    member = await folk.join()
    plant = await folk.device(member)
    async with town.as_(MEMBER_MAIL) as owner:
        document = await folk.document(owner, member, device=plant)
    for channel, value in (("generated", 300_000), ("sold", 100_000)):
        books.app("enter_value", device=plant, month="2026-04", channel=channel, value=value)
    period = books.settled(("2026-04", "2026-04"))
    async with town.as_(VERIFIER_MAIL) as verifier:
        page = await verifier.get(f"/periods/{period}/evidence/{member}")
        assert "手入力" in page.main and re.search(r"書類.*\s一致", page.main, re.S), page.main
        assert PERSON["name"] not in page.text, "a verifier sees pseudonyms"

        def alter(session: Session) -> None:
            session.get_one(EcoDocument, document).data += b"."

        town.kit.database.write_now(alter)
        assert "不一致" in (await verifier.get(page.url)).main
