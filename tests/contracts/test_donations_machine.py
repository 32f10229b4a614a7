"""Random sequences of every call of the donations contract by every role, right and wrong, against plain bookkeeping.

After every call: a refused one has changed nothing; every unit of a need is in exactly one bucket, and the buckets are
what the offers, requests and boxes say; offers and stocks add up; the indexes name what is open and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.donations import masters
from contracts.donations.shipments import commitment
from contracts.donations.types import (
    ARRIVALS,
    BOXES,
    NEEDS,
    NEEDS_AT,
    OFFERS,
    OFFERS_OF,
    OPEN_NEEDS,
    OPEN_OFFERS,
    PLEDGES,
    REQUESTS,
    REQUESTS_AT,
    REQUESTS_OF,
    SHELTERS,
    STOCKS,
    TOKENS,
    Box,
    Need,
    Offer,
    Request,
)
from ledger.encoding import Value
from ledger.registry import Account
from ledger.types import Receipt
from tests.contracts.bench import Bench
from tests.contracts.world import HACHIOJI, TACHIKAWA

EVERYTHING = 100_000
SHELTERS_OF = {"h1": HACHIOJI, "h2": HACHIOJI, "t1": TACHIKAWA}
STAFF = {"staff-h1": "h1", "staff-h2": "h2", "staff-t1": "t1"}
OFFICERS = {"officer-h": HACHIOJI, "officer-t": TACHIKAWA}
SUPPORTERS = ["s1", "s2", "s3"]
ITEMS = {"blanket": ("",), "diaper": ("S", "M")}
SENDERS = ["officer-h", *STAFF, *OFFICERS, "app", "app", "admin-h", "admin-t"]

PEOPLE = [
    *(Account(a, SHELTERS_OF[s], (masters.SHELTER,), (), False) for a, s in STAFF.items()),
    *(Account(a, code, (masters.OFFICER,), (), False) for a, code in OFFICERS.items()),
    Account("admin-h", HACHIOJI, (masters.ADMIN,), (), False),
    Account("admin-t", TACHIKAWA, (masters.ADMIN,), (), False),
    Account("app", HACHIOJI, (masters.APP,), (), False),
]

quantities = st.integers(1, 12)
senders = st.sampled_from(SENDERS)
mostly_app = st.sampled_from(["app"] * 12 + SENDERS)
shelters = st.sampled_from([*SHELTERS_OF])
places = st.sampled_from([(item, size) for item, sizes in ITEMS.items() for size in sizes])
supporters = st.sampled_from(SUPPORTERS)


def acts_for(sender: str, shelter: str) -> bool:
    """Whether the sender may act for the receiving side of a shelter: its staff, or an officer of its municipality."""
    return STAFF.get(sender) == shelter or OFFICERS.get(sender) == SHELTERS_OF[shelter]


class Donations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench({HACHIOJI: "八王子市", TACHIKAWA: "立川市"}, PEOPLE)
        self.tokens: list[tuple[str, str]] = []
        self.arrived: Counter[str] = Counter()
        self.withdrawn: Counter[str] = Counter()
        self.came_back: Counter[str] = Counter()
        self.stock: Counter[tuple[str, str, str]] = Counter()

    @initialize()
    def masters(self) -> None:
        for shelter, code in SHELTERS_OF.items():
            staff = [a for a, s in STAFF.items() if s == shelter]
            admin = "admin-h" if code == HACHIOJI else "admin-t"
            made = self.run(admin, "register_shelter", shelter=shelter, name_ja="所", name_en="S", staff=staff)
            assert made.done
        for item, sizes in ITEMS.items():
            named = [s for s in sizes if s]
            made = self.run("admin-h", "register_item", item=item, name_ja=item, name_en=item, category="goods",
                            unit_ja="個", sizes=named)  # fmt: skip
            assert made.done

    # -- the state as it stands ----------------------------------------------------------------------------------------

    def run(self, sender: str, method: str, **args: Value) -> Receipt:
        before = dict(self.bench.state.writes)
        receipt = self.bench.run(sender, "donations", method, args)
        if not receipt.done:
            assert dict(self.bench.state.writes) == before, f"{method} was refused and has changed something"
            assert receipt.reason in self.bench.runtime.reasons()
        return receipt

    def rows(self, table: Any) -> dict[str, Any]:
        return dict(table.page(self.bench.state, limit=EVERYTHING))

    def needs(self) -> list[Need]:
        return [*self.rows(NEEDS).values()]

    def offers(self) -> list[Offer]:
        return [*self.rows(OFFERS).values()]

    def requests(self) -> list[Request]:
        return [*self.rows(REQUESTS).values()]

    def boxes(self, request: str) -> list[Box]:
        return [box for _, box in BOXES.page(self.bench.state, prefix=f"{request}/", limit=EVERYTHING)]

    def staff_mostly(self, data: st.DataObject, shelter: str) -> str:
        """Mostly somebody who may act for the shelter, so that sequences get far."""
        right = [a for a, s in STAFF.items() if s == shelter] + [
            o for o, c in OFFICERS.items() if c == SHELTERS_OF[shelter]
        ]
        return data.draw(st.sampled_from(right * 8 + SENDERS))

    def some_need(self, data: st.DataObject) -> Need:
        """Mostly one that is open."""
        needs = self.needs()
        return data.draw(st.sampled_from([n for n in needs if n.shown and not n.closed] * 4 + needs))

    def some_offer(self, data: st.DataObject) -> Offer:
        """Mostly one that has something left, and rather a pledge."""
        offers = self.offers()
        lively = [o for o in offers if o.left] * 3 + [o for o in offers if o.pledged] * 6
        return data.draw(st.sampled_from(lively + offers))

    def some_request(self, data: st.DataObject, status: str) -> Request:
        """Mostly one in this status."""
        requests = self.requests()
        return data.draw(st.sampled_from([r for r in requests if r.status == status] * 6 + requests))

    # -- the receiving side --------------------------------------------------------------------------------------------

    @rule(data=st.data(), shelter=shelters, place=places, quantity=quantities, separate=st.booleans())
    def register_need(
        self, data: st.DataObject, shelter: str, place: tuple[str, str], quantity: int, separate: bool
    ) -> None:
        item, size = place
        sender = self.staff_mostly(data, shelter)
        similar = any(
            (n.shelter, n.item, n.size) == (shelter, item, size) and n.shown and not n.closed for n in self.needs()
        )
        receipt = self.run(sender, "register_need", shelter=shelter, item=item, size=size, quantity=quantity,
                           separate=separate)  # fmt: skip
        if receipt.done:
            assert acts_for(sender, shelter) and (separate or not similar)
        elif acts_for(sender, shelter):
            assert receipt.reason in {"donations.similar_need", "donations.shelter_closed"}

    @precondition(lambda self: self.needs())
    @rule(data=st.data(), quantity=st.sampled_from([None, *range(1, 13)]))
    def amend_or_close_need(self, data: st.DataObject, quantity: int | None) -> None:
        need = self.some_need(data)
        sender = self.staff_mostly(data, need.shelter)
        if quantity is None:
            if self.run(sender, "close_need", need=need.need).done:
                assert acts_for(sender, need.shelter) and not need.closed
        elif self.run(sender, "amend_need", need=need.need, quantity=quantity).done:
            assert acts_for(sender, need.shelter) and not need.closed
            after = NEEDS.get(self.bench.state, need.need)
            assert after is not None and after.quantity == quantity
            assert after.pledged == min(need.pledged, quantity - need.requested - need.shipped - need.arrived)

    @precondition(lambda self: self.offers())
    @rule(data=st.data(), sender=senders)
    def decline_pledge(self, data: st.DataObject, sender: str) -> None:
        offer = self.some_offer(data)
        if self.run(sender, "decline_pledge", offer=offer.offer).done:
            need = NEEDS.get(self.bench.state, offer.need)
            assert need is not None and acts_for(sender, need.shelter) and offer.pledged

    @precondition(lambda self: self.needs() and self.offers())
    @rule(data=st.data())
    def request(self, data: st.DataObject) -> None:
        offer = self.some_offer(data)
        needs = self.needs()
        fitting = [n for n in needs if (n.item, n.size) == (offer.item, offer.size) and not n.closed]
        promised = [n for n in needs if n.need == offer.need]
        need = data.draw(st.sampled_from(promised * 9 + fitting * 3 + needs))
        sender = self.staff_mostly(data, need.shelter)
        quantity = data.draw(st.integers(1, max(1, min(offer.left, need.shown + offer.pledged)) + 1))
        first = data.draw(st.integers(1, quantity))
        boxes = [first, quantity - first] if first < quantity else [quantity]
        tokens = [f"token-{self.bench.height}-{i:08d}" for i in range(len(boxes))]
        receipt = self.run(sender, "request", offer=offer.offer, need=need.need, quantity=quantity,
                           boxes=list(boxes), tokens=[commitment(t) for t in tokens])  # fmt: skip
        if receipt.done:
            assert acts_for(sender, need.shelter) and not need.closed and offer.status == "open"
            self.tokens += [(token, str(receipt.result["request"])) for token in tokens]

    @precondition(lambda self: self.requests())
    @rule(data=st.data())
    def cancel_request(self, data: st.DataObject) -> None:
        made = self.some_request(data, "requested")
        sender = self.staff_mostly(data, made.shelter)
        offer = OFFERS.get(self.bench.state, made.offer)
        assert offer is not None
        if self.run(sender, "cancel_request", request=made.request).done:
            assert made.status == "requested" and acts_for(sender, made.shelter)
            if offer.status != "withdrawn":
                self.came_back[made.offer] += made.quantity

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(), quantity=st.sampled_from([None] * 5 + [*range(6)]),
        reason=st.sampled_from(["", "damaged"]), divert=st.booleans(),
    )  # fmt: skip
    def receive(self, data: st.DataObject, quantity: int | None, reason: str, divert: bool) -> None:
        token, request = data.draw(st.sampled_from(self.tokens[-6:] + self.tokens))
        made = REQUESTS.get(self.bench.state, request)
        found = TOKENS.get(self.bench.state, hashlib.sha256(b"daicho/donations/token\x00" + token.encode()).hexdigest())
        assert made is not None and found is not None
        shelter = data.draw(st.sampled_from([made.shelter] * 4 + [*SHELTERS_OF]))
        sender = self.staff_mostly(data, shelter)
        box = BOXES.get(self.bench.state, found.id)
        need = NEEDS.get(self.bench.state, made.need)
        expected = SHELTERS.get(self.bench.state, made.shelter)
        assert box is not None and need is not None and expected is not None
        before = dict(self.bench.state.writes)
        receipt = self.run(sender, "receive", token=token, shelter=shelter, quantity=quantity, reason=reason,
                           divert=divert)  # fmt: skip
        if not receipt.done:
            return
        assert acts_for(sender, shelter)
        assert receipt.result["again"] is (box.status == "received")
        if box.status == "received":
            assert dict(self.bench.state.writes) == before and receipt.events == ()
            assert (receipt.result["received"], receipt.result["shelter"]) == (box.received, box.received_at)
            return
        assert made.status in {"requested", "shipped", "lost"}
        assert shelter == made.shelter or divert or expected.redirect_to == shelter
        count = box.quantity if quantity is None else quantity
        assert count == box.quantity or reason
        self.stock[shelter, made.item, made.size] += count
        if shelter == made.shelter:
            counted = min(count, box.quantity)
            self.arrived[made.need] += min(counted, need.shown) if box.status == "lost" else counted

    @precondition(lambda self: self.requests())
    @rule(data=st.data(), method=st.sampled_from(["mark_lost", "mark_returned"]))
    def write_off(self, data: st.DataObject, method: str) -> None:
        made = self.some_request(data, "shipped")
        sender = self.staff_mostly(data, made.shelter)
        if self.run(sender, method, request=made.request).done:
            assert made.status == "shipped" and OFFICERS.get(sender) == SHELTERS_OF[made.shelter]

    @rule(data=st.data(), shelter=shelters, goal=st.none() | shelters, place=places, quantity=st.integers(1, 20))
    def take_or_transfer_stock(
        self, data: st.DataObject, shelter: str, goal: str | None, place: tuple[str, str], quantity: int
    ) -> None:
        sender, (item, size) = self.staff_mostly(data, shelter), place
        if goal is None:
            if self.run(sender, "take_stock", shelter=shelter, item=item, size=size, quantity=quantity).done:
                assert acts_for(sender, shelter)
                self.stock[shelter, item, size] = quantity
        elif self.run(sender, "transfer", source=shelter, target=goal, item=item, size=size, quantity=quantity).done:
            assert {SHELTERS_OF[shelter], SHELTERS_OF[goal]} == {OFFICERS.get(sender)} and shelter != goal
            self.stock[shelter, item, size] -= quantity
            self.stock[goal, item, size] += quantity

    @rule(
        sender=senders, shelter=shelters, status=st.sampled_from(["open"] * 6 + ["full", "closed"]),
        redirect=st.sampled_from(["", *SHELTERS_OF]),
    )  # fmt: skip
    def set_shelter_status(self, sender: str, shelter: str, status: str, redirect: str) -> None:
        if self.run(sender, "set_shelter_status", shelter=shelter, status=status, redirect_to=redirect).done:
            assert sender[-1] == shelter[0] and sender.split("-")[0] in {"officer", "admin"}
            assert redirect != shelter and (not redirect or status != "open")

    # -- the sending side ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.needs())
    @rule(data=st.data(), sender=mostly_app, supporter=supporters, quantity=quantities, excess=st.booleans())
    def pledge(self, data: st.DataObject, sender: str, supporter: str, quantity: int, excess: bool) -> None:
        need = self.some_need(data)
        receipt = self.run(sender, "pledge", supporter=supporter, need=need.need, quantity=quantity,
                           excess_as_offer=excess)  # fmt: skip
        if receipt.done:
            assert sender == "app" and need.shown and not need.closed and (excess or quantity <= need.shown)
            assert receipt.result["shown"] == max(0, need.shown - quantity)

    @rule(sender=mostly_app, supporter=supporters, place=places, quantity=quantities)
    def offer(self, sender: str, supporter: str, place: tuple[str, str], quantity: int) -> None:
        item, size = place
        receipt = self.run(sender, "offer", supporter=supporter, item=item, size=size, quantity=quantity)
        assert receipt.done == (sender == "app")

    @precondition(lambda self: self.offers())
    @rule(data=st.data(), sender=mostly_app, supporter=supporters)
    def withdraw_offer(self, data: st.DataObject, sender: str, supporter: str) -> None:
        offer = self.some_offer(data)
        if self.run(sender, "withdraw_offer", offer=offer.offer, supporter=supporter).done:
            assert sender == "app" and supporter == offer.supporter and offer.status == "open"
            self.withdrawn[offer.offer] += offer.left

    @precondition(lambda self: self.requests())
    @rule(data=st.data(), sender=mostly_app, method=st.sampled_from(["ship"] * 5 + ["refuse_request"]))
    def ship_or_refuse(self, data: st.DataObject, sender: str, method: str) -> None:
        made = self.some_request(data, "requested")
        supporter = data.draw(st.sampled_from([made.supporter] * 6 + SUPPORTERS))
        receipt = self.run(sender, method, request=made.request, supporter=supporter)
        assert receipt.done == (sender == "app" and supporter == made.supporter and made.status == "requested")

    @rule(
        shelter=shelters, place=places, boxes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
        until=st.sampled_from(["requested", "shipped", "lost"]), more=st.integers(0, 9),
    )  # fmt: skip
    def parcel(self, shelter: str, place: tuple[str, str], boxes: list[int], until: str, more: int) -> None:
        """A whole match at once, and a second pledge, so that the other rules soon have parcels to act on."""
        (item, size), quantity = place, sum(boxes)
        staff = next(a for a, s in STAFF.items() if s == shelter)
        need = self.run(staff, "register_need", shelter=shelter, item=item, size=size, quantity=quantity + 3,
                        separate=True)  # fmt: skip
        if not need.done:
            assert need.reason == "donations.shelter_closed"
            return
        need_id = str(need.result["need"])
        made = self.run("app", "pledge", supporter="s1", need=need_id, quantity=quantity)
        if not made.done:
            assert made.reason == "donations.shelter_full"
            return
        tokens = [f"token-{self.bench.height}-{i:08d}" for i in range(len(boxes))]
        asked = self.run(staff, "request", offer=str(made.result["offer"]), need=need_id, quantity=quantity,
                         boxes=list(boxes), tokens=[commitment(t) for t in tokens])  # fmt: skip
        request = str(asked.result["request"])
        self.tokens += [(token, request) for token in tokens]
        if until != "requested":
            assert self.run("app", "ship", request=request, supporter="s1").done
        if until == "lost":
            officer = next(o for o, code in OFFICERS.items() if code == SHELTERS_OF[shelter])
            assert self.run(officer, "mark_lost", request=request).done
        if more:
            assert self.run("app", "pledge", supporter="s2", need=need_id, quantity=more, excess_as_offer=True).done

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def every_unit_of_a_need_is_in_exactly_one_bucket(self) -> None:
        pledged: Counter[str] = Counter()
        pledges: Counter[str] = Counter()
        for offer in self.offers():
            if offer.pledged:
                pledged[offer.need] += offer.pledged
                pledges[offer.need] += 1
        requested: Counter[str] = Counter()
        shipped: Counter[str] = Counter()
        for made in self.requests():
            packed = sum(b.quantity for b in self.boxes(made.request) if b.status == "packed")
            if made.status == "requested":
                assert packed == made.quantity
                requested[made.need] += packed
            elif made.status == "shipped":
                assert packed
                shipped[made.need] += packed
            else:
                assert packed == 0
            received = sum(b.status == "received" for b in self.boxes(made.request))
            assert received == made.boxes_arrived and (made.status == "received") == (received == made.boxes)
        for need in self.needs():
            assert need.shown >= 0
            assert need.pledged == pledged[need.need] and need.pledges == pledges[need.need]
            assert need.requested == requested[need.need]
            assert need.shipped == shipped[need.need]
            assert need.arrived == self.arrived[need.need]
            assert need.shown + need.pledged + need.requested + need.shipped + need.arrived == need.quantity

    @invariant()
    def every_unit_of_an_offer_is_left_asked_for_or_taken_back(self) -> None:
        asked: Counter[str] = Counter()
        for made in self.requests():
            asked[made.offer] += made.quantity
        for offer in self.offers():
            gone = asked[offer.offer] - self.came_back[offer.offer] + self.withdrawn[offer.offer]
            assert offer.left + gone == offer.quantity
            assert 0 <= offer.pledged <= offer.left and bool(offer.need) == bool(offer.pledged)
            assert (offer.status == "open") == (offer.left > 0)

    @invariant()
    def stocks_add_up(self) -> None:
        held = {(s.shelter, s.item, s.size): s.quantity for s in self.rows(STOCKS).values()}
        assert {k: v for k, v in held.items() if v} == {k: v for k, v in self.stock.items() if v}
        assert all(v >= 0 for v in held.values())

    @invariant()
    def indexes_name_what_is_there_and_nothing_else(self) -> None:
        def at(shelter: str) -> str:
            return f"{SHELTERS_OF[shelter]}/{shelter}"

        needs, offers, requests = self.needs(), self.offers(), self.requests()
        listed = {f"{at(n.shelter)}/{n.item}/{n.size}/{n.need}" for n in needs if n.shown and not n.closed}
        assert self.rows(OPEN_NEEDS).keys() == listed
        assert self.rows(NEEDS_AT).keys() == {f"{at(n.shelter)}/{n.need}" for n in needs}
        assert self.rows(OPEN_OFFERS).keys() == {f"{o.item}/{o.size}/{o.offer}" for o in offers if o.left}
        assert self.rows(OFFERS_OF).keys() == {f"{o.supporter}/{o.offer}" for o in offers}
        assert self.rows(PLEDGES).keys() == {f"{o.need}/{o.offer}" for o in offers if o.pledged}
        assert self.rows(REQUESTS_AT).keys() == {f"{at(r.shelter)}/{r.request}" for r in requests}
        assert self.rows(REQUESTS_OF).keys() == {f"{r.supporter}/{r.request}" for r in requests}
        boxes = {i: b for i, b in self.rows(BOXES).items() if b.status == "received"}
        arrivals = {f"{at(b.received_at)}/{b.received_ms:015d}/{i}" for i, b in boxes.items()}
        assert self.rows(ARRIVALS).keys() == arrivals


TestDonations = pytest.mark.function("D12a")(Donations.TestCase)
TestDonations.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
