"""J-クレジット: applications for settled periods, certified credits by serial number, and their sales (E5)."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from contracts.ecopoints import periods
from contracts.ecopoints.members import own
from contracts.ecopoints.methodology import month_after, month_start_ms
from contracts.ecopoints.methodology.jcredit import discounted, whole_tonnes
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    APPLICATIONS,
    APPLICATIONS_IN,
    BLOCKS,
    BLOCKS_OF,
    SALES,
    SALES_OF,
    SERIALS,
    Application,
    BuyerCategory,
    CreditBlock,
    Found,
    Period,
    Sale,
)
from ledger.contract import Context, Result
from ledger.refusal import Refused
from ledger.table import Mark

RETENTION_MONTHS = 24
"""E5c: the records of a certified period are kept until two years after its end."""


def apply(ctx: Context, period_ids: tuple[str, ...]) -> Result:
    """E5a, E5b: apply for the credits of settled periods: whole tonnes of each fiscal year, floored, then summed."""
    application_id = ctx.new_id("application")
    found = [periods.in_status(ctx, period_id, "settled") for period_id in dict.fromkeys(period_ids)]
    by_year: dict[int, Fraction] = {}
    for period in found:
        if period.methodology != found[0].methodology:
            raise Refused(EcoReason.OTHER_METHODOLOGY)
        if period.application:
            raise Refused(EcoReason.APPLIED, period=period.period, application=period.application)
        for year, sums in period.years.items():
            estimated = Fraction(sums.estimated)
            counted = discounted(Fraction(sums.reduction) - estimated, estimated)
            by_year[int(year)] = by_year.get(int(year), Fraction(0)) + counted
        periods.save(ctx, msgspec.structs.replace(period, application=application_id))
    floored = whole_tonnes(by_year)
    tonnes, total = {str(year): count for year, count in floored.years.items()}, floored.total
    if total < 1:
        raise Refused(EcoReason.NO_TONNE)
    application = Application(
        application_id, found[0].municipality, found[0].methodology, tuple(p.period for p in found), tonnes, total,
        approved=0, status="applied", applied_ms=ctx.time_ms,
    )  # fmt: skip
    APPLICATIONS.put(ctx.state, application_id, application)
    APPLICATIONS_IN.put(ctx.state, f"{application.municipality}/{ctx.time_ms:015d}/{application_id}", Mark())
    ctx.emit("credits_applied", subjects(application), tonnes=total)
    return {"application": application_id, "tonnes": total}


def subjects(application: Application) -> list[str]:
    return [f"application:{application.application}", *(f"period:{p}" for p in application.periods)]


def known(ctx: Context, application_id: str, *statuses: str) -> Application:
    application = APPLICATIONS.get(ctx.state, application_id)
    if application is None:
        raise Refused(EcoReason.NO_APPLICATION, application=application_id)
    own(ctx, application.municipality)
    if application.status not in statuses:
        raise Refused(EcoReason.APPLICATION_STATE, application=application_id, status=application.status)
    return application


def reject(ctx: Context, application_id: str) -> Result:
    """E5b: the committee rejects an application; its periods can be applied for again."""
    application = known(ctx, application_id, "applied")
    for period_id in application.periods:
        periods.save(ctx, msgspec.structs.replace(periods.known(ctx, period_id), application=""))
    APPLICATIONS.put(ctx.state, application_id, msgspec.structs.replace(application, status="rejected"))
    ctx.emit("credits_rejected", subjects(application))
    return None


def register(ctx: Context, application_id: str, prefix: str, first: int, last: int) -> Result:
    """E5b: register certified credits. Serial numbers are unique; no more is certified than was applied for."""
    application = known(ctx, application_id, "applied", "certified")
    if first > last:
        raise Refused(EcoReason.BAD_SERIALS)
    approved = application.approved + last - first + 1
    if approved > application.tonnes:
        raise Refused(EcoReason.OVER_APPLIED, tonnes=application.tonnes)
    # Blocks do not overlap: if any shares a number with this one, so does the first that ends at or after `first`.
    for row_id, row in SERIALS.page(ctx.state, prefix=f"{prefix}/", after=f"{prefix}/{first - 1:012d}", limit=1):
        taken = BLOCKS.get(ctx.state, row.id)
        if taken is None or taken.first <= last:
            raise Refused(EcoReason.SERIAL_TAKEN, block=row_id if taken is None else taken.block)
    block = CreditBlock(
        ctx.new_id("credits"), application_id, application.municipality, prefix, first, last, sold=0,
        certified_ms=ctx.time_ms,
    )  # fmt: skip
    SERIALS.put(ctx.state, f"{prefix}/{last:012d}", Found(block.block))
    BLOCKS.put(ctx.state, block.block, block)
    BLOCKS_OF.put(ctx.state, f"{block.municipality}/{application_id}/{block.block}", Mark())
    for period_id in application.periods:
        certify(ctx, periods.known(ctx, period_id))
    APPLICATIONS.put(
        ctx.state, application_id, msgspec.structs.replace(application, approved=approved, status="certified")
    )
    ctx.emit("credits_certified", [f"credits:{block.block}", *subjects(application)], tonnes=last - first + 1)
    return {"credits": block.block}


def certify(ctx: Context, period: Period) -> None:
    end_ms = month_start_ms(month_after(period.last_month, 1 + RETENTION_MONTHS))
    periods.save(ctx, msgspec.structs.replace(period, status="certified", retain_until_ms=end_ms))


def sell(ctx: Context, block_id: str, tonnes: int, yen_per_tonne: int, buyer: BuyerCategory) -> Result:
    """E5b: sell the next tonnes of a block; each sale is tied to its serial numbers."""
    block = BLOCKS.get(ctx.state, block_id)
    if block is None:
        raise Refused(EcoReason.NO_BLOCK, block=block_id)
    own(ctx, block.municipality)
    left = block.last - block.first + 1 - block.sold
    if tonnes > left:
        raise Refused(EcoReason.NOT_SO_MANY, left=left)
    first = block.first + block.sold
    sale = Sale(
        ctx.new_id("sale"), block_id, first, first + tonnes - 1, yen_per_tonne, buyer, tonnes * yen_per_tonne,
        ctx.time_ms,
    )  # fmt: skip
    SALES.put(ctx.state, sale.sale, sale)
    SALES_OF.put(ctx.state, f"{block_id}/{ctx.time_ms:015d}/{sale.sale}", Mark())
    BLOCKS.put(ctx.state, block_id, msgspec.structs.replace(block, sold=block.sold + tonnes))
    ctx.emit(
        "credits_sold", [f"sale:{sale.sale}", f"credits:{block_id}"], tonnes=tonnes, revenue_yen=sale.revenue_yen,
        buyer=buyer,
    )  # fmt: skip
    return {"sale": sale.sale, "revenue_yen": sale.revenue_yen}
