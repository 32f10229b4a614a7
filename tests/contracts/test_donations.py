"""The donations contract, function by function of the report (FUNCTIONS D)."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.donations import masters
from contracts.donations.shipments import commitment
from contracts.donations.types import MAX_PLEDGES
from ledger.registry import Account
from tests.contracts.bench import Bench
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA, World, account

TOKEN = "token-of-a-box-0001"


class Town(World):
    """Two shelters of Hachioji and one of Tachikawa, three items, their people, and the application."""

    def __init__(self) -> None:
        super().__init__(
            account("admin-h", HACHIOJI, masters.ADMIN),
            account("admin-t", TACHIKAWA, masters.ADMIN),
            account("officer-h", HACHIOJI, masters.OFFICER),
            account("officer-o", OSHIMA, masters.OFFICER),
            account("staff-h1", HACHIOJI, masters.SHELTER),
            account("staff-h2", HACHIOJI, masters.SHELTER),
            account("staff-t1", TACHIKAWA, masters.SHELTER),
            account("app", HACHIOJI, masters.APP),
        )
        for admin, shelter, staff in (("admin-h", "h1", "staff-h1"), ("admin-h", "h2", "staff-h2")):
            self.d(admin, "register_shelter", shelter=shelter, name_ja="避難所", name_en="Shelter", staff=[staff])
        self.d("admin-t", "register_shelter", shelter="t1", name_ja="避難所", name_en="Shelter", staff=["staff-t1"])
        for item, sizes, expiry in (("blanket", [], False), ("diaper", ["S", "M"], False), ("rice", [], True)):
            self.d("admin-h", "register_item", item=item, name_ja=item, name_en=item, category="goods", unit_ja="個",
                   sizes=sizes, needs_expiry=expiry)  # fmt: skip

    def d(self, sender: str, method: str, **args: Any) -> dict[str, Any]:
        return self.done(sender, "donations", method, **args)

    def no(self, sender: str, method: str, **args: Any) -> str:
        return self.refused(sender, "donations", method, **args).removeprefix("donations.")

    def need(self, quantity: int = 10, **args: Any) -> str:
        args = {"shelter": "h1", "item": "blanket", "quantity": quantity, **args}
        sender = args.pop("sender", "staff-h1")
        return str(self.d(sender, "register_need", **args)["need"])

    def pledge(self, need: str, quantity: int, supporter: str = "s1", **args: Any) -> str:
        return str(self.d("app", "pledge", supporter=supporter, need=need, quantity=quantity, **args)["offer"])

    def request(self, offer: str, need: str, quantity: int, token: str = TOKEN, sender: str = "staff-h1") -> str:
        return str(
            self.d(sender, "request", offer=offer, need=need, quantity=quantity, boxes=[quantity],
                   tokens=[commitment(token)])["request"]
        )  # fmt: skip

    def buckets(self, need: str) -> dict[str, int]:
        view = self.query("donations", "need", need=need)
        row = view["need"]
        found = {k: row[k] for k in ("pledged", "requested", "shipped", "arrived")} | {"open": view["shown"]}
        assert sum(found.values()) == row["quantity"]
        return {k: v for k, v in found.items() if v}


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.mark.function("D1a")
@pytest.mark.function("D1b")
def test_a_need_is_seen_by_everybody_at_once(town: Town) -> None:
    need = town.need(30, item="diaper", size="M")
    (row,) = town.query("donations", "needs")["rows"]
    assert (row["need"]["need"], row["need"]["size"], row["shown"]) == (need, "M", 30)
    assert row["item"]["unit_ja"] == "個"


@pytest.mark.function("D1c")
@pytest.mark.function("D2b")
def test_needs_are_filtered_by_priority_and_for_whom(town: Town) -> None:
    baby = town.need(5, item="diaper", size="S", priority="urgent", beneficiaries="infants", need_by_ms=town.time_ms)
    town.need(5)
    for filters in ({"priority": "urgent"}, {"beneficiaries": "infants"}, {"item": "diaper"}):
        rows = town.query("donations", "needs", **filters)["rows"]
        assert [r["need"]["need"] for r in rows] == [baby]


@pytest.mark.function("D2a")
def test_needs_are_listed_by_city_hall_and_by_shelter(town: Town) -> None:
    here, there = town.need(), town.need(shelter="t1", sender="staff-t1")
    by_city = town.query("donations", "needs", municipality=TACHIKAWA)["rows"]
    by_shelter = town.query("donations", "needs", shelter="h1")["rows"]
    assert [r["need"]["need"] for r in by_city] == [there]
    assert [r["need"]["need"] for r in by_shelter] == [here]


@pytest.mark.function("D1d")
def test_an_amended_need_releases_what_was_pledged_beyond_it_latest_first(town: Town) -> None:
    need = town.need(10)
    first, second = town.pledge(need, 4), town.pledge(need, 5, "s2")
    town.d("staff-h1", "amend_need", need=need, quantity=6)
    assert town.buckets(need) == {"pledged": 6}
    assert town.query("donations", "offer_of", offer=first)["pledged"] == 4
    assert town.query("donations", "offer_of", offer=second)["pledged"] == 2


@pytest.mark.function("D1d")
def test_a_closed_need_releases_its_pledges_and_takes_no_more(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 4)
    town.d("staff-h1", "close_need", need=need)
    assert town.query("donations", "offer_of", offer=offer)["need"] == ""
    assert town.no("app", "pledge", supporter="s2", need=need, quantity=1) == "need_closed"
    assert town.query("donations", "needs")["rows"] == []


@pytest.mark.function("D1e")
def test_a_second_open_need_for_the_same_item_is_offered_for_merging(town: Town) -> None:
    first = town.need()
    receipt = town.call("staff-h1", "donations", "register_need", shelter="h1", item="blanket", quantity=3)
    assert (receipt.reason, receipt.params) == ("donations.similar_need", {"need": first})
    town.need(3, separate=True)


@pytest.mark.function("D3a")
@pytest.mark.function("D3d")
def test_a_pledge_lowers_the_shown_need_and_never_below_zero(town: Town) -> None:
    need = town.need(10)
    town.pledge(need, 7)
    assert town.buckets(need) == {"open": 3, "pledged": 7}
    assert town.no("app", "pledge", supporter="s2", need=need, quantity=4) == "more_than_needed"
    town.pledge(need, 3, "s2")
    assert town.no("app", "pledge", supporter="s3", need=need, quantity=1) == "nothing_left"


@pytest.mark.function("D3g")
def test_the_excess_of_a_pledge_becomes_a_free_offer_only_if_the_sender_says_so(town: Town) -> None:
    need = town.need(10)
    result = town.d("app", "pledge", supporter="s1", need=need, quantity=25, excess_as_offer=True)
    assert (result["pledged"], result["free"], result["shown"]) == (10, 15, 0)


@pytest.mark.function("D3d")
def test_of_two_supporters_pledging_the_last_unit_one_succeeds(town: Town) -> None:
    need = town.need(1)
    both = [town.transaction("app", "donations", "pledge", supporter=s, need=need, quantity=1) for s in ("s1", "s2")]
    receipts = town.block(*both)
    assert [r.reason for r in receipts] == ["", "donations.nothing_left"]


@pytest.mark.function("D3h")
def test_food_needs_its_date_and_may_not_be_past_it(town: Town) -> None:
    offer = {"supporter": "s1", "item": "rice", "quantity": 5}
    assert town.no("app", "offer", **offer) == "needs_expiry"
    assert town.no("app", "offer", **offer, goods_expire_ms=town.time_ms) == "expired_goods"
    town.d("app", "offer", **offer, goods_expire_ms=town.time_ms + 10**9)


@pytest.mark.function("D4a")
@pytest.mark.function("D4b")
@pytest.mark.function("D5a")
def test_a_free_offer_is_listed_for_both_sides(town: Town) -> None:
    made = town.d("app", "offer", supporter="s1", item="blanket", quantity=5, available_from_ms=town.time_ms)
    rows = town.query("donations", "offers", item="blanket")["rows"]
    mine = town.query("donations", "offers", supporter="s1")["rows"]
    assert [r["offer"] for r in rows] == [r["offer"] for r in mine] == [made["offer"]]


@pytest.mark.function("D6a")
@pytest.mark.function("D6b")
def test_the_unneeded_part_of_a_pledge_returns_to_both_need_and_offer(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 8)
    town.request(offer, need, 5)
    assert town.buckets(need) == {"open": 5, "requested": 5}
    row = town.query("donations", "offer_of", offer=offer)
    assert (row["left"], row["pledged"], row["need"]) == (3, 0, "")


@pytest.mark.function("D6a")
def test_a_free_offer_is_requested_for_a_need_of_the_same_item(town: Town) -> None:
    need, other = town.need(4), town.need(4, item="diaper", size="S")
    offer = town.d("app", "offer", supporter="s1", item="blanket", quantity=9)["offer"]
    args = {"offer": offer, "quantity": 4, "boxes": [4], "tokens": [commitment(TOKEN)]}
    assert town.no("staff-h1", "request", need=other, **args) == "other_item"
    town.d("staff-h1", "request", need=need, **args)
    assert town.buckets(need) == {"requested": 4}


@pytest.mark.function("D9a")
@pytest.mark.function("D9c")
@pytest.mark.function("D6d")
def test_a_request_commits_to_one_token_a_box_and_records_it(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 10)
    tokens = [commitment(f"box-token-number-{i}") for i in range(3)]
    base = {"offer": offer, "need": need, "quantity": 10}
    assert town.no("staff-h1", "request", **base, boxes=[4, 4], tokens=tokens[:2]) == "bad_boxes"
    made = town.d("staff-h1", "request", **base, boxes=[4, 4, 2], tokens=tokens)["request"]
    assert [b["box"]["quantity"] for b in town.query("donations", "boxes", request=made)] == [4, 4, 2]
    names = [e.event.name for e in town.chain.history(f"shipment:{made}")]
    assert names == ["requested", "qr_made"]


@pytest.mark.function("D3e")
def test_shipping_before_the_request_fails_and_moves_the_units_after_it(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 10)
    assert town.no("app", "ship", request="shipment-x", supporter="s1") == "no_request"
    made = town.request(offer, need, 10)
    assert town.no("app", "ship", request=made, supporter="s2") == "other_supporter"
    town.d("app", "ship", request=made, supporter="s1")
    assert town.buckets(need) == {"shipped": 10}
    assert town.query("donations", "needs")["rows"] == []
    assert town.no("app", "ship", request=made, supporter="s1") == "request_state"


@pytest.mark.function("D9d")
@pytest.mark.function("D7a")
def test_the_code_shows_what_is_in_the_box_and_receiving_records_it_once(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    view = town.query("donations", "box", token=TOKEN)
    assert (view["request"]["item"], view["box"]["quantity"], view["box"]["status"]) == ("blanket", 10, "packed")
    first = town.d("staff-h1", "receive", token=TOKEN, shelter="h1")
    root = town.chain.head.state_root
    again = town.d("staff-h1", "receive", token=TOKEN, shelter="h1", quantity=3, reason="damaged")
    assert (first["again"], again["again"], again["received"]) == (False, True, 10)
    assert town.chain.head.state_root == root
    assert town.buckets(need) == {"arrived": 10}
    assert len(town.query("donations", "arrivals", shelter="h1")["rows"]) == 1
    assert town.query("donations", "request_of", request=made)["status"] == "received"


@pytest.mark.function("D9f")
def test_another_quantity_than_was_sent_needs_a_reason_and_reopens_the_rest(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    assert town.no("staff-h1", "receive", token=TOKEN, shelter="h1", quantity=7) == "needs_reason"
    town.d("staff-h1", "receive", token=TOKEN, shelter="h1", quantity=7, reason="damaged")
    assert town.buckets(need) == {"arrived": 7, "open": 3}


@pytest.mark.function("D9g")
def test_at_the_wrong_shelter_a_box_is_received_only_on_confirmation_and_the_need_reopens(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    receipt = town.call("staff-h2", "donations", "receive", token=TOKEN, shelter="h2")
    assert (receipt.reason, receipt.params) == ("donations.wrong_shelter", {"shelter": "h1"})
    town.d("staff-h2", "receive", token=TOKEN, shelter="h2", divert=True)
    assert town.buckets(need) == {"open": 10}
    assert town.query("donations", "stock", shelter="h2")["rows"][0]["quantity"] == 10


@pytest.mark.function("D9h")
def test_an_arrival_before_shipping_records_both(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("staff-h1", "receive", token=TOKEN, shelter="h1")
    names = [e.event.name for e in town.chain.history(f"shipment:{made}")]
    assert names == ["requested", "qr_made", "shipped", "received"]
    assert town.buckets(need) == {"arrived": 10}


@pytest.mark.function("D8e")
def test_a_sent_mail_is_recorded_once(town: Town) -> None:
    need = town.need()
    offer = town.pledge(need, 4)
    mail = {"mail": "mail-1", "kind": "offer_registered", "recipient": bytes(32), "about": offer}
    assert town.no("app", "record_mail", **{**mail, "about": "offer-x"}) == "no_offer"
    assert town.no("app", "record_mail", **{**mail, "kind": "shipped"}) == "no_request"
    town.d("app", "record_mail", **mail)
    assert town.no("app", "record_mail", **mail) == "mail_recorded"
    assert [e.event.name for e in town.chain.history(f"offer:{offer}")] == ["pledged", "mail_sent"]


@pytest.mark.function("D10a")
@pytest.mark.function("D10b")
@pytest.mark.function("X6")
def test_masters_are_kept_by_the_administrators_of_each_municipality(town: Town) -> None:
    change = {"shelter": "h1", "name_ja": "新", "name_en": "New", "contact": "", "staff": []}
    assert town.no("admin-t", "change_shelter", **change) == "other_municipality"
    town.d("admin-h", "change_shelter", **change)
    assert town.query("donations", "shelter", shelter="h1")["name_ja"] == "新"


@pytest.mark.function("D10c")
def test_what_is_under_way_to_a_closed_shelter_is_received_where_it_redirects_to(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    town.d("officer-h", "set_shelter_status", shelter="h1", status="closed", redirect_to="h2")
    town.d("staff-h2", "receive", token=TOKEN, shelter="h2")
    assert town.buckets(need) == {"open": 10}
    assert town.no("staff-h1", "register_need", shelter="h1", item="rice", quantity=1) == "shelter_closed"


@pytest.mark.function("D11c")
@pytest.mark.function("X6")
def test_nobody_acts_for_a_shelter_that_is_not_theirs(town: Town) -> None:
    need = {"shelter": "h1", "item": "blanket", "quantity": 1}
    assert town.no("staff-h2", "register_need", **need) == "not_staff"
    assert town.no("staff-t1", "register_need", **need) == "other_municipality"
    assert town.no("officer-o", "register_need", **need) == "other_municipality"
    assert town.no("app", "register_need", **need) == "runtime.missing_role"
    town.d("officer-h", "register_need", **need)


@pytest.mark.function("D11c")
@pytest.mark.parametrize("role", [masters.ADMIN, masters.OFFICER, masters.SHELTER, masters.APP, "operator", "eco.shop"])
def test_no_call_is_reached_by_a_role_that_it_does_not_name(role: str) -> None:
    bench = Bench({HACHIOJI: "八王子市"}, [Account("somebody", HACHIOJI, (role,), (), False)])
    calls = [s for s in bench.runtime.specs() if s.contract == "donations" and s.kind == "call"]
    assert len(calls) > 20
    for spec in calls:
        reason = bench.run("somebody", "donations", spec.name, {"no such": 1}).reason
        assert reason == ("runtime.bad_arguments" if role in spec.roles else "runtime.missing_role"), spec.name


@pytest.mark.function("X5")
def test_a_view_of_personal_data_is_recorded_under_pseudonyms(town: Town) -> None:
    town.d("app", "record_view", viewer="u-7f3a", municipality=HACHIOJI, kind="supporter-contact", about="offer-x")
    (entry,) = town.chain.history(f"access:{HACHIOJI}")
    assert (entry.event.name, entry.event.data["viewer"], entry.event.data["kind"]) == (
        "viewed", "u-7f3a", "supporter-contact",
    )  # fmt: skip


@pytest.mark.function("D13a")
@pytest.mark.function("D13b")
@pytest.mark.parametrize("call", ["mark_lost", "mark_returned"])
def test_an_officer_writes_off_what_never_arrived(town: Town, call: str) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    assert town.no("officer-h", call, request=made) == "request_state"
    town.d("app", "ship", request=made, supporter="s1")
    town.d("officer-h", call, request=made)
    assert town.buckets(need) == {"open": 10}
    assert town.no("officer-h", call, request=made) == "request_state"


@pytest.mark.function("D13a")
def test_a_lost_box_that_turns_up_is_received_and_counts_as_far_as_it_is_still_needed(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    town.d("officer-h", "mark_lost", request=made)
    town.pledge(need, 7, "s2")
    town.d("staff-h1", "receive", token=TOKEN, shelter="h1")
    assert town.buckets(need) == {"pledged": 7, "arrived": 3}
    assert town.query("donations", "stock", shelter="h1")["rows"][0]["quantity"] == 10
    assert town.query("donations", "request_of", request=made)["status"] == "received"


@pytest.mark.function("D13b")
def test_a_box_of_a_returned_or_cancelled_request_is_not_received(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("staff-h1", "cancel_request", request=made)
    assert town.no("staff-h1", "receive", token=TOKEN, shelter="h1") == "request_state"


@pytest.mark.function("D13c")
@pytest.mark.function("D13d")
def test_both_sides_can_step_back_before_shipping(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 4)
    town.d("staff-h1", "decline_pledge", offer=offer)
    assert town.buckets(need) == {"open": 10}
    assert town.no("app", "withdraw_offer", offer=offer, supporter="s2") == "other_supporter"
    town.d("app", "withdraw_offer", offer=offer, supporter="s1")
    second = town.pledge(need, 6)
    made = town.request(second, need, 6)
    town.d("staff-h1", "cancel_request", request=made)
    assert town.buckets(need) == {"open": 10}
    assert town.query("donations", "offer_of", offer=second)["left"] == 6
    third = town.request(second, need, 6, token="another-token-of-a-box")
    town.d("app", "refuse_request", request=third, supporter="s1")
    assert town.buckets(need) == {"open": 10}


@pytest.mark.function("D13e")
@pytest.mark.function("D13f")
def test_stock_is_taken_and_transferred(town: Town) -> None:
    town.d("staff-h1", "take_stock", shelter="h1", item="blanket", quantity=50, minimum=20)
    move = {"source": "h1", "target": "h2", "item": "blanket"}
    assert town.no("officer-h", "transfer", **move, quantity=51) == "not_in_stock"
    town.d("officer-h", "transfer", **move, quantity=20)
    assert town.query("donations", "stock", shelter="h1")["rows"][0]["quantity"] == 30
    assert town.query("donations", "stock", shelter="h2")["rows"][0]["quantity"] == 20


@pytest.mark.function("D13f")
def test_stock_is_listed_below_its_minimum_and_near_its_date(town: Town) -> None:
    soon, later = town.time_ms + 10**6, town.time_ms + 10**9
    town.d("staff-h1", "take_stock", shelter="h1", item="blanket", quantity=5, minimum=20)
    town.d("staff-h2", "take_stock", shelter="h2", item="rice", quantity=50, minimum=20, expires_ms=soon)
    town.d("staff-h2", "take_stock", shelter="h2", item="blanket", quantity=50, expires_ms=later)
    rows = town.query("donations", "stock", municipality=HACHIOJI, below_minimum=True)["rows"]
    assert [(r["shelter"], r["item"]) for r in rows] == [("h1", "blanket")]
    rows = town.query("donations", "stock", expires_before_ms=soon + 1)["rows"]
    assert [(r["shelter"], r["item"]) for r in rows] == [("h2", "rice")]


@pytest.mark.function("D7b")
def test_totals_add_up_the_needs_of_a_municipality(town: Town) -> None:
    need = town.need(10)
    town.pledge(need, 4)
    town.need(5, item="rice")
    rows = town.query("donations", "totals", municipality=HACHIOJI)["rows"]
    assert [(r["item"], r["quantity"], r["open"], r["pledged"]) for r in rows] == [
        ("blanket", 10, 6, 4),
        ("rice", 5, 5, 0),
    ]


@pytest.mark.function("D1d")
def test_a_need_takes_a_bounded_number_of_pledges_and_releases_them_all_in_one_call(town: Town) -> None:
    need = town.need(1_000)
    pledges = [
        town.transaction("app", "donations", "pledge", supporter=f"s{i}", need=need, quantity=1)
        for i in range(MAX_PLEDGES + 1)
    ]
    receipts = town.block(*pledges)
    assert [r.reason for r in receipts] == [""] * MAX_PLEDGES + ["donations.too_many_pledges"]
    town.d("staff-h1", "close_need", need=need)
    assert town.buckets(need) == {"open": 1_000}


@pytest.mark.function("D1e")
def test_a_separate_need_is_still_found_as_similar_when_the_first_is_closed(town: Town) -> None:
    first, second = town.need(), town.need(separate=True)
    town.d("staff-h1", "close_need", need=first)
    receipt = town.call("staff-h1", "donations", "register_need", shelter="h1", item="blanket", quantity=3)
    assert receipt.params == {"need": second}


@pytest.mark.function("D10c")
def test_the_needs_of_a_closed_shelter_are_not_listed_and_get_no_pledges(town: Town) -> None:
    need = town.need()
    assert town.no("officer-h", "set_shelter_status", shelter="h1", status="open", redirect_to="h2") == "bad_redirect"
    assert town.no("officer-h", "set_shelter_status", shelter="h1", status="closed", redirect_to="h1") == "bad_redirect"
    town.d("officer-h", "set_shelter_status", shelter="h1", status="full")
    assert town.no("app", "pledge", supporter="s1", need=need, quantity=1) == "shelter_full"
    town.d("officer-h", "set_shelter_status", shelter="h1", status="closed")
    assert town.query("donations", "needs")["rows"] == []
    assert len(town.query("donations", "needs", only_open=False)["rows"]) == 1
    assert town.no("app", "pledge", supporter="s1", need=need, quantity=1) == "shelter_closed"


@pytest.mark.function("D10b")
def test_an_item_is_changed_only_by_the_municipality_that_registered_it(town: Town) -> None:
    change = {"item": "blanket", "name_ja": "毛布", "name_en": "Blanket", "category": "goods", "unit_ja": "枚",
              "sizes": [], "needs_expiry": False, "in_use": False}  # fmt: skip
    assert town.no("admin-t", "change_item", **change) == "item_of_other"
    town.d("admin-h", "change_item", **change)
    assert town.no("staff-h1", "register_need", shelter="h1", item="blanket", quantity=1) == "item_withdrawn"


@pytest.mark.function("D2b")
def test_a_list_is_read_to_its_end_page_by_page_whatever_is_filtered_out(town: Town) -> None:
    made = {town.need(i + 1, separate=True, priority="urgent" if i % 3 else "normal") for i in range(20)}
    for filters in ({}, {"shelter": "h1"}, {"municipality": HACHIOJI}, {"priority": "urgent"}):
        seen: list[str] = []
        after = ""
        while True:
            page = town.query("donations", "needs", **filters, after=after, limit=3)
            seen += [r["need"]["need"] for r in page["rows"]]
            after = page["next"]
            if not after:
                break
        assert len(seen) == len(set(seen)) == (13 if "priority" in filters else 20)
        assert set(seen) <= made


@pytest.mark.function("D7a")
def test_arrivals_are_listed_by_city_hall_and_by_shelter(town: Town) -> None:
    need = town.need(10)
    made = town.request(town.pledge(need, 10), need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    town.d("staff-h1", "receive", token=TOKEN, shelter="h1", occurred_ms=town.time_ms - 5_000)
    for filters in ({"shelter": "h1"}, {"municipality": HACHIOJI}, {}):
        (row,) = town.query("donations", "arrivals", **filters)["rows"]
        assert row["box"]["received_ms"] - row["box"]["occurred_ms"] == 5_001
    for filters in ({"shelter": "h2"}, {"municipality": TACHIKAWA}, {"shelter": "nowhere"}):
        assert town.query("donations", "arrivals", **filters)["rows"] == []


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("register_need", {"shelter": "h1\n"}),
        ("register_need", {"quantity": 0}),
        ("register_need", {"quantity": True}),
        ("register_need", {"quantity": "3"}),
        ("register_need", {"item": "blanket/x"}),
        ("register_need", {"unknown": 1}),
        ("register_need", {"priority": "whenever"}),
        ("register_need", {"occurred_ms": -1}),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_the_runtime(town: Town, method: str, change: dict[str, Any]) -> None:
    args = {"shelter": "h1", "item": "blanket", "quantity": 1, **change}
    assert town.no("staff-h1", method, **args) == "runtime.bad_arguments"


@pytest.mark.function("D12a")
@pytest.mark.function("X4")
def test_the_story_of_a_parcel_is_its_history_in_order(town: Town) -> None:
    need = town.need(10)
    offer = town.pledge(need, 10)
    made = town.request(offer, need, 10)
    town.d("app", "ship", request=made, supporter="s1")
    town.d("staff-h1", "receive", token=TOKEN, shelter="h1")
    names = [e.event.name for e in town.chain.history(f"need:{need}")]
    assert names == ["need_registered", "pledged", "requested", "shipped", "received"]
