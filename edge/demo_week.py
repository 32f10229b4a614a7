"""The sample week as signed writes: who enters what, in the calls of the `donations` contract.

What happened on which day and at what time goes in as `occurred_ms`, as it does when paper lists are entered later:
the week ends shortly before it is loaded. Words that people wrote stay out of the chain; a salted commitment stands
for them.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.init import AccountPlan
from edge.sample import Entry, Item, Shelter, Week
from edge.writers import Call, Results
from ledger.encoding import Value
from ledger.refusal import BrokenInvariant

CONTRACT = "donations"
APP = "app.donations"
"""The application's account: it acts for supporters, who are no members of the ledger."""
DAY_MS = 24 * 60 * 60 * 1000
JST_OFFSET_MS = 9 * 60 * 60 * 1000
DAYS = 7


def shelter_account(shelter: str) -> str:
    return f"shelter.{shelter}"


def admin_account(municipality: str) -> str:
    return f"admin.{municipality}"


def accounts(week: Week) -> list[AccountPlan]:
    """The accounts that the week needs: administrators, officers, the shelters' staff, and the application.

    `staff.<code>` is for shelters that are registered later and have no account of their own.
    """
    first = week.municipalities[0]
    planned = [AccountPlan(APP, first, ("donations.app",))]
    for code in week.municipalities:
        planned.append(AccountPlan(admin_account(code), code, ("donations.admin",)))
        planned.append(AccountPlan(f"officer.{code}", code, ("donations.officer",)))
        planned.append(AccountPlan(f"staff.{code}", code, ("donations.shelter",)))
    staff = [AccountPlan(shelter_account(s.shelter), s.municipality, ("donations.shelter",)) for s in week.shelters]
    return planned + staff


def first_day_ms(now_ms: int) -> int:
    """Midnight (JST) of the week's first day, so that its last has ended when it is loaded."""
    today_ms = (now_ms + JST_OFFSET_MS) // DAY_MS * DAY_MS - JST_OFFSET_MS
    return today_ms - DAYS * DAY_MS


def master_calls(week: Week) -> list[Call]:
    """What is registered once: shelters by the administrator of their municipality, items by that of the first."""
    return [_register_shelter(s) for s in week.shelters] + [
        _register_item(i, admin_account(week.municipalities[0])) for i in week.items
    ]


def _register_shelter(shelter: Shelter) -> Call:
    args: dict[str, Value] = {
        "shelter": shelter.shelter,
        "name_ja": shelter.name_ja,
        "name_en": shelter.name_en,
        "staff": [shelter_account(shelter.shelter)],
    }
    return Call(
        f"shelter:{shelter.shelter}", admin_account(shelter.municipality), CONTRACT, "register_shelter", lambda _: args
    )


def _register_item(item: Item, admin: str) -> Call:
    args: dict[str, Value] = {
        "item": item.item,
        "name_ja": item.name_ja,
        "name_en": item.name_en,
        "category": item.category,
        "unit_ja": item.unit_ja,
        "sizes": list(item.sizes),
        "needs_expiry": item.needs_expiry,
    }
    return Call(f"item:{item.item}", admin, CONTRACT, "register_item", lambda _: args)


@dataclass(frozen=True, slots=True)
class WeekCalls:
    """Makes the calls of a week. `commitment` is the contract's own: what stands on the chain for a box's token."""

    week: Week
    first_day_ms: int
    salt: bytes
    commitment: Callable[[str], str]

    def all(self) -> list[Call]:
        return [self.call(number, entry) for number, entry in enumerate(self.week.entries)]

    def by_writer(self) -> list[list[tuple[int, Call]]]:
        """The calls with their positions, one list a municipality: what names an earlier row is with that row."""
        municipality = {s.shelter: s.municipality for s in self.week.shelters}
        # A free offer goes with the shelter that picks it, or with the first.
        picked = {e.of: e.shelter for e in self.week.entries if e.action == "request"}
        lists: dict[str, list[tuple[int, Call]]] = {code: [] for code in self.week.municipalities}
        for number, entry in enumerate(self.week.entries):
            shelter = entry.shelter or picked.get(entry.ref, self.week.shelters[0].shelter)
            lists[municipality[shelter]].append((number, self.call(number, entry)))
        return list(lists.values())

    def call(self, number: int, entry: Entry) -> Call:
        ref = entry.ref or f"{entry.action}-{number}"
        staff = shelter_account(entry.shelter)
        match entry.action:
            case "need":
                return Call(ref, staff, CONTRACT, "register_need", lambda _: self._need(entry))
            case "pledge":
                return Call(ref, APP, CONTRACT, "pledge", lambda results: self._pledge(entry, results))
            case "offer":
                return Call(ref, APP, CONTRACT, "offer", lambda _: self._offer(entry))
            case "request":
                return Call(ref, staff, CONTRACT, "request", lambda results: self._request(entry, results))
            case "ship":
                return Call(ref, APP, CONTRACT, "ship", lambda results: self._ship(entry, results))
            case "receive":
                return Call(ref, staff, CONTRACT, "receive", lambda _: self._receive(entry))
            case _:
                raise BrokenInvariant(f"row {number + 2} of the week has the unknown action {entry.action}")

    def occurred_ms(self, entry: Entry) -> int:
        hours, _, minutes = entry.time.partition(":")
        return self.first_day_ms + (entry.day - 1) * DAY_MS + (int(hours) * 60 + int(minutes)) * 60_000

    def _need(self, entry: Entry) -> Mapping[str, Value]:
        args: dict[str, Value] = {
            "shelter": entry.shelter,
            "item": entry.item,
            "size": entry.size,
            "quantity": entry.quantity,
            "priority": entry.priority,
            "beneficiaries": entry.beneficiaries,
            "separate": True,
            "occurred_ms": self.occurred_ms(entry),
        }
        if entry.allergens:
            args["allergens"] = [entry.allergens]
        if entry.note:
            args["detail"] = hashlib.sha256(self.salt + entry.ref.encode() + entry.note.encode()).hexdigest()
        if entry.need_by_day is not None:
            args["need_by_ms"] = self.first_day_ms + entry.need_by_day * DAY_MS
        return args

    def _goods(self, entry: Entry) -> dict[str, Value]:
        args: dict[str, Value] = {"supporter": entry.party, "quantity": entry.quantity}
        if entry.expires_after_days is not None:
            args["goods_expire_ms"] = self.occurred_ms(entry) + entry.expires_after_days * DAY_MS
        return args

    def _pledge(self, entry: Entry, results: Results) -> Mapping[str, Value]:
        return {**self._goods(entry), "need": _id(results, entry.of, "need")}

    def _offer(self, entry: Entry) -> Mapping[str, Value]:
        return {**self._goods(entry), "item": entry.item, "size": entry.size}

    def _request(self, entry: Entry, results: Results) -> Mapping[str, Value]:
        boxes = [
            entry.quantity // entry.boxes + (1 if n < entry.quantity % entry.boxes else 0) for n in range(entry.boxes)
        ]
        return {
            "offer": _id(results, entry.of, "offer"),
            "need": _id(results, entry.need, "need"),
            "quantity": entry.quantity,
            "boxes": boxes,
            "tokens": [self.commitment(self._token(entry.ref, n)) for n in range(1, entry.boxes + 1)],
        }

    def _ship(self, entry: Entry, results: Results) -> Mapping[str, Value]:
        return {
            "request": _id(results, entry.of, "request"),
            "supporter": entry.party,
            "occurred_ms": self.occurred_ms(entry),
        }

    def _receive(self, entry: Entry) -> Mapping[str, Value]:
        return {
            "token": self._token(entry.of, entry.box),
            "shelter": entry.shelter,
            "quantity": entry.quantity,
            "reason": entry.reason,
            "occurred_ms": self.occurred_ms(entry),
        }

    def _token(self, request_ref: str, box: int) -> str:
        """The unguessable part of a box's QR code: sixteen letters and digits, as the application makes them."""
        return b32encode(hashlib.sha256(self.salt + f"{request_ref}/{box}".encode()).digest()[:10]).decode()

    def tokens(self) -> list[str]:
        """Those of all boxes of the week."""
        return [
            self._token(entry.ref, box)
            for entry in self.week.entries
            if entry.action == "request"
            for box in range(1, entry.boxes + 1)
        ]


def _id(results: Results, ref: str, name: str) -> str:
    return str(results[ref][name])
