"""The donations contract: every call and query, with its function of the report and who may make it.

The rules are in the modules beside this one: `masters`, `needs`, `offers`, `shipments`, `stock`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.access import AccessLog, AccessReason
from contracts.donations import masters, needs, offers, queries, shipments, stock
from contracts.donations.masters import ADMIN, APP, OFFICER, SHELTER
from contracts.donations.queries import (
    ArrivalPage,
    BoxView,
    NeedFilter,
    NeedPage,
    NeedView,
    OfferPage,
    RequestPage,
    StockPage,
    TotalsPage,
)
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import (
    ITEMS,
    MAILS,
    MAX_BOXES,
    MAX_STAFF,
    NEEDS,
    OFFERS,
    REQUESTS,
    SHELTERS,
    TOKENS,
    Beneficiaries,
    Code,
    Commitment,
    Item,
    Label,
    Mail,
    MailKind,
    Offer,
    Priority,
    Pseudonym,
    Quantity,
    Request,
    Shelter,
    ShelterStatus,
    Size,
    Token,
)
from contracts.paging import After, Limit
from ledger.contract import Context, QueryContext, Result, call, query
from ledger.refusal import Refused
from ledger.types import AccountId, Hash, MunicipalCode, TimeMs, whole

RECEIVING = [SHELTER, OFFICER]

Sizes = Annotated[tuple[Size, ...], msgspec.Meta(max_length=20)]
Staff = Annotated[tuple[AccountId, ...], msgspec.Meta(max_length=MAX_STAFF)]
Allergens = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=32)], ...], msgspec.Meta(max_length=32)]
BoxQuantities = Annotated[tuple[Quantity, ...], msgspec.Meta(min_length=1, max_length=MAX_BOXES)]
TokenCommitments = Annotated[
    tuple[Annotated[str, whole(r"[0-9a-f]{64}")], ...],
    msgspec.Meta(min_length=1, max_length=MAX_BOXES),
]
Received = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Why = Annotated[str, whole(r"[a-z_]{0,32}")]
"""A code for the reason (`damaged`, `missing`, `surplus`, `wrong_item` …); words stay in the application."""
Filter = Annotated[str, msgspec.Meta(max_length=64)]
"""Empty: everything."""


class Donations(AccessLog):
    name = "donations"
    version = 1
    reasons = (DonationsReason, AccessReason)

    # -- masters (D10) -------------------------------------------------------------------------------------------------

    @call(roles=[ADMIN])
    def register_shelter(
        self, ctx: Context, shelter: Code, name_ja: Label, name_en: Label, contact: Commitment = "", staff: Staff = ()
    ) -> Result:
        """D10a: an administrator registers a shelter of its municipality. Contacts stay in the application."""
        municipality = ctx.sender.organisation
        return masters.register_shelter(
            ctx, Shelter(shelter, municipality, name_ja, name_en, "open", "", contact, tuple(sorted(set(staff))))
        )

    @call(roles=[ADMIN])
    def change_shelter(
        self, ctx: Context, shelter: Code, name_ja: Label, name_en: Label, contact: Commitment, staff: Staff
    ) -> Result:
        """D10a: an administrator changes a shelter's names, contact and staff."""
        people = tuple(sorted(set(staff)))
        return masters.change_shelter(ctx, shelter, name_ja=name_ja, name_en=name_en, contact=contact, staff=people)

    @call(roles=[ADMIN, OFFICER])
    def set_shelter_status(
        self, ctx: Context, shelter: Code, status: ShelterStatus, redirect_to: Filter = ""
    ) -> Result:
        """D10c: a shelter is open, full or closed; what is under way to a closed one is redirected."""
        return masters.set_shelter_status(ctx, shelter, status, redirect_to)

    @call(roles=[ADMIN])
    def register_item(
        self, ctx: Context, item: Code, name_ja: Label, name_en: Label, category: Code, unit_ja: Label,
        sizes: Sizes = (), needs_expiry: bool = False,
    ) -> Result:  # fmt: skip
        """D10b: an administrator adds an item to the master that all municipalities share."""
        kept_by = ctx.sender.organisation
        return masters.register_item(
            ctx, Item(item, name_ja, name_en, category, unit_ja, sizes, needs_expiry, True, kept_by)
        )

    @call(roles=[ADMIN])
    def change_item(
        self, ctx: Context, item: Code, name_ja: Label, name_en: Label, category: Code, unit_ja: Label,
        sizes: Sizes, needs_expiry: bool, in_use: bool,
    ) -> Result:  # fmt: skip
        """D10b: an administrator of the municipality that registered an item changes it or takes it out of use."""
        return masters.change_item(
            ctx, item, name_ja=name_ja, name_en=name_en, category=category, unit_ja=unit_ja, sizes=sizes,
            needs_expiry=needs_expiry, in_use=in_use,
        )  # fmt: skip

    # -- needs (D1) ----------------------------------------------------------------------------------------------------

    @call(roles=RECEIVING)
    def register_need(
        self, ctx: Context, shelter: Code, item: Code, quantity: Quantity, size: Size = "",
        priority: Priority = "normal", beneficiaries: Beneficiaries = "everybody", allergens: Allergens = (),
        need_by_ms: TimeMs | None = None, detail: Commitment = "", separate: bool = False,
        occurred_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """D1a, D1c, D1e 必要物資登録: shelter staff register what they need; everybody sees it at once."""
        return needs.register(
            ctx, shelter_id=shelter, item_id=item, size=size, quantity=quantity, priority=priority,
            beneficiaries=beneficiaries, allergens=allergens, need_by_ms=need_by_ms, detail=detail,
            separate=separate, occurred_ms=occurred_ms,
        )  # fmt: skip

    @call(roles=RECEIVING)
    def amend_need(self, ctx: Context, need: Code, quantity: Quantity) -> Result:
        """D1d: another quantity; what was pledged beyond it is released."""
        return needs.amend(ctx, need, quantity)

    @call(roles=RECEIVING)
    def close_need(self, ctx: Context, need: Code) -> Result:
        """D1d: nothing more is wanted; what was pledged is released."""
        return needs.close(ctx, need)

    # -- pledges and offers (D3, D4) -----------------------------------------------------------------------------------

    @call(roles=[APP])
    def pledge(
        self, ctx: Context, supporter: Pseudonym, need: Code, quantity: Quantity, excess_as_offer: bool = False,
        available_from_ms: TimeMs | None = None, goods_expire_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """D3a, D3d, D3g 発送物資登録: a supporter promises a quantity of a need."""
        return offers.pledge(
            ctx, supporter=supporter, need_id=need, quantity=quantity, excess_as_offer=excess_as_offer,
            available_from_ms=available_from_ms, goods_expire_ms=goods_expire_ms,
        )  # fmt: skip

    @call(roles=[APP])
    def offer(
        self, ctx: Context, supporter: Pseudonym, item: Code, quantity: Quantity, size: Size = "",
        available_from_ms: TimeMs | None = None, goods_expire_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """D4a, D4b 提供物資登録: a supporter offers what no need asks for yet."""
        return offers.offer(
            ctx, supporter=supporter, item_id=item, size=size, quantity=quantity,
            available_from_ms=available_from_ms, goods_expire_ms=goods_expire_ms,
        )  # fmt: skip

    @call(roles=[APP])
    def withdraw_offer(self, ctx: Context, offer: Code, supporter: Pseudonym) -> Result:
        """D13c: a supporter takes back what is not requested yet; D3b: an unconfirmed pledge lapses."""
        return offers.withdraw(ctx, offer, supporter)

    @call(roles=RECEIVING)
    def decline_pledge(self, ctx: Context, offer: Code) -> Result:
        """D13d: the receiving side does not want a pledge; it becomes a free offer."""
        return offers.decline(ctx, offer)

    # -- requests, shipping, arrival (D6, D3e, D9) ---------------------------------------------------------------------

    @call(roles=RECEIVING)
    def request(
        self, ctx: Context, offer: Code, need: Code, quantity: Quantity, boxes: BoxQuantities,
        tokens: TokenCommitments,
    ) -> Result:  # fmt: skip
        """D6a, D6b, D6d, D9a, D9c 物資要求登録: the receiver asks for goods; that completes the match."""
        return shipments.request(ctx, offer_id=offer, need_id=need, quantity=quantity, boxes=boxes, tokens=tokens)

    @call(roles=RECEIVING)
    def cancel_request(self, ctx: Context, request: Code) -> Result:
        """D13d: the receiving side takes a request back before anything is shipped."""
        return shipments.cancel(ctx, request)

    @call(roles=[APP])
    def refuse_request(self, ctx: Context, request: Code, supporter: Pseudonym) -> Result:
        """D13c: the supporter cannot send what was requested."""
        return shipments.refuse(ctx, request, supporter)

    @call(roles=[APP])
    def ship(self, ctx: Context, request: Code, supporter: Pseudonym, occurred_ms: TimeMs | None = None) -> Result:
        """D3e 「発送」: the goods are on their way."""
        return shipments.ship(ctx, request, supporter, occurred_ms)

    @call(roles=RECEIVING)
    def receive(
        self, ctx: Context, token: Token, shelter: Code, quantity: Received | None = None, reason: Why = "",
        divert: bool = False, occurred_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """D9d to D9h 「受取」: a box has arrived. A second time shows the first result and changes nothing."""
        return shipments.receive(
            ctx, token=token, shelter_id=shelter, quantity=quantity, reason=reason, divert=divert,
            occurred_ms=occurred_ms,
        )  # fmt: skip

    @call(roles=[OFFICER])
    def mark_lost(self, ctx: Context, request: Code) -> Result:
        """D13a: an officer marks what was shipped and has not arrived as lost; the need is open again."""
        return shipments.write_off(ctx, request, "lost")

    @call(roles=[OFFICER])
    def mark_returned(self, ctx: Context, request: Code) -> Result:
        """D13b: an officer marks what was shipped and has not arrived as returned to its sender."""
        return shipments.write_off(ctx, request, "returned")

    # -- stock (D13) ---------------------------------------------------------------------------------------------------

    @call(roles=RECEIVING)
    def take_stock(
        self, ctx: Context, shelter: Code, item: Code, quantity: Received, size: Size = "", minimum: Received = 0,
        expires_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """D13f: a stocktake in a shelter or a 防災備蓄倉庫."""
        return stock.take_stock(
            ctx, shelter_id=shelter, item_id=item, size=size, quantity=quantity, minimum=minimum,
            expires_ms=expires_ms,
        )  # fmt: skip

    @call(roles=[OFFICER])
    def transfer(
        self, ctx: Context, source: Code, target: Code, item: Code, quantity: Quantity, size: Size = ""
    ) -> Result:
        """D13e: goods go from one shelter of the municipality to another."""
        return stock.transfer(ctx, source_id=source, target_id=target, item_id=item, size=size, quantity=quantity)

    # -- mail (D8) -----------------------------------------------------------------------------------------------------

    @call(roles=[APP])
    def record_mail(self, ctx: Context, mail: Code, kind: MailKind, recipient: Hash, about: Code) -> Result:
        """D8e: the fact that a mail was accepted by the mail server, once; `recipient` is a salted hash.

        `about` is the offer (提供物資登録) or the request (the other three mails).
        """
        if MAILS.get(ctx.state, mail) is not None:
            raise Refused(DonationsReason.MAIL_RECORDED)
        if kind == "offer_registered":
            told = offers.subjects(offers.known(ctx.state, about))
        else:
            told = shipments.subjects(shipments.known(ctx.state, about))
        MAILS.put(ctx.state, mail, Mail(kind, recipient, about, ctx.time_ms))
        ctx.emit("mail_sent", told[:1], kind=kind)
        return None

    # -- queries -------------------------------------------------------------------------------------------------------

    @query
    def shelters(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Shelter]:
        """Shelters by id."""
        return [row for _, row in SHELTERS.page(ctx.state, after=after, limit=limit)]

    @query
    def shelter(self, ctx: QueryContext, shelter: Code) -> Shelter | None:
        """One shelter."""
        return SHELTERS.get(ctx.state, shelter)

    @query
    def items(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Item]:
        """The item master."""
        return [row for _, row in ITEMS.page(ctx.state, after=after, limit=limit)]

    @query
    def need(self, ctx: QueryContext, need: Code) -> NeedView | None:
        """One need with what is still shown of it."""
        found = NEEDS.get(ctx.state, need)
        return None if found is None else queries.need_view(ctx.state, found)

    @query
    def needs(
        self, ctx: QueryContext, shelter: Filter = "", municipality: Filter = "", item: Filter = "",
        priority: Filter = "", beneficiaries: Filter = "", only_open: bool = True, after: After = "",
        limit: Limit = 100,
    ) -> NeedPage:  # fmt: skip
        """D2a, D2b 必要物資検索: by shelter or municipality, item, priority, for whom, and what is still needed."""
        return queries.needs(
            ctx.state, NeedFilter(item, priority, beneficiaries), municipality=municipality, shelter=shelter,
            only_open=only_open, after=after, limit=limit,
        )  # fmt: skip

    @query
    def totals(self, ctx: QueryContext, municipality: MunicipalCode, after: After = "") -> TotalsPage:
        """D7b: a municipality's needs by item and bucket, a page of needs at a time."""
        return queries.totals(ctx.state, municipality=municipality, after=after)

    @query
    def offers(
        self, ctx: QueryContext, item: Filter = "", supporter: Filter = "", only_open: bool = True,
        after: After = "", limit: Limit = 100,
    ) -> OfferPage:  # fmt: skip
        """D5a 提供物資検索: by item; a supporter's own with `supporter`."""
        return queries.offers(ctx.state, item=item, supporter=supporter, only_open=only_open, after=after, limit=limit)

    @query
    def offer_of(self, ctx: QueryContext, offer: Code) -> Offer | None:
        """One offer."""
        return OFFERS.get(ctx.state, offer)

    @query
    def requests(
        self, ctx: QueryContext, shelter: Filter = "", municipality: Filter = "", supporter: Filter = "",
        status: Filter = "", after: After = "", limit: Limit = 100,
    ) -> RequestPage:  # fmt: skip
        """D5c, D6: requests for a shelter or a municipality, or to a supporter; all, or those in one status."""
        return queries.requests(
            ctx.state, municipality=municipality, shelter=shelter, supporter=supporter, status=status, after=after,
            limit=limit,
        )  # fmt: skip

    @query
    def request_of(self, ctx: QueryContext, request: Code) -> Request | None:
        """One request."""
        return REQUESTS.get(ctx.state, request)

    @query
    def boxes(self, ctx: QueryContext, request: Code) -> list[BoxView]:
        """The boxes of a request."""
        ids = [i for i, _ in shipments.boxes_of(ctx.state, request)]
        return [view for i in ids if (view := queries.box_view(ctx.state, i)) is not None]

    @query
    def box(self, ctx: QueryContext, token: Token) -> BoxView | None:
        """D9d: what is in a box, from its QR code. Changes nothing."""
        found = TOKENS.get(ctx.state, shipments.commitment(token))
        return None if found is None else queries.box_view(ctx.state, found.id)

    @query
    def arrivals(
        self, ctx: QueryContext, shelter: Filter = "", municipality: Filter = "", after: After = "",
        limit: Limit = 100,
    ) -> ArrivalPage:  # fmt: skip
        """D7a 到着物資確認: what has arrived at a shelter or in a municipality, shelter by shelter in order of time."""
        return queries.arrivals(ctx.state, municipality=municipality, shelter=shelter, after=after, limit=limit)

    @query
    def stock(
        self, ctx: QueryContext, shelter: Filter = "", municipality: Filter = "", below_minimum: bool = False,
        expires_before_ms: TimeMs | None = None, after: After = "", limit: Limit = 100,
    ) -> StockPage:  # fmt: skip
        """D13f: what shelters and the 防災備蓄倉庫 have; what is below its minimum, or near its date."""
        return queries.stock(
            ctx.state, municipality=municipality, shelter=shelter, below_minimum=below_minimum,
            expires_before_ms=expires_before_ms, after=after, limit=limit,
        )  # fmt: skip
