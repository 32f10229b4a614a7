"""What the pages of the books look up: rows of the visitor's municipality, and bounded pages asked of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.chain import ChainUnavailable
from apps.common.copying import Asker
from apps.common.forms import Option
from apps.common.tables import User, Write
from apps.common.web import Kit, Visit
from apps.ecopoints.books.tables import RuleRow, RunRow
from apps.ecopoints.copy import COPY, own_writes
from apps.ecopoints.home import methodology_title
from apps.ecopoints.tables import PeriodRow
from contracts.ecopoints.methodology import METHODOLOGIES, month_after, month_of, months_between
from contracts.ecopoints.types import ECOPOINTS
from ledger.encoding import Value

PAGE_ROWS = 30
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True)
class Sure:
    """A form that only asks whether it is meant."""

    sure: bool = forms.tick(required=True)


async def own_period(visit: Visit) -> PeriodRow:
    """The period of the address, if it is the visitor's municipality's; else there is no such page."""
    await own_writes(visit)
    period_id = visit.part("period")[:48]
    period = await visit.kit.database.read(lambda session: session.get(PeriodRow, period_id))
    if period is None or period.municipality != visit.signed_in.organisation:
        raise web.HTTPNotFound
    return period


async def own_rule(visit: Visit) -> RuleRow:
    """The rule of the address, likewise."""
    await own_writes(visit)
    rule_id = visit.part("rule")[:48]
    rule = await visit.kit.database.read(lambda session: session.get(RuleRow, rule_id))
    if rule is None or rule.municipality != visit.signed_in.organisation:
        raise web.HTTPNotFound
    return rule


def rules_of(session: Session, municipality: str) -> Sequence[RuleRow]:
    """The rules of a municipality, those in force latest first; a few a year."""
    rows = select(RuleRow).where(RuleRow.municipality == municipality)
    return session.scalars(rows.order_by(RuleRow.last_month.desc(), RuleRow.rule).limit(200)).all()


def runs_of(session: Session, period: str) -> Sequence[RunRow]:
    return session.scalars(select(RunRow).where(RunRow.period == period).order_by(RunRow.rule)).all()


def last_write(session: Session, kind: str, reference: str) -> Write | None:
    """How the newest of a chain of writes stands."""
    rows = select(Write).where(Write.kind == kind, Write.reference == reference)
    return session.scalar(rows.order_by(Write.id.desc()).limit(1))


def officer_names(session: Session, municipality: str) -> dict[str, str]:
    """What people call the accounts that sign, within their own municipality."""
    rows = select(User).where(User.organisation == municipality, User.chain_account != "").limit(500)
    return {user.chain_account: user.name for user in session.scalars(rows)}


async def asker(kit: Kit) -> Asker:
    """Questions to the contract that are not answered with less than the copy shows."""
    return Asker(kit.chain, ECOPOINTS, await kit.database.read(COPY.height))


async def ask(visit: Visit, kind: type[S], method: str, **arguments: Value) -> S:
    """A page of the contract's rows; 503 while no node answers."""
    try:
        found = await (await asker(visit.kit)).one(kind, method, arguments)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None
    if found is None:
        raise web.HTTPNotFound
    return found


# -- choices of forms --------------------------------------------------------------------------------------------------


def month_options(now_ms: int, before: int, after: int) -> list[Option]:
    """Months around the present one: `2026-04`."""
    now = month_of(now_ms)
    return [Option(month, month) for month in months_between(month_after(now, -before), month_after(now, after))]


def methodology_options(visit: Visit) -> list[Option]:
    return [Option(code, f"{code} {methodology_title(visit, code)}") for code in METHODOLOGIES]
