"""What the copy of the chain's rows holds: members, devices, their months, periods, and the books (`books.copy`).

`apps.common.copying` follows the chain and writes; here is which rows an event names, and how they are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.copying import Asker, Copy, fields, gather
from apps.common.database import Base
from apps.ecopoints.books.copy import ChangedBooks
from apps.ecopoints.intake.store import note_review, write_over
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow, PeriodRow
from contracts.ecopoints.queries import MeasuredDevices, MonthPage
from contracts.ecopoints.types import ECOPOINTS, Device, Member, MonthRow, Period
from ledger.encoding import Value
from ledger.types import Event

CURSOR = "ecopoints-copy-2"
"""With another number the copy is built anew: raise it when its tables change."""
PAGE = 100
DEVICES_TOGETHER = 50
DEVICE_FIELDS = tuple(name for name in Device.__struct_fields__ if name != "device")
MONTH_FIELDS = MonthRow.__struct_fields__
REVIEW_EVENTS = frozenset({"reading_released", "reading_rejected"})
TOPICS = ("members", "devices", "periods")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An officer's decision on a reading (E4f): the metering counts it anew."""

    device: str
    channel: str
    end_ms: int
    released: bool


@dataclass(slots=True)
class Changed:
    """The ids of rows that events named."""

    members: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    periods: set[str] = field(default_factory=set)
    reviews: list[Reviewed] = field(default_factory=list)
    books: ChangedBooks = field(default_factory=ChangedBooks)

    def note(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if step.event.name in REVIEW_EVENTS:
                self.reviews.append(_reviewed(step.event))
            for subject in step.event.subjects:
                kind, _, row_id = subject.partition(":")
                self.books.note(step.event.name, kind, row_id)
                match kind:
                    case "member" if step.event.name.startswith("member_"):
                        self.members.add(row_id)
                    case "device":
                        self.devices.add(row_id)
                    case "period":
                        self.periods.add(row_id)
                    case _:
                        continue

    def __len__(self) -> int:
        return len(self.members) + len(self.devices) + len(self.periods) + len(self.books)

    @property
    def topics(self) -> list[str]:
        """The live lists that show these rows."""
        parts = zip(TOPICS, (self.members, self.devices, self.periods), strict=True)
        return [topic for topic, ids in parts if ids] + self.books.topics

    async def read(self, asker: Asker) -> Rows:
        """The rows as they stand."""
        found = Rows(self.reviews)
        work = [_member(found, asker, i) for i in self.members] + [
            _devices(found, asker, part) for part in _parts(self.devices)
        ]
        work += [_period(found, asker, i) for i in self.periods]
        await gather([*work, *self.books.read(asker, found.rows)])
        return found


def _reviewed(event: Event) -> Reviewed:
    device = next(s.removeprefix("device:") for s in event.subjects if s.startswith("device:"))
    data = event.data
    return Reviewed(device, str(data["channel"]), int(data["interval_end_ms"] or 0), event.name == "reading_released")


@dataclass(slots=True)
class Rows:
    reviews: list[Reviewed]
    rows: list[Base] = field(default_factory=list)
    devices: list[dict[str, object]] = field(default_factory=list)
    months: list[dict[str, object]] = field(default_factory=list)
    """Of these there are thousands in a half hour: they are written together."""

    def put(self, session: Session) -> None:
        for row in self.rows:
            session.merge(row)
        session.flush()
        write_over(session, DeviceRow, self.devices, *DEVICE_FIELDS)
        write_over(session, DeviceMonthRow, self.months, *MONTH_FIELDS)
        devices = CopiedRegistry().devices(session, {review.device for review in self.reviews})
        for review in self.reviews:
            device = devices[review.device]
            note_review(session, device, review.channel, review.end_ms, released=review.released)


async def _member(found: Rows, asker: Asker, member: str) -> None:
    if (row := await asker.one(Member, "member", {"member": member})) is not None:
        found.rows.append(MemberRow(**fields(row)))


def _parts(devices: Collection[str]) -> Iterator[list[str]]:
    """A half hour's batches change thousands of devices: they are asked for some at a time."""
    ids = sorted(devices)
    for start in range(0, len(ids), DEVICES_TOGETHER):
        yield ids[start : start + DEVICES_TOGETHER]


async def _devices(found: Rows, asker: Asker, devices: Sequence[str]) -> None:
    answer = await asker.one(MeasuredDevices, "measured", {"devices": list(devices), "limit": PAGE})
    if answer is None:
        return
    for row in answer.rows:
        found.devices.append(fields(row.device))
        page: MonthPage | None = row.months
        while page is not None:
            device = row.device.device
            found.months += [{"device": device, "month": view.month, **fields(view.row)} for view in page.rows]
            more: dict[str, Value] = {"device": device, "after": page.next, "limit": PAGE}
            page = await asker.one(MonthPage, "months", more) if page.next else None


async def _period(found: Rows, asker: Asker, period: str) -> None:
    if (row := await asker.one(Period, "period", {"period": period})) is not None:
        columns = fields(row)
        columns["years"] = {year: msgspec.structs.asdict(sums) for year, sums in row.years.items()}
        found.rows.append(PeriodRow(**columns))


COPY = Copy(CURSOR, ECOPOINTS, Changed)
own_writes = COPY.own_writes
