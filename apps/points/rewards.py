"""交換品: the municipality's catalogue for residents, and the pages on which officers keep it (E7c, V7f)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.web import Flash, Page, View, Visit
from apps.points.copy import TOPIC
from apps.points.looking import PAGE_ROWS, ask, is_any_of, noted, page_of, reward_name, row_id
from apps.points.tables import RewardRow
from apps.points.use import Use
from contracts.points.queries import AccountView
from ledger.encoding import Value

MAX_POINTS = 10**7
MAX_STOCK = 10**6


@dataclass(frozen=True)
class NewReward:
    name_ja: str = forms.text(max_length=80)
    name_en: str = forms.text(max_length=80)
    points: int = forms.number(minimum=1, maximum=MAX_POINTS, unit="unit.points")
    stock: int = forms.number(minimum=0, maximum=MAX_STOCK)


@dataclass(frozen=True)
class EditReward:
    name_ja: str = forms.text(max_length=80)
    name_en: str = forms.text(max_length=80)
    points: int = forms.number(minimum=1, maximum=MAX_POINTS, unit="unit.points")
    in_use: bool = forms.tick()


@dataclass(frozen=True)
class Restock:
    more: int = forms.number(minimum=-MAX_STOCK, maximum=MAX_STOCK)


async def show_rewards(use: Use, visit: Visit) -> web.StreamResponse:
    """What there is for how many points; officers see also what is withdrawn."""
    await use.copy.own_writes(visit)
    user, page, is_office = visit.signed_in, visit.page_number(), is_any_of(visit, use.municipal)
    rows = select(RewardRow).where(RewardRow.municipality == await town_of(use, visit))
    if not is_office:
        rows = rows.where(RewardRow.in_use.is_(True))
    rows = rows.order_by(RewardRow.in_use.desc(), RewardRow.points, RewardRow.reward)
    rewards, count = await visit.kit.database.read(lambda session: page_of(session, rows, page))
    is_resident = is_any_of(visit, use.residents)
    account = await ask(use, visit, AccountView, "points_account", account=user.pseudonym) if is_resident else None
    return visit.render(
        "points/rewards.html", rewards=rewards, count=count, page=page, page_rows=PAGE_ROWS, is_office=is_office,
        account=account, name_of=lambda reward: reward_name(visit, reward), topic=TOPIC,
    )  # fmt: skip


async def town_of(use: Use, visit: Visit) -> str:
    """The municipality whose points the visitor has or manages."""
    user = visit.signed_in
    if is_any_of(visit, use.municipal):
        return user.organisation
    account = await ask(use, visit, AccountView, "points_account", account=user.pseudonym)
    return user.organisation if account is None else account.municipality


async def own_reward(use: Use, visit: Visit) -> RewardRow:
    """The reward of the address, if it is the municipality's."""
    await use.copy.own_writes(visit)
    reward_id = row_id(visit, "reward")
    reward = await visit.kit.database.read(lambda session: session.get(RewardRow, reward_id))
    if reward is None or reward.municipality != await town_of(use, visit):
        raise web.HTTPNotFound
    return reward


# -- keeping it --------------------------------------------------------------------------------------------------------


def _register(use: Use, session: Session, visit: Visit, value: NewReward) -> Outcome:
    arguments: dict[str, Value] = {
        "name_ja": value.name_ja, "name_en": value.name_en, "points": value.points, "stock": value.stock,
    }  # fmt: skip
    call = use.municipal_call(visit.signed_in, "register_reward", arguments)
    write = visit.kit.outbox.put(session, "points.reward", call, user=visit.user)
    return Outcome(visit.kit.path("points_rewards"), Flash("points_reward_new.done", {}), write)


async def _reward_context(use: Use, visit: Visit) -> Mapping[str, object]:
    reward = await own_reward(use, visit)
    visit.noted["reward"] = reward
    return {"reward": reward, "name": reward_name(visit, reward)}


async def _reward_now(visit: Visit) -> Mapping[str, Sequence[str]]:
    reward = noted(visit, RewardRow, "reward")
    return {
        "name_ja": (reward.name_ja,),
        "name_en": (reward.name_en,),
        "points": (str(reward.points),),
        "in_use": ("1",) if reward.in_use else (),
    }


def _edit(use: Use, session: Session, visit: Visit, value: EditReward) -> Outcome:
    arguments: dict[str, Value] = {
        "reward": noted(visit, RewardRow, "reward").reward, "name_ja": value.name_ja, "name_en": value.name_en,
        "points": value.points, "in_use": value.in_use,
    }  # fmt: skip
    call = use.municipal_call(visit.signed_in, "change_reward", arguments)
    write = visit.kit.outbox.put(session, "points.reward", call, user=visit.user)
    return Outcome(visit.kit.path("points_rewards"), Flash("points_reward_edit.done", {}), write)


async def _restock_check(visit: Visit, value: Restock) -> Mapping[str, Problem]:
    stock = noted(visit, RewardRow, "reward").stock
    if not value.more or stock + value.more < 0:
        return {"more": Problem("points_restock.impossible", {"stock": f"{stock:,}"})}
    return {}


def _restock(use: Use, session: Session, visit: Visit, value: Restock) -> Outcome:
    arguments: dict[str, Value] = {"reward": noted(visit, RewardRow, "reward").reward, "more": value.more}
    call = use.municipal_call(visit.signed_in, "restock_reward", arguments)
    write = visit.kit.outbox.put(session, "points.reward", call, user=visit.user)
    return Outcome(visit.kit.path("points_rewards"), Flash("points_restock.done", {}), write)


def pages(use: Use) -> tuple[Page, ...]:
    context = partial(_reward_context, use)
    return (
        View("points_rewards", "/points/rewards", partial(show_rewards, use), use.residents | use.municipal),
        FormPage("points_reward_new", "/points/rewards/new", use.municipal, NewReward, partial(_register, use)),
        FormPage(
            "points_reward_edit", "/points/rewards/{reward}/edit", use.municipal, EditReward, partial(_edit, use),
            context=context, initial=_reward_now, template="points/reward.html",
        ),
        FormPage(
            "points_restock", "/points/rewards/{reward}/stock", use.municipal, Restock, partial(_restock, use),
            context=context, check=_restock_check, template="points/reward.html",
        ),
    )  # fmt: skip
