"""What the pages of points look up: the visitor's own account, names, pages of rows, questions to the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.chain import ChainUnavailable
from apps.common.copying import Asker
from apps.common.tables import User
from apps.common.web import Visit
from apps.points.tables import RewardRow, ShopRow
from apps.points.use import Use
from contracts.points.queries import AccountView
from ledger.encoding import Value

PAGE_ROWS = 30
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R")


@dataclass(frozen=True)
class Sure:
    """A form that only asks whether it is meant."""

    sure: bool = forms.tick(required=True)


@dataclass(frozen=True)
class Nothing:
    """A form of one button."""


async def ask(use: Use, visit: Visit, kind: type[S], method: str, **arguments: Value) -> S | None:
    """The contract's answer, not of before what the copy shows; 503 while no node answers."""
    height = await visit.kit.database.read(use.copy.height)
    try:
        return await Asker(visit.kit.chain, use.contract, height).one(kind, method, arguments)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None


async def own_account(use: Use, visit: Visit) -> AccountView | None:
    """The visitor's account in the ledger; None until the municipality has opened one."""
    await use.copy.own_writes(visit)
    found = await ask(use, visit, AccountView, "points_account", account=visit.signed_in.pseudonym)
    return None if found is None or found.closed else found


async def own_shop(use: Use, visit: Visit) -> ShopRow:
    """The visitor's shop; there is no such page before the municipality has opened it."""
    await use.copy.own_writes(visit)
    account = visit.signed_in.pseudonym
    shop = await visit.kit.database.read(lambda session: session.get(ShopRow, account))
    if shop is None:
        raise web.HTTPNotFound
    return shop


def row_id(visit: Visit, part: str) -> str:
    """An id of the address, if the chain could have made it."""
    value = visit.part(part)
    if ID.fullmatch(value) is None:
        raise web.HTTPNotFound
    return value


def is_any_of(visit: Visit, roles: frozenset[str]) -> bool:
    return visit.user is not None and not roles.isdisjoint(visit.user.roles)


def page_of(session: Session, rows: Select[R], page: int) -> tuple[Sequence[R], int]:
    """A page of rows, and how many there are."""
    count = session.scalar(select(func.count()).select_from(rows.order_by(None).subquery())) or 0
    return session.scalars(rows.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all(), count


def shop_names(session: Session, accounts: Iterable[str]) -> dict[str, str]:
    """What people call shops."""
    wanted = sorted(set(accounts))
    rows = session.scalars(select(User).where(User.pseudonym.in_(wanted))).all() if wanted else ()
    return {user.pseudonym: user.name for user in rows}


def reward_names(visit: Visit, session: Session, rewards: Iterable[str]) -> Mapping[str, str]:
    wanted = sorted(set(rewards))
    rows = session.scalars(select(RewardRow).where(RewardRow.reward.in_(wanted))).all() if wanted else ()
    return {row.reward: reward_name(visit, row) for row in rows}


def reward_name(visit: Visit, reward: RewardRow) -> str:
    return reward.name_ja if visit.language == "ja" else reward.name_en


def noted(visit: Visit, kind: type[R], name: str) -> R:
    """What a form's context left for its `perform`."""
    value: Any = visit.noted[name]
    if not isinstance(value, kind):
        raise TypeError(name)
    return value
