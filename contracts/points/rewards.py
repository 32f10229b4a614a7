"""交換品: the municipality's catalogue with its stock, and the points that residents give for it.

Points for a reward lie with the reward desk of the municipality until it is handed out, and are then burnt.
"""

from __future__ import annotations

import msgspec

from contracts.points import accounts, books
from contracts.points.codes import commitment
from contracts.points.reasons import PointsReason
from contracts.points.types import Found, Redemption, RedemptionStatus, Reward, newest_first, tables_of
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused


def known(ctx: Context, reward_id: str) -> Reward:
    reward = tables_of(ctx.contract).rewards.get(ctx.state, reward_id)
    if reward is None:
        raise Refused(PointsReason.NO_REWARD, reward=reward_id)
    accounts.own(ctx, reward.municipality)
    return reward


def _save(ctx: Context, reward: Reward) -> None:
    if reward.stock < 0:
        raise BrokenInvariant(f"reward {reward.reward} would have a stock of {reward.stock}")
    tables_of(ctx.contract).rewards.put(ctx.state, reward.reward, reward)


def register(ctx: Context, *, name_ja: str, name_en: str, points: int, stock: int) -> Result:
    """E7c, V7f: something new for which residents can give points."""
    municipality = ctx.sender.organisation
    reward = Reward(ctx.new_id("reward"), municipality, name_ja, name_en, points, stock, True)
    _save(ctx, reward)
    row_id = f"{municipality}/{reward.reward}"
    tables_of(ctx.contract).rewards_in.put(ctx.state, row_id, Found(reward.reward))
    ctx.emit("reward_registered", [f"reward:{reward.reward}"], points=points, stock=stock)
    return {"reward": reward.reward}


def change(ctx: Context, reward_id: str, *, name_ja: str, name_en: str, points: int, in_use: bool) -> Result:
    """E7c: another name or price, or no longer offered; what is ordered already stays as it was."""
    changed = msgspec.structs.replace(
        known(ctx, reward_id), name_ja=name_ja, name_en=name_en, points=points, in_use=in_use
    )
    _save(ctx, changed)
    ctx.emit("reward_changed", [f"reward:{reward_id}"], points=points, in_use=in_use)
    return None


def restock(ctx: Context, reward_id: str, more: int) -> Result:
    """E7c: `more` of it have come, or (negative) are gone: relative, so that orders made meanwhile are not lost."""
    reward = known(ctx, reward_id)
    if reward.stock + more < 0:
        raise Refused(PointsReason.OUT_OF_STOCK, reward=reward_id, stock=reward.stock)
    reward = msgspec.structs.replace(reward, stock=reward.stock + more)
    _save(ctx, reward)
    ctx.emit("reward_stocked", [f"reward:{reward_id}"], more=more, stock=reward.stock)
    return {"stock": reward.stock}


def redeem(ctx: Context, account_id: str, reward_id: str, count: int, code_commitment: str) -> Result:
    """E7c, V7f: a resident gives points for a reward, and will fetch it with the code."""
    tables = tables_of(ctx.contract)
    account, reward = accounts.resident(ctx, account_id), known(ctx, reward_id)
    if not reward.in_use:
        raise Refused(PointsReason.REWARD_WITHDRAWN, reward=reward_id)
    if reward.stock < count:
        raise Refused(PointsReason.OUT_OF_STOCK, reward=reward_id, stock=reward.stock)
    if tables.redemption_codes.get(ctx.state, code_commitment) is not None:
        raise Refused(PointsReason.CODE_USED)
    redemption_id, points = ctx.new_id("redemption"), reward.points * count
    lots = books.take(ctx, account, points, "redeemed", redemption_id, target="rewards")
    _save(ctx, msgspec.structs.replace(reward, stock=reward.stock - count))
    made = Redemption(
        redemption=redemption_id,
        account=account_id,
        municipality=reward.municipality,
        reward=reward_id,
        count=count,
        points=points,
        lots=lots,
        status="ordered",
        ordered_ms=ctx.time_ms,
        ended_ms=None,
    )
    tables.redemptions.put(ctx.state, redemption_id, made)
    tables.redemption_codes.put(ctx.state, code_commitment, Found(redemption_id))
    following = f"{newest_first(ctx.time_ms)}/{redemption_id}"
    tables.redemptions_in.put(ctx.state, f"{reward.municipality}/{following}", Found(redemption_id))
    tables.redemptions_of.put(ctx.state, f"{account_id}/{following}", Found(redemption_id))
    ctx.emit("reward_ordered", _subjects(made), points=points, count=count)
    return {"redemption": redemption_id, "points": points}


def hand_out(ctx: Context, code: str) -> Result:
    """E7c: the resident shows the code and gets the reward; the points are burnt."""
    found = tables_of(ctx.contract).redemption_codes.get(ctx.state, commitment(code))
    if found is None:
        raise Refused(PointsReason.UNKNOWN_CODE)
    made = _ordered(ctx, found.id)
    books.shift(ctx, made.municipality, made.points, source="rewards", target="redeemed")
    _end(ctx, made, "handed_out")
    ctx.emit("reward_handed_out", _subjects(made), points=made.points, count=made.count)
    return {"redemption": made.redemption, "reward": made.reward, "count": made.count}


def cancel(ctx: Context, redemption_id: str, account_id: str) -> Result:
    """E7c: an order is taken back: the lots return to the resident, the reward to the stock."""
    made = _ordered(ctx, redemption_id)
    if made.account != account_id:
        raise Refused(PointsReason.OTHER_REDEEMER)
    reward = known(ctx, made.reward)
    _save(ctx, msgspec.structs.replace(reward, stock=reward.stock + made.count))
    account = accounts.known(ctx, made.account)
    books.give(ctx, account, made.lots, "returned", redemption_id, source="rewards")
    _end(ctx, made, "cancelled")
    ctx.emit("reward_cancelled", _subjects(made), points=made.points, count=made.count)
    return None


def _ordered(ctx: Context, redemption_id: str) -> Redemption:
    made = tables_of(ctx.contract).redemptions.get(ctx.state, redemption_id)
    if made is None:
        raise Refused(PointsReason.NO_REDEMPTION, redemption=redemption_id)
    accounts.own(ctx, made.municipality)
    if made.status != "ordered":
        raise Refused(PointsReason.REDEMPTION_ENDED, redemption=redemption_id, status=made.status)
    return made


def _end(ctx: Context, made: Redemption, status: RedemptionStatus) -> None:
    ended = msgspec.structs.replace(made, status=status, ended_ms=ctx.time_ms)
    tables_of(ctx.contract).redemptions.put(ctx.state, made.redemption, ended)


def _subjects(made: Redemption) -> list[str]:
    return [f"redemption:{made.redemption}", f"account:{made.account}", f"reward:{made.reward}"]
