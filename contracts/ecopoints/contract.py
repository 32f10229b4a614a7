"""The eco-point contract: every call and query, with its function of the report and who may make it.

The rules are in the modules beside this one: `members`, `readings`, `documents`, `periods`, and the methodologies.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.access import AccessLog, AccessReason
from contracts.ecopoints import corrections, credits, documents, grants, members, periods, queries
from contracts.ecopoints import readings as reading_rules
from contracts.ecopoints.members import ADMIN, APP, GATEWAY, OFFICER
from contracts.ecopoints.methodology import MethodologyReason
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    APPLICATIONS,
    BLOCKS,
    DEVICES,
    DOCUMENTS,
    MAX_BATCH_DEVICES,
    MEMBERS,
    PERIODS,
    PROGRAMMES,
    REVIEWS,
    RULES,
    Amount,
    Application,
    BuyerCategory,
    Channel,
    Code,
    Commitment,
    Count,
    CreditBlock,
    Device,
    DeviceEntry,
    DeviceKey,
    DeviceKind,
    Document,
    GrantTime,
    Member,
    MemberKind,
    MethodologyCode,
    Month,
    Parameters,
    Period,
    Programme,
    Pseudonym,
    Region,
    Review,
    Rule,
    SerialPrefix,
)
from contracts.paging import After, Limit
from contracts.points import PointsContract, PointsReason
from ledger.contract import Context, QueryContext, Result, call, query
from ledger.types import Hash, MunicipalCode, TimeMs, whole

MEMBERS_SIDE = [APP, OFFICER]
Entries = Annotated[tuple[DeviceEntry, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH_DEVICES)]
Why = Annotated[str, whole(r"[a-z][a-z_]{0,31}")]
"""A code for the reason (`meter_replaced`, `holiday`, `not_plausible` …); words stay in the application."""
Evidence = Annotated[str, whole(r"([0-9a-f]{64})?")]
Version = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Settled = Annotated[int, msgspec.Meta(ge=1, le=periods.MAX_SETTLED)]
Methodologies = Annotated[tuple[MethodologyCode, ...], msgspec.Meta(min_length=1, max_length=8)]
Rate = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
LotMonths = Annotated[int, msgspec.Meta(ge=1, le=60)]
Paid = Annotated[int, msgspec.Meta(ge=1, le=grants.MAX_PAID)]
Periods = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=12)]
Devices = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=50)]
Serial = Annotated[int, msgspec.Meta(ge=1, le=10**11)]
Filter = Annotated[str, msgspec.Meta(max_length=64)]
"""Empty: everything."""


class EcoPoints(PointsContract, AccessLog):
    name = "ecopoints"
    version = 1
    reasons = (EcoReason, MethodologyReason, PointsReason, AccessReason)

    # -- programme, members and devices (E4) ---------------------------------------------------------------------------

    @call(roles=[ADMIN])
    def set_programme(self, ctx: Context, region: Region) -> Result:
        """E4: the municipality runs a programme, with the electricity factors of `region`."""
        return members.set_programme(ctx, region)

    @call(roles=MEMBERS_SIDE)
    def register_member(self, ctx: Context, member: Pseudonym, kind: MemberKind) -> Result:
        """E4c: a household or a firm joins."""
        return members.register(ctx, member, kind)

    @call(roles=MEMBERS_SIDE)
    def leave(self, ctx: Context, member: Pseudonym) -> Result:
        """E4c: a member leaves; its history stays and still verifies."""
        return members.leave(ctx, member)

    @call(roles=MEMBERS_SIDE)
    def register_device(
        self, ctx: Context, member: Pseudonym, kind: DeviceKind, serial: Commitment, place: Commitment,
        methodology: MethodologyCode | None = None, parameters: Parameters | None = None, key: DeviceKey = "",
    ) -> Result:  # fmt: skip
        """E4c, E4e: a member's car, plant, generator or meter; the same serial number or place only once."""
        return members.register_device(
            ctx, member_id=member, kind=kind, methodology=methodology or "", parameters=parameters or {}, key=key,
            serial=serial, place=place,
        )  # fmt: skip

    @call(roles=MEMBERS_SIDE)
    def retire_device(self, ctx: Context, device: Code) -> Result:
        """E4c: a device is sold or scrapped."""
        members.retire(ctx, members.device_in_use(ctx, device))
        return None

    @call(roles=MEMBERS_SIDE)
    def change_device_key(self, ctx: Context, device: Code, key: DeviceKey) -> Result:
        """E1–2: a device's or gateway's key is replaced."""
        return members.change_key(ctx, device, key)

    @call(roles=MEMBERS_SIDE)
    def register_document(
        self, ctx: Context, document: Code, member: Pseudonym, kind: Code, commitment: Commitment, device: Code = ""
    ) -> Result:
        """E4b: a receipt or registration that a member hands in; the image stays in the application."""
        return documents.register(
            ctx, document_id=document, member_id=member, kind=kind, commitment=commitment, device_id=device
        )

    # -- readings (E1, E2) ---------------------------------------------------------------------------------------------

    @call(roles=[GATEWAY])
    def record_batch(self, ctx: Context, root: Hash, readings: Count, devices: Entries) -> Result:
        """E1, E2: readings of up to 200 devices: the Merkle root over them and each device's month totals."""
        return reading_rules.record_batch(ctx, root, readings, devices)

    @call(roles=MEMBERS_SIDE)
    def enter_value(
        self, ctx: Context, device: Code, month: Month, channel: Channel, value: Amount, evidence: Evidence = "",
        estimated: bool = False,
    ) -> Result:  # fmt: skip
        """E1b, E1g, E3b: a month's value by hand, where the device cannot tell it; marked manual."""
        return reading_rules.enter_value(
            ctx, device_id=device, month=month, channel=channel, value=value, evidence=evidence, estimated=estimated
        )

    @call(roles=[OFFICER])
    def release_reading(
        self, ctx: Context, device: Code, channel: Channel, interval_end_ms: TimeMs, why: Why
    ) -> Result:
        """E4f: an officer lets a quarantined reading count, with a reason."""
        return reading_rules.review(
            ctx, device_id=device, channel=channel, interval_end_ms=interval_end_ms, released=True, why=why
        )

    @call(roles=[OFFICER])
    def reject_reading(self, ctx: Context, device: Code, channel: Channel, interval_end_ms: TimeMs, why: Why) -> Result:
        """E4f: an officer decides that a quarantined reading stays out, with a reason."""
        return reading_rules.review(
            ctx, device_id=device, channel=channel, interval_end_ms=interval_end_ms, released=False, why=why
        )

    # -- periods (E5) --------------------------------------------------------------------------------------------------

    @call(roles=[OFFICER])
    def open_period(
        self, ctx: Context, methodology: MethodologyCode, first_month: Month, last_month: Month, factor_table: Version
    ) -> Result:
        """E5a: months of one methodology, counted together with one table of factors."""
        return periods.open_period(
            ctx, code=methodology, first_month=first_month, last_month=last_month, version=factor_table
        )

    @call(roles=[OFFICER])
    def close_period(self, ctx: Context, period: Code) -> Result:
        """E5a: the period's months are over and take no more readings."""
        return periods.close(ctx, period)

    @call(roles=[OFFICER, APP])
    def settle_period(self, ctx: Context, period: Code, limit: Settled = periods.MAX_SETTLED) -> Result:
        """E4a, E5a: reckon the reductions of the next devices of a closed period."""
        return periods.settle(ctx, period, limit)

    @call(roles=[GATEWAY])
    def record_correction(self, ctx: Context, root: Hash, readings: Count, entry: DeviceEntry) -> Result:
        """E6c: a device's late or reviewed readings of closed months; points follow as an adjustment."""
        return corrections.record(ctx, root, readings, entry)

    # -- rules and grants (E6) -----------------------------------------------------------------------------------------

    @call(roles=[OFFICER])
    def set_rule(
        self, ctx: Context, methodologies: Methodologies, rate_points: Rate, rate_kg: Rate, first_month: Month,
        last_month: Month, budget: Amount, lot_months: LotMonths, cap: Amount = 0, when: GrantTime = "provisional",
    ) -> Result:  # fmt: skip
        """E6a, E6b: `rate_points` points for every `rate_kg` kilograms, with validity, budget and cap."""
        rule = Rule(
            ctx.new_id("rule"), ctx.sender.organisation, methodologies, rate_points, rate_kg, first_month, last_month,
            budget, paid=0, cap=cap, when=when, lot_months=lot_months, ended=False,
        )  # fmt: skip
        return grants.set_rule(ctx, rule)

    @call(roles=[OFFICER])
    def end_rule(self, ctx: Context, rule: Code) -> Result:
        """E6b: no new grant by this rule."""
        return grants.end_rule(ctx, rule)

    @call(roles=[OFFICER])
    def propose_grants(self, ctx: Context, period: Code, rule: Code) -> Result:
        """E4d, E6a: an officer proposes to pay a settled period by a rule; once for each period and rule."""
        return grants.propose(ctx, period, rule)

    @call(roles=[OFFICER])
    def release_grants(self, ctx: Context, period: Code, rule: Code) -> Result:
        """E4d: another officer releases the grant."""
        return grants.release(ctx, period, rule)

    @call(roles=[OFFICER, APP])
    def pay_grants(self, ctx: Context, period: Code, rule: Code, limit: Paid = grants.MAX_PAID) -> Result:
        """E6a: pay the next members of a released grant, in the order of joining, within the budget."""
        return grants.pay(ctx, period, rule, limit)

    # -- credits (E5) --------------------------------------------------------------------------------------------------

    @call(roles=[OFFICER])
    def apply_for_credits(self, ctx: Context, periods: Periods) -> Result:
        """E5a: apply for the credits of settled periods, in whole tonnes of each fiscal year."""
        return credits.apply(ctx, periods)

    @call(roles=[OFFICER])
    def reject_application(self, ctx: Context, application: Code) -> Result:
        """E5b: the committee did not certify an application; its periods are free again."""
        return credits.reject(ctx, application)

    @call(roles=[OFFICER])
    def register_credits(
        self, ctx: Context, application: Code, prefix: SerialPrefix, first: Serial, last: Serial
    ) -> Result:
        """E5b: register certified credits by their serial numbers; at most what was applied for."""
        return credits.register(ctx, application, prefix, first, last)

    @call(roles=[OFFICER])
    def sell_credits(
        self, ctx: Context, credits_block: Code, tonnes: Serial, yen_per_tonne: Amount, buyer: BuyerCategory
    ) -> Result:
        """E5b: sell the next tonnes of a block, tied to their serial numbers."""
        return credits.sell(ctx, credits_block, tonnes, yen_per_tonne, buyer)

    # -- queries -------------------------------------------------------------------------------------------------------

    @query
    def programme(self, ctx: QueryContext, municipality: MunicipalCode) -> Programme | None:
        """A municipality's programme."""
        return PROGRAMMES.get(ctx.state, municipality)

    @query
    def member(self, ctx: QueryContext, member: Pseudonym) -> Member | None:
        """One member."""
        return MEMBERS.get(ctx.state, member)

    @query
    def members(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.MemberPage:
        """Members of a municipality in the order of joining."""
        return queries.members(ctx.state, municipality, after, limit)

    @query
    def device(self, ctx: QueryContext, device: Code) -> Device | None:
        """One device."""
        return DEVICES.get(ctx.state, device)

    @query
    def devices(
        self, ctx: QueryContext, member: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.DevicePage:
        """A member's devices, retired ones too."""
        return queries.devices(ctx.state, member, after, limit)

    @query
    def months(self, ctx: QueryContext, device: Code, after: After = "", limit: Limit = 100) -> queries.MonthPage:
        """What a device measured, month by month, with its coverage."""
        return queries.months(ctx.state, device, after, limit)

    @query
    def measured(self, ctx: QueryContext, devices: Devices, limit: Limit = 100) -> queries.MeasuredDevices:
        """Many devices at once, each with the first page of its months: a batch changes hundreds of them."""
        return queries.measured(ctx.state, devices, limit)

    @query
    def batches(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.BatchPage:
        """A municipality's batches of readings, oldest first."""
        return queries.batches(ctx.state, municipality, after, limit)

    @query
    def review(self, ctx: QueryContext, device: Code, channel: Channel, interval_end_ms: TimeMs) -> Review | None:
        """What an officer decided on a quarantined reading."""
        return REVIEWS.get(ctx.state, f"{device}/{channel}/{interval_end_ms:015d}")

    @query
    def document(self, ctx: QueryContext, document: Code) -> Document | None:
        """One document's commitment."""
        return DOCUMENTS.get(ctx.state, document)

    @query
    def documents(
        self, ctx: QueryContext, municipality: MunicipalCode, member: Filter = "", after: After = "",
        limit: Limit = 100,
    ) -> queries.DocumentPage:  # fmt: skip
        """E4b: the documents of a municipality, or of one member."""
        return queries.documents(ctx.state, municipality, member, after, limit)

    @query
    def period(self, ctx: QueryContext, period: Code) -> Period | None:
        """One period with its sums by fiscal year."""
        return PERIODS.get(ctx.state, period)

    @query
    def periods(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.PeriodPage:
        """E4a: the periods of a municipality with their sums."""
        return queries.periods(ctx.state, municipality, after, limit)

    @query
    def device_reductions(
        self, ctx: QueryContext, period: Code, after: After = "", limit: Limit = 100
    ) -> queries.DeviceReductionPage:
        """E5a: each device's reduction in a period."""
        return queries.device_reductions(ctx.state, period, after, limit)

    @query
    def member_reductions(
        self, ctx: QueryContext, period: Code, after: After = "", limit: Limit = 100
    ) -> queries.MemberReductionPage:
        """E3a, E4a: each member's reduction in a period, in the order of joining."""
        return queries.member_reductions(ctx.state, period, after, limit)

    @query
    def adjustments(
        self, ctx: QueryContext, period: Code, after: After = "", limit: Limit = 100
    ) -> queries.AdjustmentPage:
        """E6c: what was corrected after a period was closed."""
        return queries.adjustments(ctx.state, period, after, limit)

    @query
    def rules(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.RulePage:
        """E6b: a municipality's rules with budget and what is paid of it."""
        return queries.rules(ctx.state, municipality, after, limit)

    @query
    def rule(self, ctx: QueryContext, rule: Code) -> Rule | None:
        """E6b: one rule with its budget and what is paid of it."""
        return RULES.get(ctx.state, rule)

    @query
    def runs(self, ctx: QueryContext, period: Code, after: After = "", limit: Limit = 100) -> queries.RunPage:
        """E4d: the grants of a period: who proposed and who released them."""
        return queries.runs(ctx.state, period, after, limit)

    @query
    def grants(
        self, ctx: QueryContext, period: Code, rule: Code, after: After = "", limit: Limit = 100
    ) -> queries.GrantPage:
        """E6a: what each member got by a rule for a period."""
        return queries.grants(ctx.state, period, rule, after, limit)

    @query
    def application(self, ctx: QueryContext, application: Code) -> Application | None:
        """E5b: one application."""
        return APPLICATIONS.get(ctx.state, application)

    @query
    def applications(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.ApplicationPage:
        """E5b: a municipality's applications, oldest first."""
        return queries.applications(ctx.state, municipality, after, limit)

    @query
    def credits(
        self, ctx: QueryContext, municipality: MunicipalCode, application: Filter = "", after: After = "",
        limit: Limit = 100,
    ) -> queries.CreditPage:  # fmt: skip
        """E5b: certified credits by serial numbers, of a municipality or of one application."""
        return queries.credits(ctx.state, municipality, application, after, limit)

    @query
    def credit_block(self, ctx: QueryContext, credits_block: Code) -> CreditBlock | None:
        """E5b: one block of certified credits."""
        return BLOCKS.get(ctx.state, credits_block)

    @query
    def sales(self, ctx: QueryContext, credits_block: Code, after: After = "", limit: Limit = 100) -> queries.SalePage:
        """E5b: the sales of a block of credits."""
        return queries.sales(ctx.state, credits_block, after, limit)
