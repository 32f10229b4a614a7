"""交換: a resident gives points for a reward and gets a code; an officer hands it out against that (E7c, V7f)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms, qr
from apps.common.codes import grouped
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem
from apps.common.web import Flash, Page, View, Visit
from apps.points import codes
from apps.points.copy import TOPIC, account_topic
from apps.points.looking import (
    PAGE_ROWS,
    Nothing,
    is_any_of,
    noted,
    own_account,
    page_of,
    reward_name,
    reward_names,
    row_id,
)
from apps.points.rewards import own_reward
from apps.points.tables import RedemptionRow, RewardRow
from apps.points.use import Use
from contracts.points.queries import AccountView
from contracts.points.types import Redemption
from ledger.encoding import Value

REDEEM = "points.redeem"
STATES = ("ordered", "handed_out", "cancelled")


@dataclass(frozen=True)
class Redeem:
    count: int = forms.number(minimum=1, maximum=100)


# -- ordering ----------------------------------------------------------------------------------------------------------


async def _redeem_context(use: Use, visit: Visit) -> Mapping[str, object]:
    account, reward = await own_account(use, visit), await own_reward(use, visit)
    if account is None or not reward.in_use:
        raise web.HTTPNotFound
    visit.noted["account"], visit.noted["reward"] = account, reward
    return {"account": account, "reward": reward, "name": reward_name(visit, reward)}


async def _one(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"count": ("1",)}


async def _redeem_check(visit: Visit, value: Redeem) -> Mapping[str, Problem]:
    account, reward = noted(visit, AccountView, "account"), noted(visit, RewardRow, "reward")
    if value.count > reward.stock:
        return {"count": Problem("points_redeem.out_of_stock", {"stock": f"{reward.stock:,}"})}
    if value.count * reward.points > account.points:
        return {"count": Problem("points_redeem.too_dear", {"points": f"{account.points:,}"})}
    return {}


def _redeem(use: Use, session: Session, visit: Visit, value: Redeem) -> Outcome:
    account, reward = noted(visit, AccountView, "account"), noted(visit, RewardRow, "reward")
    arguments: dict[str, Value] = {"account": account.account, "reward": reward.reward, "count": value.count}
    write = codes.put_with_code(session, visit, REDEEM, use.app_call(account.municipality, "redeem_reward", arguments))
    return Outcome("/points/redemptions/{redemption}", Flash("points_redeem.done", {}), write)


# -- one order ---------------------------------------------------------------------------------------------------------


async def known_redemption(use: Use, visit: Visit) -> RedemptionRow:
    """The order of the address, for its resident and the municipality's officers."""
    await use.copy.own_writes(visit)
    redemption_id, user = row_id(visit, "redemption"), visit.signed_in
    found = await visit.kit.database.read(lambda session: session.get(RedemptionRow, redemption_id))
    if found is None:
        raise web.HTTPNotFound
    is_own = is_any_of(visit, use.residents) and found.account == user.pseudonym
    is_office = is_any_of(visit, use.municipal) and found.municipality == user.organisation
    if not (is_own or is_office):
        raise web.HTTPNotFound
    return found


async def show_redemption(use: Use, visit: Visit) -> web.StreamResponse:
    """For its resident with the code until it is handed out."""
    made = await known_redemption(use, visit)
    is_own = made.account == visit.signed_in.pseudonym
    code = await codes.shown_code(visit, made.redemption) if is_own and made.status == "ordered" else ""
    names = await visit.kit.database.read(lambda session: reward_names(visit, session, [made.reward]))
    return visit.render(
        "points/redemption.html", made=made, is_own=is_own, code=grouped(code), name=names[made.reward],
        picture=qr.svg(visit.kit.url("points_hand_out", code=code), visit.t("points_redemption.qr")) if code else "",
        topic=account_topic(visit.signed_in.pseudonym),
    )  # fmt: skip


async def show_redemptions(use: Use, visit: Visit) -> web.StreamResponse:
    """A resident's own orders; for officers those of the municipality, by state."""
    await use.copy.own_writes(visit)
    user, page, is_office = visit.signed_in, visit.page_number(), is_any_of(visit, use.municipal)
    state = next((s for s in STATES if s == visit.query("state", 12)), "")
    mine = RedemptionRow.municipality == user.organisation if is_office else RedemptionRow.account == user.pseudonym
    rows = select(RedemptionRow).where(mine)
    if state:
        rows = rows.where(RedemptionRow.status == state)

    def look(session: Session) -> tuple[Sequence[RedemptionRow], int, Mapping[str, str]]:
        found, count = page_of(session, rows.order_by(RedemptionRow.ordered_ms.desc(), RedemptionRow.redemption), page)
        return found, count, reward_names(visit, session, (row.reward for row in found))

    redemptions, count, names = await visit.kit.database.read(look)
    return visit.render(
        "points/redemptions.html", redemptions=redemptions, count=count, page=page, page_rows=PAGE_ROWS, names=names,
        state=state, states=STATES, is_office=is_office, topic=TOPIC,
    )  # fmt: skip


async def _cancel_context(use: Use, visit: Visit) -> Mapping[str, object]:
    made = await known_redemption(use, visit)
    if made.account != visit.signed_in.pseudonym or made.status != "ordered":
        raise web.HTTPNotFound
    names = await visit.kit.database.read(lambda session: reward_names(visit, session, [made.reward]))
    visit.noted["made"] = made
    return {"made": made, "name": names[made.reward]}


def _cancel(use: Use, session: Session, visit: Visit, value: Nothing) -> Outcome:
    made = noted(visit, RedemptionRow, "made")
    arguments: dict[str, Value] = {"redemption": made.redemption, "account": made.account}
    call = use.app_call(made.municipality, "cancel_redemption", arguments)
    write = visit.kit.outbox.put(session, "points.cancel_order", call, user=visit.user)
    location = visit.kit.path("points_redemption", redemption=made.redemption)
    return Outcome(location, Flash("points_order_cancel.done", {}), write)


# -- handing out -------------------------------------------------------------------------------------------------------


async def _hand_out_context(use: Use, visit: Visit) -> Mapping[str, object]:
    await use.copy.own_writes(visit)
    code, made = await codes.scanned(use, visit, Redemption, "redemption_with_code")
    visit.noted["code"], visit.noted["made"] = code, made
    names = await visit.kit.database.read(lambda session: reward_names(visit, session, [made.reward]))
    return {"made": made, "name": names.get(made.reward, made.reward)}


async def _hand_out_check(visit: Visit, value: Nothing) -> Mapping[str, Problem]:
    if noted(visit, Redemption, "made").status != "ordered":
        return {"": Problem("points_hand_out.ended")}
    return {}


def _hand_out(use: Use, session: Session, visit: Visit, value: Nothing) -> Outcome:
    call = use.officer_call(visit.signed_in, "hand_out_reward", {"code": noted(visit, str, "code")})
    write = visit.kit.outbox.put(session, "points.hand_out", call, user=visit.user)
    return Outcome("/points/redemptions/{redemption}", Flash("points_hand_out.done", {}), write)


def pages(use: Use) -> tuple[Page, ...]:
    seeing = use.residents | use.municipal
    return (
        FormPage(
            "points_redeem", "/points/rewards/{reward}/redeem", use.residents, Redeem, partial(_redeem, use),
            context=partial(_redeem_context, use), initial=_one, check=_redeem_check, template="points/redeem.html",
        ),
        View("points_redemptions", "/points/redemptions", partial(show_redemptions, use), seeing),
        View("points_redemption", "/points/redemptions/{redemption}", partial(show_redemption, use), seeing),
        FormPage(
            "points_order_cancel", "/points/redemptions/{redemption}/cancel", use.residents, Nothing,
            partial(_cancel, use), context=partial(_cancel_context, use), review=False,
            template="points/order_cancel.html",
        ),
        codes.typed_page(
            use, "points_fetch", "/points/fetch", use.officers, "points_hand_out", Redemption, "redemption_with_code"
        ),
        FormPage(
            "points_hand_out", "/points/fetch/{code}", use.officers, Nothing, partial(_hand_out, use),
            context=partial(_hand_out_context, use), check=_hand_out_check, review=False,
            template="points/hand_out.html",
        ),
    )  # fmt: skip
