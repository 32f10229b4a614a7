"""The intake's benchmark in small: real nodes, one of them killed, and a check that would notice what it looks for."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from apps.ecopoints.intake.tables import EcoReading
from benchmarks.intake import Plan, run
from benchmarks.intake_check import Check, Checker

PLAN = Plan(
    households=6, days=11, kinds=("pv", "ev"), honest=False, by_half_hours=False, seed=1, fiscal_year=2025,
    node_down=True,
)  # fmt: skip


@pytest.mark.function("EIa", "EIb", "EIc", "EIf", "E10")
@pytest.mark.process
def test_with_a_node_down_every_reading_is_accounted_for_and_no_lie_counts(tmp_path: Path) -> None:
    async def whole() -> tuple[Check, float, list[str]]:
        async with AsyncExitStack() as stack:
            ran = await run(PLAN, tmp_path, _nobody, lambda done, of: None, stack)
            check = await Checker(ran, _nobody).check()
            per_s = check.sent / sum(one.recorded_s for one in ran.rounds)
            await ran.kit.database.write(_falsify)
            again = Checker(ran, _nobody)
            await again.roots()
            return check, per_s, again.faults

    check, per_s, faults = asyncio.run(whole())
    assert check.ok, check.faults
    assert check.sent == check.stored == check.leaves == check.counted > 6_000
    assert check.lies == check.lies_quarantined > 0
    assert set(check.grams) == {"EN-R-002 FY2025", "EN-S-012 FY2025"}
    assert per_s > 10
    assert len(faults) == 1 and faults[0].startswith("root of"), "a stored reading that was changed is found out"


def _falsify(session: Session) -> None:
    key = session.execute(select(EcoReading.device, EcoReading.channel, EcoReading.end_ms).limit(1)).one()
    is_it = (EcoReading.device == key[0], EcoReading.channel == key[1], EcoReading.end_ms == key[2])
    session.execute(update(EcoReading).where(*is_it).values(value=EcoReading.value + 1))


def _nobody(text: str) -> None: ...
