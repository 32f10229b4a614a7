"""The calls and queries of the points ledger, which a contract has by inheriting `PointsContract`.

Its roles are those of the contract (`<contract>.admin`, `.officer`, `.app`), and so are its tables.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.paging import After, Limit
from contracts.points import accounts, payments, queries, rewards, settlement
from contracts.points import codes as one_time
from contracts.points.types import (
    MAX_VALID_MS,
    AccountKind,
    Code,
    Commitment,
    Label,
    OneTimeCode,
    Payment,
    Points,
    Pseudonym,
    Redemption,
    Reward,
    Statement,
    Stock,
    Totals,
    tables_of,
)
from ledger.contract import Context, Contract, QueryContext, Result, call, query
from ledger.types import MunicipalCode

APP, OFFICER, ADMIN = ".app", ".officer", ".admin"

Valid = Annotated[int, msgspec.Meta(ge=1_000, le=MAX_VALID_MS)]
"""Milliseconds from the time of the block."""
Expired = Annotated[int, msgspec.Meta(ge=1, le=accounts.MAX_EXPIRED)]
More = Annotated[int, msgspec.Meta(ge=-(10**6), le=10**6)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
RewardPoints = Annotated[int, msgspec.Meta(ge=1, le=10**7)]


class PointsContract(Contract):
    """Base of contracts that grant points. They add `PointsReason` to their `reasons`."""

    # -- accounts ------------------------------------------------------------------------------------------------------

    @call(roles=[OFFICER, ADMIN])
    def open_shop(self, ctx: Context, shop: Pseudonym) -> Result:
        """E7a, V7d: a shop or counter of the municipality takes part."""
        accounts.open_account(ctx, shop, "shop", ctx.sender.organisation)
        return None

    @call(roles=[OFFICER, ADMIN])
    def close_shop(self, ctx: Context, shop: Pseudonym) -> Result:
        """E7b: a shop that has settled all its points takes part no more."""
        accounts.shop(ctx, shop)
        accounts.close_account(ctx, shop)
        return None

    @call(roles=[APP, OFFICER])
    def expire(self, ctx: Context, limit: Expired = accounts.MAX_EXPIRED) -> Result:
        """E7c, V13: enter the expiry of lots whose time has come, the earliest first; again while some are left."""
        return accounts.expire(ctx, limit)

    # -- payments ------------------------------------------------------------------------------------------------------

    @call(roles=[APP])
    def open_payment(
        self, ctx: Context, account: Pseudonym, points: Points, commitment: Commitment, valid_ms: Valid = MAX_VALID_MS
    ) -> Result:
        """E7a, V7d ポイント交換: a resident is about to pay so many points and holds the one-time code."""
        return payments.open_payment(ctx, account, points, commitment, valid_ms)

    @call(roles=[APP])
    def cancel_payment(self, ctx: Context, payment: Code, account: Pseudonym) -> Result:
        """E7a: the resident takes back a payment that no shop has confirmed."""
        return payments.cancel(ctx, payment, account)

    @call(roles=[APP])
    def confirm_payment(self, ctx: Context, code: OneTimeCode, shop: Pseudonym) -> Result:
        """E7a, V7d: the shop confirms with the resident's code; the points move."""
        return payments.confirm(ctx, code, shop)

    @call(roles=[APP])
    def refund_payment(self, ctx: Context, payment: Code, shop: Pseudonym, points: Points) -> Result:
        """E7c: the shop gives back all or part of a payment; the lots come back with their expiry."""
        return payments.refund(ctx, payment, shop, points)

    # -- settlement ----------------------------------------------------------------------------------------------------

    @call(roles=[APP, OFFICER])
    def close_statement(self, ctx: Context, shop: Pseudonym) -> Result:
        """E7b, V7e: lock all that the shop has into a statement."""
        return settlement.close(ctx, shop)

    @call(roles=[OFFICER])
    def approve_statement(self, ctx: Context, statement: Code) -> Result:
        """E7b: an officer approves a statement."""
        return settlement.approve(ctx, statement)

    @call(roles=[OFFICER])
    def reject_statement(self, ctx: Context, statement: Code) -> Result:
        """E7b: an officer sends a statement back; the shop has its points again."""
        return settlement.reject(ctx, statement)

    @call(roles=[OFFICER])
    def burn_statement(self, ctx: Context, statement: Code) -> Result:
        """E7b, V7e: the points of an approved statement are erased, once."""
        return settlement.burn(ctx, statement)

    @call(roles=[OFFICER])
    def pay_statement(self, ctx: Context, statement: Code) -> Result:
        """E7b, E4d: another officer than the one who approved it says that the money is paid."""
        return settlement.pay(ctx, statement)

    # -- rewards -------------------------------------------------------------------------------------------------------

    @call(roles=[ADMIN, OFFICER])
    def register_reward(
        self, ctx: Context, name_ja: Label, name_en: Label, points: RewardPoints, stock: Stock
    ) -> Result:
        """E7c, V7f: something for which residents can give points: a product, a ticket, a discount."""
        return rewards.register(ctx, name_ja=name_ja, name_en=name_en, points=points, stock=stock)

    @call(roles=[ADMIN, OFFICER])
    def change_reward(
        self, ctx: Context, reward: Code, name_ja: Label, name_en: Label, points: RewardPoints, in_use: bool
    ) -> Result:
        """E7c: another name or price, or no longer offered."""
        return rewards.change(ctx, reward, name_ja=name_ja, name_en=name_en, points=points, in_use=in_use)

    @call(roles=[ADMIN, OFFICER])
    def restock_reward(self, ctx: Context, reward: Code, more: More) -> Result:
        """E7c: `more` have come in, or (negative) are gone."""
        return rewards.restock(ctx, reward, more)

    @call(roles=[APP])
    def redeem_reward(
        self, ctx: Context, account: Pseudonym, reward: Code, commitment: Commitment, count: Count = 1
    ) -> Result:
        """E7c, V7f: a resident gives points for a reward and holds the code with which to fetch it."""
        return rewards.redeem(ctx, account, reward, count, commitment)

    @call(roles=[APP, OFFICER])
    def hand_out_reward(self, ctx: Context, code: OneTimeCode) -> Result:
        """E7c: the reward is handed out against the code."""
        return rewards.hand_out(ctx, code)

    @call(roles=[APP, OFFICER])
    def cancel_redemption(self, ctx: Context, redemption: Code, account: Pseudonym) -> Result:
        """E7c: an order is taken back: lots and stock are as before."""
        return rewards.cancel(ctx, redemption, account)

    # -- queries -------------------------------------------------------------------------------------------------------

    @query
    def points_account(self, ctx: QueryContext, account: Pseudonym) -> queries.AccountView | None:
        """E7a: an account's balance, lots and next expiry."""
        found = tables_of(self.name).accounts.get(ctx.state, account)
        return None if found is None else queries.account_view(found, ctx.time_ms)

    @query
    def points_accounts(
        self, ctx: QueryContext, municipality: MunicipalCode, kind: AccountKind, after: After = "", limit: Limit = 100
    ) -> queries.AccountPage:
        """The residents or shops of a municipality."""
        prefix = f"{municipality}/{kind}/"
        return queries.accounts(ctx.state, tables_of(self.name), prefix, ctx.time_ms, after, limit)

    @query
    def points_history(
        self, ctx: QueryContext, account: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.EntryPage:
        """V7c: what came to an account and went from it, newest first."""
        return queries.history(ctx.state, tables_of(self.name), account, after, limit)

    @query
    def points_totals(self, ctx: QueryContext, municipality: MunicipalCode) -> Totals:
        """Where all the points of a municipality are."""
        return tables_of(self.name).totals.get(ctx.state, municipality) or Totals()

    @query
    def points_due(self, ctx: QueryContext, municipality: MunicipalCode) -> bool:
        """Whether there are lots whose time has come and whose expiry is not entered: `expire` does that."""
        return accounts.is_due(ctx.state, tables_of(self.name), municipality, ctx.time_ms)

    @query
    def payment(self, ctx: QueryContext, payment: Code) -> Payment | None:
        """One payment."""
        return tables_of(self.name).payments.get(ctx.state, payment)

    @query
    def payment_with_code(self, ctx: QueryContext, code: OneTimeCode) -> Payment | None:
        """E7a: what a shop is about to confirm with this code."""
        tables = tables_of(self.name)
        found = tables.payment_codes.get(ctx.state, one_time.commitment(code))
        return None if found is None else tables.payments.get(ctx.state, found.id)

    @query
    def payments(
        self, ctx: QueryContext, account: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.PaymentPage:
        """V7c: a resident's payments, or those a shop has confirmed, newest first."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.payments_of, tables.payments, f"{account}/", after, limit)
        return queries.PaymentPage(*found)

    @query
    def statement(self, ctx: QueryContext, statement: Code) -> Statement | None:
        """One statement."""
        return tables_of(self.name).statements.get(ctx.state, statement)

    @query
    def statements(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.StatementPage:
        """E7b: the statements of a municipality's shops, newest first."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.statements_in, tables.statements, f"{municipality}/", after, limit)
        return queries.StatementPage(*found)

    @query
    def shop_statements(
        self, ctx: QueryContext, shop: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.StatementPage:
        """E7b: one shop's statements, newest first."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.statements_of, tables.statements, f"{shop}/", after, limit)
        return queries.StatementPage(*found)

    @query
    def reward(self, ctx: QueryContext, reward: Code) -> Reward | None:
        """One reward with its stock."""
        return tables_of(self.name).rewards.get(ctx.state, reward)

    @query
    def rewards(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.RewardPage:
        """E7c: the catalogue of a municipality, withdrawn rewards too."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.rewards_in, tables.rewards, f"{municipality}/", after, limit)
        return queries.RewardPage(*found)

    @query
    def redemptions(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.RedemptionPage:
        """E7c: the rewards ordered from a municipality, newest first."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.redemptions_in, tables.redemptions, f"{municipality}/", after, limit)
        return queries.RedemptionPage(*found)

    @query
    def account_redemptions(
        self, ctx: QueryContext, account: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.RedemptionPage:
        """E7c: one resident's rewards, newest first."""
        tables = tables_of(self.name)
        found = queries.listed(ctx.state, tables.redemptions_of, tables.redemptions, f"{account}/", after, limit)
        return queries.RedemptionPage(*found)

    @query
    def redemption_with_code(self, ctx: QueryContext, code: OneTimeCode) -> Redemption | None:
        """E7c: what is about to be handed out against this code."""
        tables = tables_of(self.name)
        found = tables.redemption_codes.get(ctx.state, one_time.commitment(code))
        return None if found is None else tables.redemptions.get(ctx.state, found.id)

    @query
    def redemption(self, ctx: QueryContext, redemption: Code) -> Redemption | None:
        """One redemption."""
        return tables_of(self.name).redemptions.get(ctx.state, redemption)
