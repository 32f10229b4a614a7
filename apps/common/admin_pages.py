"""Account pages for administrators: the list, a new account, an account's roles, suspension, deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import accounts, forms, sessions
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.tables import User
from apps.common.web import Flash, Page, View, Visit

if TYPE_CHECKING:
    from apps.common.application import Site

PAGE_ROWS = 50
STATES = ("active", "suspended")


@dataclass(frozen=True)
class NewAccount:
    name: str = forms.text(max_length=60)
    email: str = forms.email(autocomplete="off")
    roles: tuple[str, ...] = forms.several(required=True)
    organisation: str = forms.text(required=False, max_length=6, pattern="[0-9]{6}")
    place: str = forms.text(required=False, max_length=64)


@dataclass(frozen=True)
class EditAccount:
    name: str = forms.text(max_length=60)
    roles: tuple[str, ...] = forms.several(required=True)
    place: str = forms.text(required=False, max_length=64)
    state: str = forms.radio()


@dataclass(frozen=True)
class DeleteAccount:
    sure: bool = forms.tick(required=True)


def admin_pages(site: Site) -> tuple[Page, ...]:
    """`X6`: an administrator of a municipality sees and changes the accounts of that municipality only."""
    admins = site.administrators

    async def options(visit: Visit) -> Options:
        return {
            "roles": [Option(role, visit.t(f"role.{role}")) for role in site.roles],
            "state": [Option(state, visit.t(f"account.{state}")) for state in STATES],
        }

    return (
        View("accounts", "/accounts", _list, admins),
        FormPage("account_new", "/accounts/new", admins, NewAccount, _create, options=options),
        FormPage(
            "account_edit", "/accounts/{user_id}", admins, EditAccount, _edit,
            options=options, initial=_current, context=_context, template="common/account.html",
        ),
        FormPage(
            "account_delete", "/accounts/{user_id}/delete", admins, DeleteAccount, _delete,
            context=_context, review=False, template="common/account_delete.html",
        ),
    )  # fmt: skip


async def _list(visit: Visit) -> web.StreamResponse:
    mine, search, page = visit.signed_in.organisation, visit.query("q", 60), visit.page_number()

    def look(session: Session) -> tuple[Sequence[User], int]:
        rows = select(User)
        if mine:
            rows = rows.where(User.organisation == mine)
        if search:
            like = f"%{search.replace('%', '').replace('_', '')}%"
            rows = rows.where(User.name.like(like) | User.email.like(like))
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = rows.order_by(User.email).offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)
        return session.scalars(shown).all(), count

    users, count = await visit.kit.database.read(look)
    return visit.render("common/accounts.html", users=users, count=count, page=page, page_rows=PAGE_ROWS, search=search)


def _create(session: Session, visit: Visit, value: NewAccount) -> Outcome:
    mine = visit.signed_in.organisation
    if mine and value.organisation not in ("", mine):
        raise FormRefused({"organisation": Problem("account.foreign")})
    if accounts.find(session, value.email) is not None:
        raise FormRefused({"email": Problem("account.taken")})
    user = accounts.create(
        session,
        email=value.email,
        name=value.name,
        password_hash="",
        roles=value.roles,
        now_ms=visit.now_ms,
        organisation=value.organisation or mine,
        place=value.place,
        language=visit.language,
    )
    token = accounts.new_link(session, user, accounts.RESET, visit.now_ms)
    visit.kit.mails.tell(session, user, "welcome", link=visit.kit.url("reset", token=token))
    return Outcome(visit.kit.path("accounts"), Flash("account.created", {}))


def _find(session: Session, visit: Visit) -> User:
    """The account of the address, if this administrator may see it (X6)."""
    part = visit.part("user_id")
    user = session.get(User, int(part)) if part.isascii() and part.isdecimal() and len(part) < 12 else None
    mine = visit.signed_in.organisation
    if user is None or (mine and user.organisation != mine):
        raise web.HTTPNotFound
    return user


async def _context(visit: Visit) -> Mapping[str, object]:
    return {"account": await visit.kit.database.read(lambda session: _find(session, visit))}


async def _current(visit: Visit) -> Mapping[str, Sequence[str]]:
    user = await visit.kit.database.read(lambda session: _find(session, visit))
    state = STATES[0] if user.suspended_ms is None else STATES[1]
    return {"name": (user.name,), "roles": tuple(user.roles), "place": (user.place,), "state": (state,)}


def _edit(session: Session, visit: Visit, value: EditAccount) -> Outcome:
    user = _find(session, visit)
    if user.id == visit.signed_in.id and (value.state != STATES[0] or set(value.roles) != set(user.roles)):
        raise FormRefused({"": Problem("account.own")})
    user.name, user.place = value.name, value.place
    if set(value.roles) != set(user.roles) or value.state != STATES[0]:
        sessions.end_all(session, user.id)
    user.roles = sorted(value.roles)
    if value.state == STATES[0]:
        user.suspended_ms = None
    elif user.suspended_ms is None:
        user.suspended_ms = visit.now_ms
    return Outcome(visit.kit.path("accounts"), Flash("account.changed", {}))


def _delete(session: Session, visit: Visit, value: DeleteAccount) -> Outcome:
    user = _find(session, visit)
    if user.id == visit.signed_in.id:
        raise FormRefused({"": Problem("account.own")})
    session.delete(user)
    return Outcome(visit.kit.path("accounts"), Flash("account.deleted", {}))
