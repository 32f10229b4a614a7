"""What the copy of the chain's rows holds: members, devices, their months, periods, and the books (`books.copy`).

`apps.common.copying` follows the chain and writes; here is which rows an event names, and how they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.copying import Asker, Copy, fields, gather
from apps.common.database import Base
from apps.ecopoints.books.copy import ChangedBooks
from apps.ecopoints.intake.store import note_review
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow, PeriodRow
from contracts.ecopoints.queries import MonthPage
from contracts.ecopoints.types import ECOPOINTS, Device, Member, Period
from ledger.types import Event

CURSOR = "ecopoints-copy-2"
"""With another number the copy is built anew: raise it when its tables change."""
PAGE = 100
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
        work = [_member(found, asker, i) for i in self.members] + [_device(found, asker, i) for i in self.devices]
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

    def put(self, session: Session) -> None:
        for row in self.rows:
            session.merge(row)
        session.flush()
        devices = CopiedRegistry().devices(session, {review.device for review in self.reviews})
        for review in self.reviews:
            device = devices[review.device]
            note_review(session, device, review.channel, review.end_ms, released=review.released)


async def _member(found: Rows, asker: Asker, member: str) -> None:
    if (row := await asker.one(Member, "member", {"member": member})) is not None:
        found.rows.append(MemberRow(**fields(row)))


async def _device(found: Rows, asker: Asker, device: str) -> None:
    row = await asker.one(Device, "device", {"device": device})
    if row is None:
        return
    found.rows.append(DeviceRow(**fields(row)))
    after = ""
    while True:
        page = await asker.one(MonthPage, "months", {"device": device, "after": after, "limit": PAGE})
        if page is None:
            return
        found.rows += [DeviceMonthRow(device=device, month=view.month, **fields(view.row)) for view in page.rows]
        after = page.next
        if not after:
            return


async def _period(found: Rows, asker: Asker, period: str) -> None:
    if (row := await asker.one(Period, "period", {"period": period})) is not None:
        columns = fields(row)
        columns["years"] = {year: msgspec.structs.asdict(sums) for year, sums in row.years.items()}
        found.rows.append(PeriodRow(**columns))


COPY = Copy(CURSOR, ECOPOINTS, Changed)
own_writes = COPY.own_writes
