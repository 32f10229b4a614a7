"""What the copy of the chain's rows holds: volunteers, certificates, postings, applications, requests, work, rules.

`apps.common.copying` follows the chain and writes; here is which rows an event names, and how they are read again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from apps.common.chain import Step
from apps.common.copying import Asker, Copy, fields, gather
from apps.common.database import Base
from apps.volunteers.tables import (
    ActivityRow,
    ApplicationRow,
    AskRow,
    CertificateRow,
    PostingRow,
    RequesterRow,
    RuleRow,
    VolunteerRow,
)
from contracts.volunteers.queries import CertificateView, VolunteerView
from contracts.volunteers.types import VOLUNTEERS, Activity, Application, Ask, Posting, Requester, Rule

CURSOR = "volunteers-copy-1"
"""With another number the copy is built anew: raise it when its tables change."""

KINDS = ("volunteer", "certificate", "requester", "posting", "ask", "activity", "rule")
TOPICS = {
    "volunteer": "volunteers",
    "certificate": "volunteers",
    "requester": "requesters",
    "posting": "postings",
    "ask": "asks",
    "activity": "activities",
    "rule": "rules",
}
"""The live lists that show rows of a kind."""


@dataclass(slots=True)
class Changed:
    """The ids of rows that events named, by the kind of their subjects."""

    ids: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    applications: set[tuple[str, str]] = field(default_factory=set)
    """Posting and volunteer, wherever an event names both."""

    def note(self, steps: Iterable[Step]) -> None:
        for step in steps:
            named = dict(subject.split(":", 1) for subject in step.event.subjects)
            for kind, row_id in named.items():
                if kind in self.ids:
                    self.ids[kind].add(row_id)
            if "posting" in named and "volunteer" in named:
                self.applications.add((named["posting"], named["volunteer"]))

    def __len__(self) -> int:
        return sum(map(len, self.ids.values())) + len(self.applications)

    @property
    def topics(self) -> list[str]:
        return list(dict.fromkeys(TOPICS[kind] for kind, ids in self.ids.items() if ids))

    async def read(self, asker: Asker) -> Rows:
        """The rows as they stand."""
        found = Rows()
        await gather(self._work(found, asker))
        return found

    def _work(self, found: Rows, asker: Asker) -> Iterator[Awaitable[None]]:
        for volunteer in self.ids["volunteer"]:
            yield _volunteer(found, asker, volunteer)
        for certificate in self.ids["certificate"]:
            yield _certificate(found, asker, certificate)
        for requester in self.ids["requester"]:
            yield _requester(found, asker, requester)
        for posting in self.ids["posting"]:
            yield _posting(found, asker, posting)
        for posting, volunteer in self.applications:
            yield _application(found, asker, posting, volunteer)
        for ask in self.ids["ask"]:
            yield _ask(found, asker, ask)
        for activity in self.ids["activity"]:
            yield _activity(found, asker, activity)
        for rule in self.ids["rule"]:
            yield _rule(found, asker, rule)


@dataclass(slots=True)
class Rows:
    rows: list[Base] = field(default_factory=list)

    def put(self, session: Session) -> None:
        for row in self.rows:
            session.merge(row)


async def _volunteer(found: Rows, asker: Asker, volunteer: str) -> None:
    if (view := await asker.one(VolunteerView, "volunteer", {"volunteer": volunteer})) is not None:
        found.rows.append(VolunteerRow(**fields(view.volunteer)))


async def _certificate(found: Rows, asker: Asker, certificate: str) -> None:
    if (view := await asker.one(CertificateView, "certificate", {"certificate": certificate})) is not None:
        columns = fields(view.certificate)
        del columns["changes"]
        found.rows.append(CertificateRow(**columns))


async def _requester(found: Rows, asker: Asker, requester: str) -> None:
    if (row := await asker.one(Requester, "requester", {"requester": requester})) is not None:
        found.rows.append(RequesterRow(**fields(row)))


async def _posting(found: Rows, asker: Asker, posting: str) -> None:
    if (row := await asker.one(Posting, "posting", {"posting": posting})) is not None:
        found.rows.append(PostingRow(**fields(row)))


async def _application(found: Rows, asker: Asker, posting: str, volunteer: str) -> None:
    named = {"posting": posting, "volunteer": volunteer}
    if (row := await asker.one(Application, "application", named)) is not None:
        found.rows.append(ApplicationRow(**fields(row)))


async def _ask(found: Rows, asker: Asker, ask: str) -> None:
    if (row := await asker.one(Ask, "ask", {"ask": ask})) is not None:
        found.rows.append(AskRow(**fields(row)))


async def _activity(found: Rows, asker: Asker, activity: str) -> None:
    if (row := await asker.one(Activity, "activity", {"activity": activity})) is not None:
        found.rows.append(ActivityRow(**fields(row)))


async def _rule(found: Rows, asker: Asker, rule: str) -> None:
    if (row := await asker.one(Rule, "rule", {"rule": rule})) is not None:
        found.rows.append(RuleRow(**fields(row)))


COPY = Copy(CURSOR, VOLUNTEERS, Changed)
own_writes = COPY.own_writes
