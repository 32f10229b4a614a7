"""計測値: batches of readings, values entered by hand, and officers' reviews of what was quarantined.

A batch brings a Merkle root over its readings and, for each device, the absolute totals of the months they touch. The
totals follow from the set of all readings (`contracts.ecopoints.metering`), so order, lateness and repetition of their
arrival cannot matter; the number of readings must go on exactly where it ended, so none is lost and none is doubled.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from contracts.ecopoints.members import device_in_use, known_device, subjects
from contracts.ecopoints.methodology import METHODOLOGIES
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    BATCHES,
    BATCHES_IN,
    DEVICES,
    MONTH_PERIODS,
    MONTHS,
    PERIODS,
    REVIEWS,
    Batch,
    Device,
    DeviceEntry,
    MonthEntry,
    MonthRow,
    Review,
)
from ledger.contract import Context, Result
from ledger.refusal import Refused
from ledger.table import Mark

GRID_CHANNELS = ("consumed",)
"""What a meter of grid consumption tells (E2c): information for the member, counted in no methodology."""
NOTHING = MonthRow({}, 0, 0, 0, (), ())


def channels_of(device: Device) -> tuple[str, ...]:
    if not device.methodology:
        return GRID_CHANNELS
    return tuple(c.name for c in METHODOLOGIES[device.methodology].channels)


def month_of(ctx: Context, device_id: str, month: str) -> MonthRow:
    return MONTHS.get(ctx.state, f"{device_id}/{month}") or NOTHING


def closed_period(ctx: Context, device: Device, month: str) -> str:
    """The id of the period that counts the device's month and is closed, or empty."""
    found = MONTH_PERIODS.get(ctx.state, f"{device.municipality}/{device.methodology}/{month}")
    if found is None:
        return ""
    period = PERIODS.get(ctx.state, found.id)
    return "" if period is None or period.status == "open" else found.id


def record_batch(ctx: Context, root: bytes, readings: int, entries: tuple[DeviceEntry, ...]) -> Result:
    """E1, E2 intake: hundreds of readings in one transaction."""
    batch_id = ctx.new_id("batch")
    well_formed(readings, entries)
    for entry in entries:
        device = record_entry(ctx, batch_id, entry)
        for month in entry.months:
            period = closed_period(ctx, device, month.month)
            if period:
                raise Refused(EcoReason.MONTH_CLOSED, month=month.month, period=period)
            put_month(ctx, device, month)
    save_batch(ctx, batch_id, root, readings, len(entries))
    return {"batch": batch_id}


def well_formed(readings: int, entries: tuple[DeviceEntry, ...]) -> None:
    """The devices are distinct, their counts rise and add up to the batch's readings."""
    if not distinct(entry.device for entry in entries):
        raise Refused(EcoReason.BAD_BATCH, detail="a device is there twice")
    if any(entry.readings < entry.before for entry in entries):
        raise Refused(EcoReason.BAD_BATCH, detail="a count of readings falls")
    if sum(entry.readings - entry.before for entry in entries) != readings:
        raise Refused(EcoReason.BAD_BATCH, detail="the counts do not add up to the batch's readings")


def record_entry(ctx: Context, batch_id: str, entry: DeviceEntry) -> Device:
    """The device has `entry.readings` readings on the chain now; those before must be exactly `entry.before`."""
    device = known_device(ctx, entry.device)
    if entry.before != device.readings:
        raise Refused(EcoReason.NOT_NEXT, device=device.device, readings=device.readings, before=entry.before)
    if not distinct(month.month for month in entry.months):
        raise Refused(EcoReason.BAD_BATCH, detail=f"a month of {device.device} is there twice")
    device = msgspec.structs.replace(device, readings=entry.readings)
    DEVICES.put(ctx.state, device.device, device)
    ctx.emit(
        "readings_recorded", [*subjects(device), f"batch:{batch_id}"], readings=entry.readings - entry.before,
        months=len(entry.months),
    )  # fmt: skip
    return device


def put_month(ctx: Context, device: Device, entry: MonthEntry) -> MonthRow:
    """Write a month as the batch states it. What a member entered by hand stays where the device reports nothing."""
    known_channels(device, (*entry.totals, *entry.estimated))
    if entry.covered > entry.expected:
        raise Refused(EcoReason.BAD_BATCH, detail=f"{device.device} covers more of {entry.month} than there is")
    before = month_of(ctx, device.device, entry.month)
    manual = tuple(c for c in before.manual if c not in entry.totals)
    estimated = tuple(sorted({*entry.estimated, *(c for c in before.estimated if c in manual)}))
    totals = {**entry.totals, **{c: before.totals[c] for c in manual}}
    row = MonthRow(totals, entry.covered, entry.expected, entry.quarantined, estimated, manual)
    MONTHS.put(ctx.state, f"{device.device}/{entry.month}", row)
    return row


def known_channels(device: Device, names: Iterable[str]) -> None:
    channels = channels_of(device)
    for name in names:
        if name not in channels:
            raise Refused(EcoReason.NO_CHANNEL, device=device.device, channel=name)


def save_batch(ctx: Context, batch_id: str, root: bytes, readings: int, devices: int) -> None:
    municipality = ctx.sender.organisation
    BATCHES.put(ctx.state, batch_id, Batch(batch_id, municipality, root, readings, devices, ctx.time_ms))
    BATCHES_IN.put(ctx.state, f"{municipality}/{ctx.time_ms:015d}/{batch_id}", Mark())
    ctx.emit("batch_recorded", [f"batch:{batch_id}"], readings=readings, devices=devices)


def enter_value(
    ctx: Context, *, device_id: str, month: str, channel: str, value: int, evidence: str, estimated: bool
) -> Result:
    """E1b, E1g, E3b: a member enters a month's value where no device can tell it; never beside a measured one."""
    device = device_in_use(ctx, device_id)
    known_channels(device, (channel,))
    period = closed_period(ctx, device, month)
    if period:
        raise Refused(EcoReason.MONTH_CLOSED, month=month, period=period)
    row = month_of(ctx, device_id, month)
    if channel in row.totals and channel not in row.manual:
        raise Refused(EcoReason.MEASURED, device=device_id, channel=channel)
    others = tuple(c for c in row.estimated if c != channel)
    changed = msgspec.structs.replace(
        row,
        totals={**row.totals, channel: value},
        manual=tuple(sorted({*row.manual, channel})),
        estimated=tuple(sorted((*others, channel))) if estimated else others,
    )
    MONTHS.put(ctx.state, f"{device_id}/{month}", changed)
    ctx.emit(
        "value_entered", subjects(device), month=month, channel=channel, value=value, evidence=evidence,
        estimated=estimated,
    )  # fmt: skip
    return None


def review(
    ctx: Context, *, device_id: str, channel: str, interval_end_ms: int, released: bool, why: str
) -> Result:  # fmt: skip
    """E4f: an officer releases a quarantined reading, or lets it stay out, with a reason; once."""
    device = known_device(ctx, device_id)
    known_channels(device, (channel,))
    row_id = f"{device_id}/{channel}/{interval_end_ms:015d}"
    if REVIEWS.get(ctx.state, row_id) is not None:
        raise Refused(EcoReason.REVIEWED)
    REVIEWS.put(ctx.state, row_id, Review(released, why, ctx.sender.account_id, ctx.time_ms))
    name = "reading_released" if released else "reading_rejected"
    ctx.emit(name, subjects(device), channel=channel, interval_end_ms=interval_end_ms, why=why)
    return None


def distinct(values: Iterable[str]) -> bool:
    seen = list(values)
    return len(seen) == len(dict.fromkeys(seen))
