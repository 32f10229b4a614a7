"""The rows of the donations contract, and the tables that hold them.

Quantities are in the item's own unit (pieces, meals, bottles …). Free text, names and contacts never come here: what
people write stays in the application, and a salted commitment of it stands in its place.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ledger.encoding import Wire
from ledger.table import Mark, Table
from ledger.types import AccountId, Hash, MunicipalCode, TimeMs, whole

Code = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
"""The id of a shelter, an item, or something that this contract has made."""
Size = Annotated[str, whole(r"[^/\x00-\x1f\x7f]{0,32}")]
"""サイズ・種類, as the item master lists them; no `/`, which parts the ids of rows."""
Quantity = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Pseudonym = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,63}")]
"""A supporter, as the application calls it here: it leads to nobody without the application's own records."""
Commitment = Annotated[str, whole(r"([0-9a-f]{64})?")]
"""Salted SHA-256 of something kept off the chain, or empty."""
Token = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
"""The unguessable part of a box's QR code."""

Priority = Literal["urgent", "high", "normal"]
Beneficiaries = Literal["everybody", "infants", "elderly", "allergy"]
ShelterStatus = Literal["open", "full", "closed"]
OfferStatus = Literal["open", "used_up", "withdrawn"]
RequestStatus = Literal["requested", "shipped", "received", "cancelled", "lost", "returned"]
BoxStatus = Literal["packed", "received", "lost", "returned", "cancelled"]
MailKind = Literal["offer_registered", "shipped", "request", "received"]
"""D8: 提供物資登録, 提供物資発送, 送付依頼, 物資受領."""

MAX_BOXES = 200
MAX_STAFF = 50
MAX_PLEDGES = 200
"""Pledges to one need at a time: amending or closing it releases them all in one call, an event each."""


class Shelter(Wire, frozen=True):
    """避難所. `contact` commits to address, contact person, mail and phone, which the application keeps."""

    shelter: Code
    municipality: MunicipalCode
    name_ja: Label
    name_en: Label
    status: ShelterStatus
    redirect_to: str
    contact: Commitment
    staff: tuple[AccountId, ...]


class Item(Wire, frozen=True):
    """品目 of the master: what can be asked for and offered."""

    item: Code
    name_ja: Label
    name_en: Label
    category: Code
    unit_ja: Label
    sizes: tuple[Size, ...]
    needs_expiry: bool
    in_use: bool
    kept_by: MunicipalCode
    """The municipality that registered the item; only its administrators change it (X6)."""


class Need(Wire, frozen=True):
    """必要物資. Every unit of `quantity` is in exactly one of open, pledged, requested, shipped, arrived."""

    need: Code
    shelter: Code
    municipality: MunicipalCode
    item: Code
    size: Size
    quantity: int
    pledged: int
    requested: int
    shipped: int
    arrived: int
    pledges: int
    """How many offers hold the pledged units."""
    priority: Priority
    beneficiaries: Beneficiaries
    allergens: tuple[str, ...]
    need_by_ms: TimeMs | None
    detail: Commitment
    closed: bool
    registered_ms: TimeMs
    occurred_ms: TimeMs

    @property
    def shown(self) -> int:
        """What is still needed: the need less what is pledged, requested, shipped and arrived. Never below zero."""
        return self.quantity - self.pledged - self.requested - self.shipped - self.arrived


class Offer(Wire, frozen=True):
    """提供物資. `pledged` of its `left` units are promised to `need`; the rest anybody may request."""

    offer: Code
    supporter: Pseudonym
    item: Code
    size: Size
    quantity: int
    left: int
    need: str
    pledged: int
    available_from_ms: TimeMs | None
    goods_expire_ms: TimeMs | None
    status: OfferStatus
    registered_ms: TimeMs


class Request(Wire, frozen=True):
    """送付依頼: the match. Only the receiving side makes it."""

    request: Code
    offer: Code
    need: Code
    supporter: Pseudonym
    shelter: Code
    item: Code
    size: Size
    quantity: int
    boxes: int
    boxes_arrived: int
    status: RequestStatus
    requested_ms: TimeMs
    shipped_ms: TimeMs | None


class Box(Wire, frozen=True):
    """One box of a request, found by the commitment to the token in its QR code."""

    request: Code
    number: int
    quantity: int
    status: BoxStatus
    received: int
    received_at: str
    reason: str
    received_ms: TimeMs | None
    occurred_ms: TimeMs | None


class Stock(Wire, frozen=True):
    """What a shelter or the 防災備蓄倉庫 has of an item. `expires_ms`: the earliest date among it."""

    shelter: Code
    item: Code
    size: Size
    quantity: int
    minimum: int
    expires_ms: TimeMs | None


class Mail(Wire, frozen=True):
    """The fact that a mail was sent: its kind and a salted hash of whom it went to."""

    kind: MailKind
    recipient: Hash
    about: Code
    sent_ms: TimeMs


class Found(Wire, frozen=True):
    """A row of an index that leads to one other row."""

    id: str


SHELTERS = Table("donations", "shelter", Shelter)
ITEMS = Table("donations", "item", Item)
NEEDS = Table("donations", "need", Need)
NEEDS_AT = Table("donations", "need_at", Mark)
"""`<municipality>/<shelter>/<need>`."""
OPEN_NEEDS = Table("donations", "open_need", Mark)
"""`<municipality>/<shelter>/<item>/<size>/<need>`: what is not closed and still shown (D1e, D2)."""
OFFERS = Table("donations", "offer", Offer)
OFFERS_OF = Table("donations", "offer_of", Mark)
"""`<supporter>/<offer>`."""
OPEN_OFFERS = Table("donations", "open_offer", Mark)
"""`<item>/<size>/<offer>`: what has something left (D5)."""
PLEDGES = Table("donations", "pledge", Mark)
"""`<need>/<offer>`."""
REQUESTS = Table("donations", "request", Request)
REQUESTS_AT = Table("donations", "request_at", Mark)
"""`<municipality>/<shelter>/<request>`."""
REQUESTS_OF = Table("donations", "request_of", Mark)
"""`<supporter>/<request>`."""
BOXES = Table("donations", "box", Box)
"""`<request>/<number>`."""
TOKENS = Table("donations", "token", Found)
"""Commitment to a token -> its box."""
ARRIVALS = Table("donations", "arrival", Found)
"""`<municipality>/<shelter>/<time>/<box>` -> the box."""
STOCKS = Table("donations", "stock", Stock)
"""`<municipality>/<shelter>/<item>/<size>`."""
MAILS = Table("donations", "mail", Mail)
