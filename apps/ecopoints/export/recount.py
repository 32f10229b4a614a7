"""Every figure of an export reckoned again, and held against what the chain says of the period."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.ecopoints.books.figures import by_year, tonnes_of
from apps.ecopoints.export.archive import COMMITTEE_DEVICES, COMMITTEE_MEMBERS, MANIFEST
from apps.ecopoints.export.reading import Export, Fault, Line
from apps.ecopoints.export.tables import grams, plain_years
from contracts.ecopoints.methodology import METHODOLOGIES, Factor, FactorTable, fiscal_year_of_month
from contracts.ecopoints.periods import NO_YEAR, month_reduction
from contracts.ecopoints.types import DeviceMonth, MonthRow, Period, YearSum
from ledger.types import Event

Tables = Mapping[str, Sequence[Line]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the proofs show: the period's row, and the events of its story in order."""

    period: Period
    events: Sequence[Event]
    proofs: int
    closing_block: bytes
    """The hash of the block in which the period was closed; empty if no proof tells of it."""


def plan_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """Plan and manifest against the period's row."""
    period = told.period
    plan = {line["key"]: line["value"] for line in tables["plan"]}
    expected = {
        "period": period.period, "methodology": period.methodology, "first_month": period.first_month,
        "last_month": period.last_month, "methodology_version": period.methodology_version, "region": period.region,
        "factor_table": period.table, "factor_table_digest": period.table_digest.hex(),
        "closed_by": period.closed_by, "tonnes": str(tonnes_of(by_year(plain_years(period))).total),
        "devices": str(period.devices), "members": str(len(tables["members"])),
    }  # fmt: skip
    for key, value in expected.items():
        if plan.get(key) != value:
            yield Fault("plan.csv", f"{key} is {plan.get(key)!r}, and by the chain {value!r}")
    for key in ("methodology", "methodology_version", "factor_table", "factor_table_digest"):
        if export.said(key) != expected[key]:
            yield Fault(MANIFEST, f"{key} is {export.said(key)!r}, and by the chain {expected[key]!r}")
    if export.said("municipality") != period.municipality:
        yield Fault(MANIFEST, f"the period is of the municipality {period.municipality}")


def factor_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """The factors are those that the period's row names by their digest."""
    if factor_table(tables, told.period).digest != told.period.table_digest:
        yield Fault("factors.csv", "these are not the factors that the period was reckoned with")


def factor_table(tables: Tables, period: Period) -> FactorTable:
    return FactorTable(
        period.table,
        tuple(
            Factor(
                line["name"], Decimal(line["value"]), line["unit"], line["source"], int(line["first_year"]),
                int(line["last_year"]), line["region"],
            )
            for line in tables["factors"]
        ),
    )  # fmt: skip


# -- months, devices, members, years -----------------------------------------------------------------------------------


def month_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """Each month of each device by the methodology's formula, and the years of which it is a part."""
    period = told.period
    if METHODOLOGIES[period.methodology].version != period.methodology_version:
        yield Fault("months.csv", f"this program lacks version {period.methodology_version} of the formula")
        return
    parameters = {line["device"]: json.loads(line["parameters"]) for line in tables["devices"]}
    factors = factor_table(tables, period)
    years: dict[str, YearSum] = {}
    for line in tables["months"]:
        month, where = line["month"], f"{line['device']} {line['month']}"
        if line["device"] not in parameters or not period.first_month <= month <= period.last_month:
            yield Fault("months.csv", f"{where}: no such device in devices.csv, or a month outside the period")
            continue
        found = _reckoned(line, parameters[line["device"]], factors, period)
        said = (line["baseline_exact"], line["project_exact"], line["reduction_exact"], line["missing"])
        if said != (found.baseline, found.project, found.reduction, found.missing):
            yield Fault("months.csv", f"{where}: {line['reduction_exact']} kg; reckoned again {found.reduction} kg")
        if line["reduction_kg"] != str(grams(Fraction(line["reduction_exact"]))):
            yield Fault("months.csv", f"{where}: reduction_kg is not reduction_exact to a gram")
        year = str(fiscal_year_of_month(month))
        years[year] = _added(years.get(year, NO_YEAR), found)
    yield from _year_faults(years, tables, period)


def _reckoned(line: Line, parameters: Mapping[str, int | str], factors: FactorTable, period: Period) -> DeviceMonth:
    row = MonthRow(
        json.loads(line["totals"]), int(line["covered"]), int(line["expected"]), int(line["quarantined"]),
        tuple(line["estimated"].split()), tuple(line["manual"].split()),
    )  # fmt: skip
    of_year = factors.factors(fiscal_year_of_month(line["month"]), period.region)
    return month_reduction(METHODOLOGIES[period.methodology], of_year, parameters, line["month"], row)


def _added(year: YearSum, month: DeviceMonth) -> YearSum:
    reduction = Fraction(month.reduction)
    return YearSum(
        str(Fraction(year.baseline) + Fraction(month.baseline)),
        str(Fraction(year.project) + Fraction(month.project)),
        str(Fraction(year.reduction) + reduction),
        str(Fraction(year.estimated) + (reduction if month.estimated else 0)),
    )


def _year_faults(years: Mapping[str, YearSum], tables: Tables, period: Period) -> Iterator[Fault]:
    """The years are those of the period's row. What was corrected after certification is in the months alone."""
    after = [line for line in tables["corrections"] if line["after_certification"] == "yes"]
    if not after:
        if dict(years) != dict(period.years):
            yield Fault("months.csv", "the months do not add up to the period's years on the chain")
        return
    corrected = sum((Fraction(line["difference_exact"]) for line in after), Fraction(0))
    months = sum((Fraction(year.reduction) for year in years.values()), Fraction(0))
    if months - corrected != sum((Fraction(year.reduction) for year in period.years.values()), Fraction(0)):
        yield Fault("months.csv", "the months less the corrections do not add up to the period's sum on the chain")


def total_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """The totals are the period's years, floored to whole tonnes."""
    years = by_year(plain_years(told.period))
    tonnes = tonnes_of(years)
    expected = [
        {
            "fiscal_year": str(y.year), "baseline_kg": str(grams(y.baseline)), "project_kg": str(grams(y.project)),
            "reduction_kg": str(grams(y.reduction)), "estimated_kg": str(grams(y.estimated)),
            "counted_kg": str(grams(y.counted)), "tonnes": str(tonnes.years[y.year]),
            "baseline_exact": str(y.baseline), "project_exact": str(y.project), "reduction_exact": str(y.reduction),
            "estimated_exact": str(y.estimated),
        }
        for y in years
    ]  # fmt: skip
    if len(tables["totals"]) != len(expected):
        yield Fault("totals.csv", f"it has {len(tables['totals'])} years, and the chain {len(expected)}")
    for line, row in zip(tables["totals"], expected, strict=False):
        for key, value in row.items():
            if line[key] != value:
                yield Fault("totals.csv", f"{row['fiscal_year']}: {key} is {line[key]}, and by the chain {value}")


def sum_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """Devices are the sums of their months, members those of their devices, nobody left out."""
    yield from _not_sums("devices", "months", "device", tables)
    yield from _not_sums("members", "devices", "member", tables)


def _not_sums(whole: str, part: str, key: str, tables: Tables) -> Iterator[Fault]:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    counts: Counter[str] = Counter()
    for line in tables[part]:
        sums[line[key]] += Fraction(line["reduction_exact"])
        counts[line[key]] += 1
    for line in tables[whole]:
        name = line[key]
        expected = (str(sums.pop(name, Fraction(0))), str(counts[name]))
        if (line["reduction_exact"], line[part]) != expected:
            yield Fault(f"{whole}.csv", f"{name} is not the sum of its lines in {part}.csv")
        if line["reduction_kg"] != str(grams(Fraction(line["reduction_exact"]))):
            yield Fault(f"{whole}.csv", f"{name}: reduction_kg is not reduction_exact to a gram")
    for name in sums:
        yield Fault(f"{whole}.csv", f"{name} is missing, or stands twice in {part}.csv")


# -- the story on the chain --------------------------------------------------------------------------------------------


def story_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """What the chain says of the period's beginning and end, each device, and each correction."""
    events: dict[str, list[Event]] = defaultdict(list)
    for event in told.events:
        events[event.name].append(event)
    for name in ("period_opened", "period_closed", "period_settled"):
        if len(events[name]) != 1:
            yield Fault("proofs.csv", f"the proofs tell {len(events[name])} times of {name}, and not once")
            return
    if events["period_settled"][0].data["devices"] != len(events["reduction_settled"]):
        yield Fault("proofs.csv", "proofs of settled devices are missing")
    yield from _device_faults(events["reduction_settled"], tables)
    said = Counter(
        (line["device"], line["points"], line["after_certification"] == "yes") for line in tables["corrections"]
    )
    proved = Counter(
        (_about(event, "device"), str(event.data["points"]), bool(event.data["after_certification"]))
        for event in events["adjusted"]
    )
    for device, *_ in (said - proved) | (proved - said):
        yield Fault("corrections.csv", f"the corrections of {device} are not those on the chain")


def _device_faults(settled: Iterable[Event], tables: Tables) -> Iterator[Fault]:
    """Whole kilograms of each device as its settling said them, with what was corrected since."""
    corrected: dict[str, Fraction] = defaultdict(Fraction)
    for line in tables["corrections"]:
        corrected[line["device"]] += Fraction(line["difference_exact"])
    by_device = {_about(event, "device"): event for event in settled}
    for line in tables["devices"]:
        event = by_device.pop(line["device"], None)
        before = Fraction(line["reduction_exact"]) - corrected[line["device"]]
        if event is None:
            if before != 0 or line["device"] not in corrected:
                yield Fault("devices.csv", f"{line['device']} was not settled with the period")
        elif event.data["kilograms"] != int(before // 1) or _about(event, "member") != line["member"]:
            yield Fault(
                "devices.csv",
                f"{line['device']} has {line['reduction_exact']} kg; the chain settled {event.data['kilograms']} kg "
                f"for {_about(event, 'member')}",
            )
    for device in by_device:
        yield Fault("devices.csv", f"{device} was settled with the period and is missing")


def _about(event: Event, kind: str) -> str:
    return next((s.partition(":")[2] for s in event.subjects if s.startswith(f"{kind}:")), "")


def committee_faults(export: Export, tables: Tables, told: Told) -> Iterator[Fault]:
    """Where the committee's lists are in it: every member and every device once."""
    for name, table, key in ((COMMITTEE_MEMBERS, "members", "member"), (COMMITTEE_DEVICES, "devices", "device")):
        if name in export.files:
            rows = list(csv.reader(io.StringIO(export.files[name].decode("utf-8-sig"), newline="")))[1:]
            if sorted(row[0] for row in rows) != sorted(line[key] for line in tables[table]):
                yield Fault(name, f"its lines are not those of {table}.csv")


CHECKS: Sequence[Callable[[Export, Tables, Told], Iterator[Fault]]] = (
    plan_faults, factor_faults, total_faults, month_faults, sum_faults, story_faults, committee_faults,
)  # fmt: skip
