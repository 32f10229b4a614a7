"""The rows of the eco-point contract, and the tables that hold them.

Energy is in watt-hours, distance in metres, fuel in millilitres, reductions in exact kilograms of CO2. A month is
`2026-04` in Japan's time. Names, addresses and images stay in the application; keyed or salted commitments stand here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ledger.encoding import Wire
from ledger.table import Mark, Table
from ledger.types import Hash, MunicipalCode, TimeMs, whole

ECOPOINTS = "ecopoints"

Code = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
"""The id of something that this contract has made."""
Pseudonym = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,63}")]
"""A member, as the application calls it here: it leads to nobody without the application's own records."""
MethodologyCode = Annotated[str, whole(r"[A-Z]{2}-[A-Z]-[0-9]{3}")]
Region = Annotated[str, whole(r"[a-z][a-z0-9_-]{0,31}")]
Month = Annotated[str, whole(r"20[0-9]{2}-(0[1-9]|1[0-2])")]
Channel = Annotated[str, whole(r"[a-z][a-z_]{0,31}")]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Commitment = Annotated[str, whole(r"[0-9a-f]{64}")]
DeviceKey = Annotated[str, whole(r"([0-9a-f]{64})?")]
"""Ed25519 public key of a device or its gateway, or empty: values are then entered by hand."""
ParameterName = Annotated[str, whole(r"[a-z][a-z0-9_]{0,31}")]
Parameters = Annotated[
    dict[ParameterName, int | Annotated[str, msgspec.Meta(max_length=32)]], msgspec.Meta(max_length=16)
]
Totals = Annotated[dict[Channel, Amount], msgspec.Meta(max_length=8)]
Channels = Annotated[tuple[Channel, ...], msgspec.Meta(max_length=8)]
Exact = Annotated[str, whole(r"-?[0-9]{1,600}(/[0-9]{1,600})?")]
"""A fraction, `numerator/denominator` in its lowest terms: nothing is rounded before the scheme rounds."""

MemberKind = Literal["household", "firm"]
DeviceKind = Literal["ev", "phv", "pv", "generator", "grid"]
PeriodStatus = Literal["open", "closed", "settled", "certified"]
GrantTime = Literal["provisional", "certified"]
RunStatus = Literal["proposed", "released", "paid"]
ApplicationStatus = Literal["applied", "certified", "rejected"]
BuyerCategory = Literal["company", "municipality", "broker", "event", "other"]
SerialPrefix = Annotated[str, whole(r"[A-Z0-9][A-Z0-9-]{0,31}")]

MAX_BATCH_DEVICES = 200
"""An event for each device, within what one call may emit."""
MAX_ENTRY_MONTHS = 24
MAX_PERIOD_MONTHS = 36


class Programme(Wire, frozen=True):
    """A municipality's programme-type project (属性f): `region` chooses the electricity factor."""

    municipality: MunicipalCode
    region: Region
    members: int
    """How many have ever joined: the next one's number."""


class Member(Wire, frozen=True):
    member: Pseudonym
    municipality: MunicipalCode
    kind: MemberKind
    number: int
    """Order of joining within the municipality: the order in which a budget is paid out."""
    joined_ms: TimeMs
    left_ms: TimeMs | None


class Device(Wire, frozen=True):
    """A car, a solar plant, a generator, or a meter of grid consumption (`methodology` empty: information only)."""

    device: Code
    member: Pseudonym
    municipality: MunicipalCode
    kind: DeviceKind
    methodology: str
    parameters: dict[str, int | str]
    key: DeviceKey
    serial: Commitment
    place: Commitment
    readings: int
    """Readings on the chain: the next batch must begin where this ends."""
    registered_ms: TimeMs
    retired_ms: TimeMs | None


class MonthRow(Wire, frozen=True):
    """What a device measured in a month. `covered` of `expected` intervals counted; a gap earns nothing."""

    totals: dict[str, int]
    covered: int
    expected: int
    quarantined: int
    estimated: tuple[str, ...]
    manual: tuple[str, ...]
    """Channels that a member entered by hand; a device's own report takes their place."""


class MonthEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device's month as a batch states it: absolute totals, so that nothing can be added twice."""

    month: Month
    totals: Totals
    covered: Count
    expected: Count
    quarantined: Count = 0
    estimated: Channels = ()


class DeviceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device's part of a batch: its readings from number `before` up to `readings`, and the months they change."""

    device: Code
    before: Count
    readings: Count
    months: Annotated[tuple[MonthEntry, ...], msgspec.Meta(max_length=MAX_ENTRY_MONTHS)]


class Batch(Wire, frozen=True):
    """Readings of many devices: `root` is the Merkle root over them, in the order in which the application keeps."""

    batch: Code
    municipality: MunicipalCode
    root: Hash
    readings: int
    devices: int
    recorded_ms: TimeMs


class Review(Wire, frozen=True):
    """An officer's decision on a quarantined reading."""

    released: bool
    why: str
    officer: str
    reviewed_ms: TimeMs


class Document(Wire, frozen=True):
    """書類: the image stays in the application; `document` commits to it."""

    document: Code
    member: Pseudonym
    municipality: MunicipalCode
    kind: Code
    hash: Commitment
    about: str
    registered_ms: TimeMs


class YearSum(Wire, frozen=True):
    """Emissions of a fiscal year (April to March): baseline less project is the reduction, exact, also below zero."""

    baseline: Exact
    project: Exact
    reduction: Exact
    estimated: Exact
    """The part of the reduction that rests on estimated values (class C)."""


class Period(Wire, frozen=True):
    """モニタリング期間: whole months of one methodology, reckoned with the factor table named here."""

    period: Code
    municipality: MunicipalCode
    methodology: MethodologyCode
    methodology_version: str
    region: Region
    first_month: Month
    last_month: Month
    table: str
    table_digest: Hash
    status: PeriodStatus
    cursor: str
    """The device settled last."""
    devices: int
    years: dict[str, YearSum]
    application: str
    closed_by: str
    retain_until_ms: TimeMs
    """E5c: what a certified period rests on is kept until two years after its end; 0 before."""


class DeviceMonth(Wire, frozen=True):
    """A device's reduction in a month. `missing` names why there is none: a value that the formula needs."""

    month: Month
    baseline: Exact
    project: Exact
    reduction: Exact
    estimated: bool
    missing: str


class DeviceReduction(Wire, frozen=True):
    device: Code
    member: Pseudonym
    months: tuple[DeviceMonth, ...]


class MemberReduction(Wire, frozen=True):
    """A member's exact kilograms by month, over all its devices in the period."""

    member: Pseudonym
    months: dict[str, Exact]


class Rule(Wire, frozen=True):
    """付与規則: `rate_points` points for every `rate_kg` kilograms in its months, within a budget. Never changed: a new
    rule takes the place of an old one from a month on, and a period over both is split between them.
    """

    rule: Code
    municipality: MunicipalCode
    methodologies: tuple[MethodologyCode, ...]
    rate_points: int
    rate_kg: int
    first_month: Month
    last_month: Month
    budget: int
    paid: int
    cap: int
    """Points a member gets of it in one period at most; 0: no cap."""
    when: GrantTime
    lot_months: int
    """Points expire at the beginning of the month that many months after they are paid."""
    ended: bool


class GrantRun(Wire, frozen=True):
    """付与: one rule applied to one period: proposed by one officer, released by another, paid in order."""

    period: Code
    rule: Code
    status: RunStatus
    proposed_by: str
    released_by: str
    cursor: str
    members: int
    points: int


class Grant(Wire, frozen=True):
    """What one member got: once for each period and rule. `unpaid`: lost to the cap or to the end of the budget."""

    member: Pseudonym
    kilograms: Exact
    points: int
    unpaid: int
    kept_back: int
    """Of `points`, what repaid an earlier correction."""


class Carry(Wire, frozen=True):
    """The part of a point that a member has not been paid yet."""

    remainder: Exact


class Owed(Wire, frozen=True):
    """Points that a correction took back and that were spent already: kept back from the next grants."""

    points: int


class Adjustment(Wire, frozen=True):
    """訂正: a late or corrected reading of a closed month, and what it changed. Nothing is changed silently (E6c)."""

    adjustment: Code
    period: Code
    device: Code
    member: Pseudonym
    kilograms: Exact
    points: int
    """Paid more (positive), or taken back and owed (negative)."""
    after_certification: bool
    """The credits stay as certified; only the points follow."""
    recorded_ms: TimeMs


class Application(Wire, frozen=True):
    """認証申請: settled periods of one methodology, in whole tonnes of each fiscal year."""

    application: Code
    municipality: MunicipalCode
    methodology: MethodologyCode
    periods: tuple[Code, ...]
    tonnes_by_year: dict[str, int]
    tonnes: int
    approved: int
    status: ApplicationStatus
    applied_ms: TimeMs


class CreditBlock(Wire, frozen=True):
    """認証クレジット with the serial numbers `<prefix>-<first>` to `<prefix>-<last>`, a tonne each."""

    block: Code
    application: Code
    municipality: MunicipalCode
    prefix: SerialPrefix
    first: int
    last: int
    sold: int
    """Tonnes sold, from the first serial number on."""
    certified_ms: TimeMs


class Sale(Wire, frozen=True):
    """売却: tonnes of a block by serial number, at a price in yen."""

    sale: Code
    block: Code
    first: int
    last: int
    yen_per_tonne: int
    buyer: BuyerCategory
    revenue_yen: int
    sold_ms: TimeMs


class Found(Wire, frozen=True):
    """A row of an index that leads to one other row."""

    id: str


PROGRAMMES = Table(ECOPOINTS, "programme", Programme)
MEMBERS = Table(ECOPOINTS, "member", Member)
MEMBERS_OF = Table(ECOPOINTS, "member_of", Found)
"""`<municipality>/<number>` -> member, in the order of joining."""
DEVICES = Table(ECOPOINTS, "device", Device)
DEVICES_OF = Table(ECOPOINTS, "device_of", Mark)
"""`<member>/<device>`."""
DEVICES_IN = Table(ECOPOINTS, "device_in", Mark)
"""`<municipality>/<methodology>/<device>`: what a period settles; retired ones stay."""
IDENTITIES = Table(ECOPOINTS, "identity", Found)
"""Commitment to a serial number, a supply point or a VIN -> the one device that bears it (E4e)."""
MONTHS = Table(ECOPOINTS, "month", MonthRow)
"""`<device>/<month>`."""
BATCHES = Table(ECOPOINTS, "batch", Batch)
BATCHES_IN = Table(ECOPOINTS, "batch_in", Mark)
"""`<municipality>/<time>/<batch>`."""
REVIEWS = Table(ECOPOINTS, "review", Review)
"""`<device>/<channel>/<end of the interval>`."""
DOCUMENTS = Table(ECOPOINTS, "document", Document)
DOCUMENTS_OF = Table(ECOPOINTS, "document_of", Mark)
"""`<municipality>/<member>/<document>`."""
MONTH_PERIODS = Table(ECOPOINTS, "month_period", Found)
"""`<municipality>/<methodology>/<month>` -> the one period that counts it: no reading is certified twice."""
PERIODS = Table(ECOPOINTS, "period", Period)
PERIODS_IN = Table(ECOPOINTS, "period_in", Mark)
"""`<municipality>/<first month>/<period>`."""
DEVICE_REDUCTIONS = Table(ECOPOINTS, "device_reduction", DeviceReduction)
"""`<period>/<device>`."""
MEMBER_REDUCTIONS = Table(ECOPOINTS, "member_reduction", MemberReduction)
"""`<period>/<number of the member>`: in the order of joining, in which points are paid."""
RULES = Table(ECOPOINTS, "rule", Rule)
RULES_IN = Table(ECOPOINTS, "rule_in", Mark)
"""`<municipality>/<first month>/<rule>`."""
RUNS = Table(ECOPOINTS, "run", GrantRun)
"""`<period>/<rule>`."""
GRANTS = Table(ECOPOINTS, "grant", Grant)
"""`<period>/<rule>/<number of the member>`."""
CARRIES = Table(ECOPOINTS, "carry", Carry)
"""`<rule>/<member>`."""
OWED = Table(ECOPOINTS, "owed", Owed)
"""By member."""
ADJUSTMENTS = Table(ECOPOINTS, "adjustment", Adjustment)
"""`<period>/<time>/<adjustment>`."""
APPLICATIONS = Table(ECOPOINTS, "application", Application)
APPLICATIONS_IN = Table(ECOPOINTS, "application_in", Mark)
"""`<municipality>/<time>/<application>`."""
BLOCKS = Table(ECOPOINTS, "block", CreditBlock)
BLOCKS_OF = Table(ECOPOINTS, "block_of", Mark)
"""`<municipality>/<application>/<block>`."""
SERIALS = Table(ECOPOINTS, "serial", Found)
"""`<prefix>/<last serial number>` -> its block."""
SALES = Table(ECOPOINTS, "sale", Sale)
SALES_OF = Table(ECOPOINTS, "sale_of", Mark)
"""`<block>/<time>/<sale>`."""
