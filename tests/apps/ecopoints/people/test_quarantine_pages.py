"""Readings that are not believed: listed with their reason, released or left out with one."""

from __future__ import annotations

import pytest

from apps.ecopoints.intake.tables import EcoReview
from contracts.ecopoints.methodology import month_start_ms
from tests.apps.ecopoints.people.folk import KEY, Folk, confirm
from tests.apps.ecopoints.town import FOREIGN_MAIL, OFFICER_MAIL, VERIFIER_MAIL, Town

MONTH = "2026-12"
NOON = month_start_ms(MONTH) + 12 * 3_600_000
HALF_HOUR_MS = 1_800_000


def at(n: int) -> int:
    return NOON + n * HALF_HOUR_MS


async def lying_plant(folk: Folk) -> str:
    """3 kW: half an hour brings 1,500 Wh at most; once it claims 9 kWh, and one reading comes twice, differently."""
    device = await folk.device(await folk.join(), key=KEY.public_key.hex())
    registers = [0, 500, 1_000, 10_000, 10_500, 11_000, 11_500]
    readings = [("generated", at(n), value) for n, value in enumerate(registers)]
    await folk.send(device, *readings, *(("sold", at(n), 100 * n) for n in range(7)))
    await folk.send(device, ("generated", at(6), 11_400), sequence=2)
    return device


@pytest.mark.function("E4f", "E1e")
async def test_a_lie_waits_with_its_reason_until_an_officer_decides(town: Town, folk: Folk) -> None:
    device = await lying_plant(folk)
    month = f"/quarantine/{device}/{MONTH}"

    def row() -> dict[str, object]:
        (found,) = folk.ask("months", device=device)["rows"]
        return dict(found["row"])

    before = row()
    assert before["totals"] == {"generated": 2_000, "sold": 400} and before["quarantined"] == 2
    async with town.as_(OFFICER_MAIL) as officer, town.as_(FOREIGN_MAIL) as foreign, town.as_(VERIFIER_MAIL) as reader:
        page = await officer.get("/quarantine")
        assert "機器の能力を超えています (1)" in page.main and "同じ時刻に異なる値が届いています (1)" in page.main
        assert "2 件" in page.main
        assert device not in (await foreign.get("/quarantine")).text and (await foreign.get(month)).status == 404
        assert (await reader.get(month)).status == 200 and (await reader.get(f"{month}/review")).status == 403
        page = await officer.get(month)
        assert "11.5 kWh / 11.4 kWh" in page.main and "9 kWh" in page.main
        over, conflict = f"generated/{at(3)}", f"generated/{at(6)}"
        await officer.get(f"{month}/review")
        wrong = {"readings": [over], "decision": "release", "why": "tampered"}
        page = await officer.send(wrong)
        assert page.status == 422 and "この決定に合う理由" in page.main
        await officer.get(f"{month}/review")
        await confirm(officer, {"readings": [conflict], "decision": "reject", "why": "meter_fault"})
        assert "1 件を除外しました" in officer.page.text
        await folk.record()
        assert row() == before, "left out: the totals stay"
        page = await officer.get(month)
        assert "除外" in page.main and conflict not in (await officer.get(f"{month}/review")).text
        await confirm(officer, {"readings": [over], "decision": "release", "why": "checked_meter"})
        assert "1 件を算入しました" in officer.page.text
        await folk.record()
        assert row()["totals"] == {"generated": 11_000 - 0 - 0, "sold": 500}
        assert row()["quarantined"] == 1
        assert "保留中の計測値はありません" in (await officer.get("/quarantine")).main
        assert "除外" in (await officer.get(month)).main and device in (await officer.get("/quarantine?all=1")).text
    reviews = town.kit.database.read_now(lambda s: sorted(r.released for r in s.query(EcoReview)))
    assert reviews == [False, True]
    told = [s.event.data for s in (await town.kit.chain.history(f"device:{device}"))[0] if "why" in s.event.data]
    assert [data["why"] for data in told] == ["meter_fault", "checked_meter"]
