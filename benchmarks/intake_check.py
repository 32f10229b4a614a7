"""Nothing lost, nothing doubled, no lie believed: what is on the chain after a run of `benchmarks.intake`, checked.

Asked of the chain is everything that counts: the batches' roots, each device's number of readings and months, and the
reductions of a period that is closed and settled here. Against it stand the packets that were handed in, the leaves of
the roots built again from the stored readings, and the truth of the simulator (`benchmarks.intake_truth`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.outbox import Call
from apps.common.seeding import Seeder
from apps.ecopoints.demo import officer_account
from apps.ecopoints.intake.batcher import leaf_of
from apps.ecopoints.intake.planning import readings_of
from apps.ecopoints.intake.tables import EcoBatch, EcoReading
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import app_account
from benchmarks.intake import CODE, REGION, Ran, Tell
from benchmarks.intake_truth import NOTHING_WRONG, MonthTruth, Reduced, months_of, wrong_by_device
from contracts.ecopoints.metering import derive, window
from contracts.ecopoints.methodology import LATEST_TABLE
from contracts.ecopoints.methodology.calendar import month_of
from contracts.ecopoints.types import ECOPOINTS, Batch, MonthRow, Period
from ledger import merkle
from ledger.encoding import Value
from ledger.schema import from_plain

ASKED_AT_ONCE = 16
PAGE = 100
SHOWN_FAULTS = 20


class Check(msgspec.Struct, frozen=True):
    """Figures that must agree, and what does not."""

    sent: int
    """Distinct readings in the packets that were handed in."""
    stored: int
    leaves: int
    """Readings under the Merkle roots on the chain, each root built again from what is stored."""
    counted: int
    """The sum of the devices' numbers of readings on the chain."""
    device_months: int
    """Compared with the truth: each channel's total, the intervals that count, those in quarantine."""
    lies: int
    lies_quarantined: int
    grams: dict[str, str]
    """CO2 reduced, by methodology and fiscal year, as the settled period on the chain has it: exact."""
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.faults


@dataclass
class Checker:
    ran: Ran
    tell: Tell
    faults: list[str] = field(default_factory=list)

    async def check(self) -> Check:
        ran = self.ran
        self.tell("comparing what was sent with what is stored and what the roots on the chain cover")
        sent, stored = ran.sent.readings(), await ran.kit.database.read(_stored)
        self._same("readings stored", {k: stored.get(k, 0) for k in sent}, sent)
        leaves = await self.roots()
        self._same("leaves", leaves, sum(stored.values()))
        self.tell("asking the chain for every device and its months, and reckoning what they must be")
        counted, months = await self._devices()
        self._same("readings counted on the chain", counted, sum(stored.values()))
        truth = await asyncio.to_thread(self._truth)
        self._months(months, truth)
        lies, found = await ran.kit.database.read(self._lies)
        self._same("lies in quarantine", found, lies)
        self.tell("settling the period for its kilograms")
        grams = await self._grams(truth)
        return Check(
            sum(sent.values()), sum(stored.values()), leaves, counted, len(truth), lies, found, grams,
            tuple(self.faults[:SHOWN_FAULTS]),
        )  # fmt: skip

    def _same(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            self.faults.append(f"{what}: {str(found)[:200]}, and not {str(expected)[:200]}")

    async def _query(self, method: str, **arguments: Value) -> Any:  # an answer is what JSON can say
        return (await self.ran.client.query(ECOPOINTS, method, arguments)).result

    async def roots(self) -> int:
        """How many readings the chain's batches cover; each batch's root is built again."""
        kept = await self.ran.kit.database.read(
            lambda session: {row.batch: row.id for row in session.execute(select(EcoBatch.batch, EcoBatch.id))}
        )
        leaves, after, there = 0, "", set[str]()
        while True:
            page = await self._query("batches", municipality=CODE, after=after, limit=PAGE)
            for row in page["rows"]:
                batch = from_plain(Batch, row)
                there.add(batch.batch)
                made = await self.ran.kit.database.read(partial(_leaves, batch_id=kept.get(batch.batch, -1)))
                self._same(f"root of {batch.batch}", (merkle.root(made), len(made)), (batch.root, batch.readings))
                leaves += len(made)
            after = page["next"]
            if not after:
                self._same("batches on the chain", there, set(kept))
                return leaves

    async def _devices(self) -> tuple[int, dict[tuple[str, str], MonthRow]]:
        """All devices' number of readings, and the rows of their months."""
        gate, months = asyncio.Semaphore(ASKED_AT_ONCE), dict[tuple[str, str], MonthRow]()

        async def ask(device: str) -> int:
            async with gate:
                row = await self._query("device", device=device)
                page = await self._query("months", device=device, limit=PAGE)
            months.update({(device, view["month"]): from_plain(MonthRow, view["row"]) for view in page["rows"]})
            return int(row["readings"])

        return sum(await asyncio.gather(*(ask(device) for device in self.ran.ids.values()))), months

    def _truth(self) -> dict[tuple[str, str], MonthTruth]:
        ran = self.ran
        wrong = wrong_by_device(ran.labels)
        found: dict[tuple[str, str], MonthTruth] = {}
        for device in ran.devices:
            chain_id = ran.ids[device.label]
            months = months_of(
                ran.plan.seed, device, wrong.get(chain_id, NOTHING_WRONG), ran.plan.start_ms, ran.plan.days
            )  # fmt: skip
            found |= {(chain_id, name): month for name, month in months.items()}
        return found

    def _months(
        self, months: Mapping[tuple[str, str], MonthRow], truth: Mapping[tuple[str, str], MonthTruth]
    ) -> None:  # fmt: skip
        nothing = MonthRow({}, 0, 0, 0, (), ())
        for key, expected in truth.items():
            row = months.get(key, nothing)
            if expected.covered or expected.quarantined:
                self._same(f"month {key}", MonthTruth(dict(row.totals), row.covered, row.quarantined), expected)
        for key in months.keys() - truth.keys():
            self.faults.append(f"the chain has a month {key} in which nothing was sent")

    def _lies(self, session: Session) -> tuple[int, int]:
        """How many lies were told, and how many of them the metering of the stored readings names."""
        lies = [label for label in self.ran.labels if label.is_lie]
        found = 0
        for label in lies:
            device = CopiedRegistry().devices(session, [label.device])[label.device]
            month = month_of(label.end_ms - 1)
            derived = derive(device.plan, month, readings_of(session, device, *window(device.plan, month)))
            found += (label.channel, label.end_ms) in {(q.channel, q.end_ms) for q in derived.quarantined}
        return len(lies), found

    async def _grams(self, truth: Mapping[tuple[str, str], MonthTruth]) -> dict[str, str]:
        by_id = {self.ran.ids[device.label]: device for device in self.ran.devices}
        grams: dict[str, str] = {}
        for methodology in sorted({device.methodology for device in self.ran.devices if device.methodology}):
            reduced = Reduced(REGION)
            of_it = {key: month for key, month in truth.items() if by_id[key[0]].methodology == methodology}
            for (device, name), month in of_it.items():
                reduced.add(by_id[device], name, month)
            names = sorted(name for _, name in of_it)
            settled = await self._settled(methodology, names[0], names[-1])
            found = {int(year): Fraction(total.reduction) for year, total in settled.years.items()}
            self._same(f"kilograms of {methodology}", found, reduced.by_year)
            grams |= {f"{methodology} FY{year}": f"{float(kg * 1000):.1f}" for year, kg in found.items()}
        return grams

    async def _settled(self, methodology: str, first: str, last: str) -> Period:
        seeder, officer = Seeder(self.ran.kit), officer_account(1, CODE)
        (opened,) = await seeder.write(
            _call(officer, "open_period", methodology=methodology, first_month=first, last_month=last,
                  factor_table=LATEST_TABLE)
        )  # fmt: skip
        period = str(opened["period"])
        await seeder.write(_call(officer, "close_period", period=period))
        while (await seeder.write(_call(app_account(CODE), "settle_period", period=period)))[0]["left"]:
            pass
        row = await seeder.ask(ECOPOINTS, "period", period=period)
        if not isinstance(row, dict):
            raise RuntimeError(f"the chain does not know the period {period}")
        return from_plain(Period, row)


def _call(account: str, method: str, **arguments: Value) -> Call:
    return Call(account, ECOPOINTS, method, arguments)


def _stored(session: Session) -> dict[tuple[str, str], int]:
    query = select(EcoReading.device, EcoReading.channel, func.count()).group_by(EcoReading.device, EcoReading.channel)
    return {(device, channel): count for device, channel, count in session.execute(query)}


def _leaves(session: Session, batch_id: int) -> list[bytes]:
    """The leaves of a batch, in their order, from the readings that are stored."""
    query = select(EcoReading.device, EcoReading.channel, EcoReading.end_ms, EcoReading.value)
    rows = session.execute(query.where(EcoReading.batch_id == batch_id).order_by(EcoReading.leaf))
    return [leaf_of(*row) for row in rows]
