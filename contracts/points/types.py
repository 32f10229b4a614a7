"""The rows of the points ledger, and the tables that hold them, a set of its own for each contract that uses it.

Points are whole. Names of residents and shops stay in the application. Shops' points do not expire: they are owed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from ledger.encoding import Wire
from ledger.table import Mark, Table
from ledger.types import MunicipalCode, TimeMs, whole

Code = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
"""The id of something that this ledger has made."""
Pseudonym = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,63}")]
"""A resident or shop, as the application calls it here: it leads to nobody without the application's own records."""
Points = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Commitment = Annotated[str, whole(r"[0-9a-f]{64}")]
"""Of a one-time code (`codes.commitment`)."""
OneTimeCode = Annotated[str, msgspec.Meta(min_length=12, max_length=64)]
"""Unguessable: its commitment is public, so a short number could be found by trying."""
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Stock = Annotated[int, msgspec.Meta(ge=0, le=10**6)]

AccountKind = Literal["resident", "shop"]
EntryKind = Literal[
    "issued", "paid", "received", "refunded", "given_back", "expired", "reversed", "redeemed", "returned",
    "settled", "unsettled",
]  # fmt: skip
"""What changed an account: `refunded` and `returned` come back to a resident, `given_back` leaves a shop."""
PaymentStatus = Literal["open", "paid", "cancelled"]
StatementStatus = Literal["closed", "approved", "burnt", "paid", "rejected"]
RedemptionStatus = Literal["ordered", "handed_out", "cancelled"]

MAX_LOTS = 100
"""Lots of one account, and so of one payment. Beyond it the earliest lot joins the next: nobody loses by it."""
MAX_VALID_MS = 600_000
"""A payment can be confirmed for ten minutes."""


class Lot(Wire, frozen=True):
    """Points of one account that expire together, at 00:00 in Japan's time."""

    expires_ms: TimeMs
    points: Points


class Account(Wire, frozen=True):
    """ポイント口座. A resident's points are the sum of the lots, earliest expiry first; a shop's are in no lots."""

    account: Pseudonym
    kind: AccountKind
    municipality: MunicipalCode
    points: int
    lots: tuple[Lot, ...]
    entries: int
    opened_ms: TimeMs
    closed_ms: TimeMs | None


class Entry(Wire, frozen=True):
    """One line of an account's book: `points` came (positive) or went, and `balance` was there then."""

    kind: EntryKind
    points: int
    balance: int
    about: str
    """The payment, statement or redemption; or the source of a grant."""
    at_ms: TimeMs


class Totals(Wire, frozen=True):
    """A municipality's points. Everything issued is in exactly one of the other fields.

    Lots whose time has come count as residents' until their expiry is entered; nobody can spend them any more.
    """

    issued: int = 0
    residents: int = 0
    shops: int = 0
    locked: int = 0
    """In statements that are closed or approved."""
    rewards: int = 0
    """With the reward desk of the municipality: for rewards that are ordered and not handed out."""
    cashed_out: int = 0
    """Burnt by statements of shops."""
    redeemed: int = 0
    """Burnt by rewards handed out."""
    expired: int = 0
    reversed: int = 0


class Payment(Wire, frozen=True):
    """支払. `lots` are those it took and has not given back; one that is open past `until_ms` has lapsed."""

    payment: Code
    account: Pseudonym
    municipality: MunicipalCode
    points: Points
    status: PaymentStatus
    shop: str
    lots: tuple[Lot, ...]
    refunded: int
    opened_ms: TimeMs
    until_ms: TimeMs
    paid_ms: TimeMs | None


class Statement(Wire, frozen=True):
    """精算書: a shop's points on their way to money. Who approved it may not also mark it paid."""

    statement: Code
    shop: Pseudonym
    municipality: MunicipalCode
    points: Points
    status: StatementStatus
    approved_by: str
    """The officer's account, here and below; empty until then."""
    burnt_by: str
    paid_by: str
    closed_ms: TimeMs
    changed_ms: TimeMs


class Reward(Wire, frozen=True):
    """交換品: a local product, an event ticket, a discount for a public facility."""

    reward: Code
    municipality: MunicipalCode
    name_ja: Label
    name_en: Label
    points: Points
    stock: int
    in_use: bool


class Redemption(Wire, frozen=True):
    """交換: points for a reward, until it is handed out or cancelled."""

    redemption: Code
    account: Pseudonym
    municipality: MunicipalCode
    reward: Code
    count: int
    points: Points
    lots: tuple[Lot, ...]
    status: RedemptionStatus
    ordered_ms: TimeMs
    ended_ms: TimeMs | None


class Found(Wire, frozen=True):
    """A row of an index that leads to one other row."""

    id: str


@dataclass(frozen=True, slots=True)
class Tables:
    accounts: Table[Account]
    accounts_in: Table[Mark]
    """`<municipality>/<kind>/<account>`."""
    entries: Table[Entry]
    """`<account>/<number, newest first>`."""
    due: Table[Mark]
    """`<municipality>/<expiry of the account's earliest lot>/<account>`."""
    totals: Table[Totals]
    """By municipality."""
    payments: Table[Payment]
    payments_of: Table[Found]
    """`<account or shop>/<time, newest first>/<payment>`."""
    payment_codes: Table[Found]
    """Commitment -> payment; it stays, so that a code is used once."""
    statements: Table[Statement]
    statements_in: Table[Found]
    """`<municipality>/<time, newest first>/<statement>`."""
    statements_of: Table[Found]
    """`<shop>/<time, newest first>/<statement>`."""
    rewards: Table[Reward]
    rewards_in: Table[Found]
    """`<municipality>/<reward>`."""
    redemptions: Table[Redemption]
    redemptions_in: Table[Found]
    """`<municipality>/<time, newest first>/<redemption>`."""
    redemptions_of: Table[Found]
    """`<account>/<time, newest first>/<redemption>`."""
    redemption_codes: Table[Found]
    """Commitment -> redemption."""


@lru_cache(maxsize=32)
def tables_of(contract: str) -> Tables:
    """The tables of the points of a contract."""
    return Tables(
        accounts=Table(contract, "points_account", Account),
        accounts_in=Table(contract, "points_account_in", Mark),
        entries=Table(contract, "points_entry", Entry),
        due=Table(contract, "points_due", Mark),
        totals=Table(contract, "points_totals", Totals),
        payments=Table(contract, "payment", Payment),
        payments_of=Table(contract, "payment_of", Found),
        payment_codes=Table(contract, "payment_code", Found),
        statements=Table(contract, "statement", Statement),
        statements_in=Table(contract, "statement_in", Found),
        statements_of=Table(contract, "statement_of", Found),
        rewards=Table(contract, "reward", Reward),
        rewards_in=Table(contract, "reward_in", Found),
        redemptions=Table(contract, "redemption", Redemption),
        redemptions_in=Table(contract, "redemption_in", Found),
        redemptions_of=Table(contract, "redemption_of", Found),
        redemption_codes=Table(contract, "redemption_code", Found),
    )


def newest_first(number: int) -> str:
    """A number as part of a row's id, so that the ids of greater numbers come first."""
    return f"{10**16 - number:016d}"
