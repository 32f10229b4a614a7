"""精算: a shop closes its takings into a statement; officers approve, burn and pay it, two of them (E7b, E4d, V7e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.tables import User
from apps.common.web import Flash, Page, View, Visit
from apps.points.copy import TOPIC
from apps.points.looking import PAGE_ROWS, Sure, is_any_of, noted, own_shop, page_of, row_id, shop_names
from apps.points.tables import LineRow, ShopRow, StatementRow
from apps.points.use import Use

STATES = ("closed", "approved", "burnt", "paid", "rejected")
Step = Literal["approve", "reject", "burn", "pay"]
STEPS: Mapping[Step, str] = {"approve": "closed", "reject": "closed", "burn": "approved", "pay": "burnt"}
"""What an officer does with a statement, and the state in which it must be."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A statement with the names that its page shows."""

    row: StatementRow
    shop: str
    officers: Mapping[str, str]


async def known_statement(use: Use, visit: Visit) -> Seen:
    """The statement of the address, for its shop and the officers of its municipality."""
    await use.copy.own_writes(visit)
    statement_id, user = row_id(visit, "statement"), visit.signed_in

    def look(session: Session) -> Seen | None:
        row = session.get(StatementRow, statement_id)
        if row is None:
            return None
        names = shop_names(session, [row.shop])
        return Seen(row, names.get(row.shop, row.shop), officer_names(session, row.municipality))

    found = await visit.kit.database.read(look)
    if found is None:
        raise web.HTTPNotFound
    is_shop = is_any_of(visit, use.shops) and found.row.shop == user.pseudonym
    is_office = is_any_of(visit, use.municipal) and found.row.municipality == user.organisation
    if not (is_shop or is_office):
        raise web.HTTPNotFound
    return found


def officer_names(session: Session, municipality: str) -> dict[str, str]:
    """What people call the accounts that sign, within their own municipality."""
    rows = select(User).where(User.organisation == municipality, User.chain_account != "").limit(500)
    return {user.chain_account: user.name for user in session.scalars(rows)}


def lines_of(session: Session, statement: StatementRow) -> Sequence[int]:
    """The positions between which the lines of a statement lie: that of the statement before, and its own."""
    closes = select(LineRow.position).where(LineRow.shop == statement.shop, LineRow.kind == "settled")
    own = session.scalars(closes.where(LineRow.about == statement.statement)).one()
    before = session.scalar(closes.where(LineRow.position < own).order_by(LineRow.position.desc()).limit(1))
    return before or 0, own


async def show_statement(use: Use, visit: Visit) -> web.StreamResponse:
    """What is in it, who has done what, and what comes next."""
    seen, page = await known_statement(use, visit), visit.page_number()

    def look(session: Session) -> tuple[Sequence[LineRow], int]:
        first, last = lines_of(session, seen.row)
        rows = select(LineRow).where(
            LineRow.shop == seen.row.shop, LineRow.position > first, LineRow.position < last
        )  # fmt: skip
        return page_of(session, rows.order_by(LineRow.position), page)

    lines, count = await visit.kit.database.read(look)
    return visit.render(
        "points/statement.html", seen=seen, statement=seen.row, lines=lines, count=count, page=page,
        page_rows=PAGE_ROWS, topic=TOPIC, is_officer=is_any_of(visit, use.officers),
        is_approver=bool(seen.row.approved_by) and seen.row.approved_by == visit.signed_in.chain_account,
    )  # fmt: skip


async def show_statements(use: Use, visit: Visit) -> web.StreamResponse:
    """A shop's own statements; for officers those of the municipality, by state."""
    await use.copy.own_writes(visit)
    user, page = visit.signed_in, visit.page_number()
    is_office = is_any_of(visit, use.municipal)
    state = next((s for s in STATES if s == visit.query("state", 10)), "")
    mine = StatementRow.municipality == user.organisation if is_office else StatementRow.shop == user.pseudonym
    rows = select(StatementRow).where(mine)
    if state:
        rows = rows.where(StatementRow.status == state)

    def look(session: Session) -> tuple[Sequence[StatementRow], int, dict[str, str], ShopRow | None]:
        found, count = page_of(session, rows.order_by(StatementRow.closed_ms.desc(), StatementRow.statement), page)
        return found, count, shop_names(session, (row.shop for row in found)), session.get(ShopRow, user.pseudonym)

    statements, count, names, shop = await visit.kit.database.read(look)
    return visit.render(
        "points/statements.html", statements=statements, count=count, page=page, page_rows=PAGE_ROWS, names=names,
        shop=shop, state=state, states=STATES, is_office=is_office, topic=TOPIC,
    )  # fmt: skip


# -- closing -----------------------------------------------------------------------------------------------------------


async def _close_context(use: Use, visit: Visit) -> Mapping[str, object]:
    shop = await own_shop(use, visit)

    def look(session: Session) -> int:
        closes = select(func.max(LineRow.position)).where(LineRow.shop == shop.account, LineRow.kind == "settled")
        since = session.scalar(closes) or 0
        new = select(func.count()).select_from(LineRow)
        return session.scalar(new.where(LineRow.shop == shop.account, LineRow.position > since)) or 0

    visit.noted["shop"] = shop
    return {"shop": shop, "lines": await visit.kit.database.read(look)}


async def _close_check(visit: Visit, value: Sure) -> Mapping[str, Problem]:
    return {} if noted(visit, ShopRow, "shop").points else {"": Problem("points_close.nothing")}


def _close(use: Use, session: Session, visit: Visit, value: Sure) -> Outcome:
    shop = noted(visit, ShopRow, "shop")
    call = use.app_call(shop.municipality, "close_statement", {"shop": shop.account})
    write = visit.kit.outbox.put(session, "points.close", call, user=visit.user)
    return Outcome("/points/statements/{statement}", Flash("points_close.done", {}), write)


# -- officers ----------------------------------------------------------------------------------------------------------


async def _step_context(use: Use, step: Step, visit: Visit) -> Mapping[str, object]:
    seen = await known_statement(use, visit)
    if seen.row.status != STEPS[step]:
        raise web.HTTPNotFound
    is_approver = step == "pay" and seen.row.approved_by == visit.signed_in.chain_account
    visit.noted["statement"], visit.noted["is_approver"] = seen.row, is_approver
    return {"seen": seen, "statement": seen.row, "is_approver": is_approver}


async def _step_check(visit: Visit, value: Sure) -> Mapping[str, Problem]:
    """E4d: told before it is tried; the contract refuses it as well."""
    return {"": Problem("points_paid.not_yours")} if noted(visit, bool, "is_approver") else {}


def _step(use: Use, step: Step, session: Session, visit: Visit, value: Sure) -> Outcome:
    statement = noted(visit, StatementRow, "statement").statement
    call = use.officer_call(visit.signed_in, f"{step}_statement", {"statement": statement})
    write = visit.kit.outbox.put(session, f"points.{step}_statement", call, user=visit.user)
    flash = Flash(f"points_statement.done_{step}", {})
    return Outcome(visit.kit.path("points_statement", statement=statement), flash, write)


def _step_page(use: Use, step: Step, name: str) -> FormPage[Sure]:
    return FormPage(
        name, f"/points/statements/{{statement}}/{step}", use.officers, Sure, partial(_step, use, step),
        context=partial(_step_context, use, step), check=_step_check, review=False, template="points/step.html",
    )  # fmt: skip


def pages(use: Use) -> tuple[Page, ...]:
    seeing = use.shops | use.municipal
    return (
        View("points_statements", "/points/statements", partial(show_statements, use), seeing),
        FormPage(
            "points_close", "/points/statements/new", use.shops, Sure, partial(_close, use),
            context=partial(_close_context, use), check=_close_check, review=False, template="points/close.html",
        ),
        View("points_statement", "/points/statements/{statement}", partial(show_statement, use), seeing),
        _step_page(use, "approve", "points_approve"),
        _step_page(use, "reject", "points_reject"),
        _step_page(use, "burn", "points_burn"),
        _step_page(use, "pay", "points_paid"),
    )  # fmt: skip
