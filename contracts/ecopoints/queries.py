"""What can be asked of the eco-point contract: bounded pages over one index each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.ecopoints.types import (
    ADJUSTMENTS,
    APPLICATIONS,
    APPLICATIONS_IN,
    BATCHES,
    BATCHES_IN,
    BLOCKS,
    BLOCKS_OF,
    DEVICE_REDUCTIONS,
    DEVICES,
    DEVICES_OF,
    DOCUMENTS,
    DOCUMENTS_OF,
    GRANTS,
    MEMBER_REDUCTIONS,
    MEMBERS,
    MEMBERS_OF,
    MONTHS,
    PERIODS,
    PERIODS_IN,
    RULES,
    RULES_IN,
    RUNS,
    SALES,
    SALES_OF,
    Adjustment,
    Application,
    Batch,
    CreditBlock,
    Device,
    DeviceReduction,
    Document,
    Grant,
    GrantRun,
    Member,
    MemberReduction,
    MonthRow,
    Period,
    Rule,
    Sale,
)
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant
from ledger.table import Mark, Row, Table


class MemberPage(msgspec.Struct, frozen=True):
    rows: list[Member]
    next: str


class DevicePage(msgspec.Struct, frozen=True):
    rows: list[Device]
    next: str


class DeviceMonthView(msgspec.Struct, frozen=True):
    """What a device measured in a month, and the reading it rests on."""

    month: str
    row: MonthRow


class MonthPage(msgspec.Struct, frozen=True):
    rows: list[DeviceMonthView]
    next: str


class MeasuredDevice(msgspec.Struct, frozen=True):
    """A device with the first page of its months."""

    device: Device
    months: MonthPage


class MeasuredDevices(msgspec.Struct, frozen=True):
    rows: list[MeasuredDevice]


class BatchPage(msgspec.Struct, frozen=True):
    rows: list[Batch]
    next: str


class DocumentPage(msgspec.Struct, frozen=True):
    rows: list[Document]
    next: str


class PeriodPage(msgspec.Struct, frozen=True):
    rows: list[Period]
    next: str


class DeviceReductionPage(msgspec.Struct, frozen=True):
    rows: list[DeviceReduction]
    next: str


class MemberReductionPage(msgspec.Struct, frozen=True):
    rows: list[MemberReduction]
    next: str


class AdjustmentPage(msgspec.Struct, frozen=True):
    rows: list[Adjustment]
    next: str


class RulePage(msgspec.Struct, frozen=True):
    rows: list[Rule]
    next: str


class RunPage(msgspec.Struct, frozen=True):
    rows: list[GrantRun]
    next: str


class GrantPage(msgspec.Struct, frozen=True):
    rows: list[Grant]
    next: str


class ApplicationPage(msgspec.Struct, frozen=True):
    rows: list[Application]
    next: str


class CreditPage(msgspec.Struct, frozen=True):
    rows: list[CreditBlock]
    next: str


class SalePage(msgspec.Struct, frozen=True):
    rows: list[Sale]
    next: str


def members(state: Reader, municipality: str, after: str, limit: int) -> MemberPage:
    page = MEMBERS_OF.page(state, prefix=f"{municipality}/", after=after, limit=limit)
    return MemberPage([_there(MEMBERS, state, row.id) for _, row in page], _next(page, limit))


def devices(state: Reader, member: str, after: str, limit: int) -> DevicePage:
    return DevicePage(*_listed(state, DEVICES_OF, DEVICES, f"{member}/", after, limit))


def months(state: Reader, device: str, after: str, limit: int) -> MonthPage:
    page = MONTHS.page(state, prefix=f"{device}/", after=after, limit=limit)
    return MonthPage([DeviceMonthView(_last(row_id), row) for row_id, row in page], _next(page, limit))


def measured(state: Reader, devices: Sequence[str], limit: int) -> MeasuredDevices:
    """Those of the devices that there are, in the order asked."""
    there = [device for device in (DEVICES.get(state, device_id) for device_id in devices) if device is not None]
    return MeasuredDevices([MeasuredDevice(device, months(state, device.device, "", limit)) for device in there])


def batches(state: Reader, municipality: str, after: str, limit: int) -> BatchPage:
    return BatchPage(*_listed(state, BATCHES_IN, BATCHES, f"{municipality}/", after, limit))


def documents(state: Reader, municipality: str, member: str, after: str, limit: int) -> DocumentPage:
    prefix = f"{municipality}/{member}/" if member else f"{municipality}/"
    return DocumentPage(*_listed(state, DOCUMENTS_OF, DOCUMENTS, prefix, after, limit))


def periods(state: Reader, municipality: str, after: str, limit: int) -> PeriodPage:
    return PeriodPage(*_listed(state, PERIODS_IN, PERIODS, f"{municipality}/", after, limit))


def device_reductions(state: Reader, period: str, after: str, limit: int) -> DeviceReductionPage:
    return DeviceReductionPage(*_rows(state, DEVICE_REDUCTIONS, period, after, limit))


def member_reductions(state: Reader, period: str, after: str, limit: int) -> MemberReductionPage:
    return MemberReductionPage(*_rows(state, MEMBER_REDUCTIONS, period, after, limit))


def adjustments(state: Reader, period: str, after: str, limit: int) -> AdjustmentPage:
    return AdjustmentPage(*_rows(state, ADJUSTMENTS, period, after, limit))


def rules(state: Reader, municipality: str, after: str, limit: int) -> RulePage:
    return RulePage(*_listed(state, RULES_IN, RULES, f"{municipality}/", after, limit))


def runs(state: Reader, period: str, after: str, limit: int) -> RunPage:
    return RunPage(*_rows(state, RUNS, period, after, limit))


def grants(state: Reader, period: str, rule: str, after: str, limit: int) -> GrantPage:
    return GrantPage(*_rows(state, GRANTS, f"{period}/{rule}", after, limit))


def applications(state: Reader, municipality: str, after: str, limit: int) -> ApplicationPage:
    return ApplicationPage(*_listed(state, APPLICATIONS_IN, APPLICATIONS, f"{municipality}/", after, limit))


def credits(state: Reader, municipality: str, application: str, after: str, limit: int) -> CreditPage:
    prefix = f"{municipality}/{application}/" if application else f"{municipality}/"
    return CreditPage(*_listed(state, BLOCKS_OF, BLOCKS, prefix, after, limit))


def sales(state: Reader, block: str, after: str, limit: int) -> SalePage:
    return SalePage(*_listed(state, SALES_OF, SALES, f"{block}/", after, limit))


def _rows(state: Reader, table: Table[Row], period: str, after: str, limit: int) -> tuple[list[Row], str]:
    page = table.page(state, prefix=f"{period}/", after=after, limit=limit)
    return [row for _, row in page], _next(page, limit)


def _listed(
    state: Reader, index: Table[Mark], table: Table[Row], prefix: str, after: str, limit: int
) -> tuple[list[Row], str]:
    """The rows that an index of marks leads to, by the last part of its ids."""
    page = index.page(state, prefix=prefix, after=after, limit=limit)
    return [_there(table, state, _last(row_id)) for row_id, _ in page], _next(page, limit)


def _there(table: Table[Row], state: Reader, row_id: str) -> Row:
    row = table.get(state, row_id)
    if row is None:
        raise BrokenInvariant(f"{table.name} {row_id} is in an index and not there")
    return row


def _next(page: list[tuple[str, Row]], limit: int) -> str:
    return page[-1][0] if len(page) == limit else ""


def _last(row_id: str) -> str:
    return row_id.rsplit("/", 1)[1]
