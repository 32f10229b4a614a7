"""The points ledger, function by function of the report (FUNCTIONS E7, V7, V13)."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.points import commitment
from contracts.points.books import merged
from contracts.points.types import MAX_LOTS, Lot
from ledger.contract import Contract, Runtime
from ledger.refusal import BrokenInvariant, Reason, Text
from tests.contracts import stamps
from tests.contracts.stamps import ADMIN, APP, OFFICER, STAMPS
from tests.contracts.world import HACHIOJI, START_MS, TACHIKAWA, World, account

DAY = 86_400_000
JST = 9 * 3_600_000
CODE = "one-time-code-0001"
OTHER = "one-time-code-0002"


def midnight(days: int) -> int:
    """00:00 in Japan, so many days after the start."""
    return (START_MS + JST) // DAY * DAY + days * DAY - JST


class Street(World):
    """Residents r1 and r2 and shops s1 and s2 of Hachioji; an app and officers in two municipalities."""

    def __init__(self) -> None:
        super().__init__(
            account("admin", HACHIOJI, ADMIN),
            account("officer", HACHIOJI, OFFICER),
            account("officer-2", HACHIOJI, OFFICER),
            account("officer-t", TACHIKAWA, OFFICER),
            account("app", HACHIOJI, APP),
            account("app-t", TACHIKAWA, APP),
            account("coupons", HACHIOJI, "coupons.app"),
            runtime=stamps.runtime(),
        )
        for resident in ("r1", "r2"):
            self.d("app", "join", account=resident)
        for shop in ("s1", "s2"):
            self.d("officer", "open_shop", shop=shop)

    def d(self, sender: str, method: str, **args: Any) -> dict[str, Any]:
        return self.done(sender, STAMPS, method, **args)

    def no(self, sender: str, method: str, **args: Any) -> str:
        return self.refused(sender, STAMPS, method, **args).removeprefix(f"{STAMPS}.")

    def ask(self, method: str, **args: Any) -> Any:
        return self.query(STAMPS, method, **args)

    def grant(self, count: int, days: int = 30, account: str = "r1") -> None:
        self.d("officer", "grant", account=account, count=count, expires_ms=midnight(days))

    def open(self, points: int, code: str = CODE, account: str = "r1", **args: Any) -> str:
        made = self.d("app", "open_payment", account=account, points=points, commitment=commitment(code), **args)
        return str(made["payment"])

    def pay(self, points: int, code: str = CODE, account: str = "r1", shop: str = "s1") -> str:
        payment = self.open(points, code, account)
        self.d("app", "confirm_payment", code=code, shop=shop)
        return payment

    def points(self, account: str = "r1") -> int:
        return int(self.ask("points_account", account=account)["points"])

    def lots(self, account: str = "r1") -> list[tuple[int, int]]:
        """(days after the start, points)."""
        lots = self.ask("points_account", account=account)["lots"]
        return [((lot["expires_ms"] - midnight(0)) // DAY, lot["points"]) for lot in lots]

    def totals(self) -> dict[str, int]:
        totals = self.ask("points_totals", municipality=HACHIOJI)
        assert totals["issued"] == sum(v for k, v in totals.items() if k != "issued")
        return {k: v for k, v in totals.items() if v}

    def statement(self, shop: str = "s1") -> str:
        return str(self.d("app", "close_statement", shop=shop)["statement"])

    def reward(self, points: int = 30, stock: int = 2) -> str:
        made = self.d("officer", "register_reward", name_ja="入浴券", name_en="Bath ticket", points=points, stock=stock)
        return str(made["reward"])

    def redeem(self, reward: str, code: str = CODE, count: int = 1) -> str:
        made = self.d("app", "redeem_reward", account="r1", reward=reward, count=count, commitment=commitment(code))
        return str(made["redemption"])


@pytest.fixture
def street() -> Street:
    return Street()


# -- accounts and lots -------------------------------------------------------------------------------------------------


@pytest.mark.function("V7a")
@pytest.mark.function("V7b")
def test_issued_points_are_in_the_account_with_their_expiry(street: Street) -> None:
    street.grant(100, days=60)
    street.grant(50, days=30)
    street.grant(5, days=30)
    found = street.ask("points_account", account="r1")
    assert (found["points"], found["next_expiry_ms"], found["next_expiry_points"]) == (155, midnight(30), 55)
    assert street.lots() == [(30, 55), (60, 100)]
    assert street.totals() == {"issued": 155, "residents": 155}


@pytest.mark.function("E7c")
def test_points_expire_at_midnight_in_japan_and_at_no_other_time(street: Street) -> None:
    for wrong in (midnight(3) + 1, midnight(3) + 12 * 3_600_000, midnight(0)):
        assert street.no("officer", "grant", account="r1", count=1, expires_ms=wrong) == "bad_expiry"


@pytest.mark.function("E7c")
def test_the_lot_that_expires_first_is_spent_first(street: Street) -> None:
    street.grant(100, days=60)
    street.grant(50, days=30)
    street.pay(70)
    assert street.lots() == [(60, 80)]


@pytest.mark.function("E7c")
@pytest.mark.function("V13a")
def test_expired_points_cannot_be_spent_even_before_their_expiry_is_entered(street: Street) -> None:
    street.grant(50, days=1)
    street.grant(20, days=9)
    street.time_ms = midnight(1) - 2
    street.open(70)
    assert street.time_ms == midnight(1) - 1
    assert street.points() == 70
    assert street.no("app", "confirm_payment", code=CODE, shop="s1") == "not_enough_points"
    assert street.points() == 20
    assert street.totals() == {"issued": 70, "residents": 70}
    street.pay(20, OTHER)
    assert street.totals() == {"issued": 70, "shops": 20, "expired": 50}


@pytest.mark.function("E7c")
def test_expiry_is_entered_earliest_first_and_for_the_own_municipality_only(street: Street) -> None:
    street.grant(10, days=2, account="r1")
    street.grant(20, days=1, account="r2")
    street.time_ms = midnight(2)
    assert street.d("app-t", "expire") == {"accounts": 0, "left": False}
    assert street.ask("points_due", municipality=HACHIOJI)
    assert not street.ask("points_due", municipality=TACHIKAWA)
    assert street.d("app", "expire", limit=1) == {"accounts": 1, "left": True}
    assert street.ask("points_history", account="r2")["rows"][0]["kind"] == "expired"
    assert street.ask("points_due", municipality=HACHIOJI)
    assert street.d("app", "expire", limit=1) == {"accounts": 1, "left": False}
    assert not street.ask("points_due", municipality=HACHIOJI)
    assert street.d("app", "expire") == {"accounts": 0, "left": False}
    assert street.totals() == {"issued": 30, "expired": 30}


@pytest.mark.function("E7c")
def test_a_lot_is_due_at_its_midnight_and_not_a_moment_before(street: Street) -> None:
    street.grant(10, days=2)
    street.time_ms = midnight(2) - 2
    assert street.d("app", "expire") == {"accounts": 0, "left": False}
    assert street.points() == 10
    assert not street.ask("points_due", municipality=HACHIOJI)
    assert street.d("app", "expire") == {"accounts": 1, "left": False}
    assert street.chain.head.time_ms == midnight(2)


@pytest.mark.function("E7c")
def test_lots_are_bounded_and_the_earliest_joins_the_next() -> None:
    lots = merged(Lot(day, 2) for day in reversed(range(MAX_LOTS + 2)))
    assert len(lots) == MAX_LOTS and lots[:2] == (Lot(2, 6), Lot(3, 2))


@pytest.mark.function("E6c")
def test_points_issued_wrongly_are_taken_back_as_far_as_they_are_unspent(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    assert street.d("officer", "take_back", account="r1", count=40) == {"taken": 30}
    assert street.d("officer", "take_back", account="r1", count=10) == {"taken": 0}
    assert street.totals() == {"issued": 50, "shops": 20, "reversed": 30}


@pytest.mark.function("V13a")
def test_what_a_resident_has_when_leaving_expires(street: Street) -> None:
    street.grant(50)
    street.open(10)
    street.d("app", "leave", account="r1")
    assert street.totals() == {"issued": 50, "expired": 50}
    assert street.no("app", "confirm_payment", code=CODE, shop="s1") == "account_closed"
    assert street.no("officer", "grant", account="r1", count=1, expires_ms=midnight(9)) == "account_closed"
    assert street.no("app", "join", account="r1") == "account_exists"


@pytest.mark.function("V7c")
def test_the_history_of_an_account_tells_what_came_and_went_newest_first(street: Street) -> None:
    street.grant(50)
    payment = street.pay(20)
    street.d("app", "refund_payment", payment=payment, shop="s1", points=5)
    rows = street.ask("points_history", account="r1")["rows"]
    assert [(r["kind"], r["points"], r["balance"]) for r in rows] == [
        ("refunded", 5, 35), ("paid", -20, 30), ("issued", 50, 50)
    ]  # fmt: skip
    first = street.ask("points_history", account="r1", limit=2)
    rest = street.ask("points_history", account="r1", limit=2, after=first["next"])
    assert first["rows"] + rest["rows"] == rows and rest["next"] == ""
    assert [r["kind"] for r in street.ask("points_history", account="s1")["rows"]] == ["given_back", "received"]


def test_each_contract_has_points_and_roles_of_its_own(street: Street) -> None:
    street.done("coupons", "coupons", "join", account="r1")
    street.grant(50)
    assert street.query("coupons", "points_account", account="r1")["points"] == 0
    assert street.refused("coupons", STAMPS, "expire") == "runtime.missing_role"
    assert street.refused("app", "coupons", "expire") == "runtime.missing_role"


def test_a_contract_whose_reasons_share_a_code_is_not_loaded() -> None:
    class Hidden(Reason):
        NO_ACCOUNT = Text("口座はありません", "no account")

    class Confused(stamps.Stamps):
        reasons = (*stamps.Stamps.reasons, Hidden)

    confused: Contract = Confused()
    with pytest.raises(BrokenInvariant, match="no_account"):
        Runtime([confused])


# -- payments ----------------------------------------------------------------------------------------------------------


@pytest.mark.function("E7a")
@pytest.mark.function("V7d")
def test_points_move_only_when_the_shop_confirms_with_the_code(street: Street) -> None:
    street.grant(50)
    payment = street.open(20)
    assert (street.points("r1"), street.points("s1")) == (50, 0)
    assert street.no("app", "confirm_payment", code="a code nobody made", shop="s1") == "unknown_code"
    assert street.ask("payment_with_code", code="a code nobody made") is None
    assert street.ask("payment_with_code", code=CODE) == street.ask("payment", payment=payment)
    street.d("app", "confirm_payment", code=CODE, shop="s1")
    assert (street.points("r1"), street.points("s1")) == (30, 20)
    for account_id in ("r1", "s1"):
        (row,) = street.ask("payments", account=account_id)["rows"]
        assert (row["payment"], row["status"], row["shop"]) == (payment, "paid", "s1")


@pytest.mark.function("E7a")
def test_a_code_pays_once_and_is_never_used_again(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    assert street.no("app", "confirm_payment", code=CODE, shop="s1") == "payment_ended"
    again = street.no("app", "open_payment", account="r1", points=1, commitment=commitment(CODE))
    assert again == "code_used"


@pytest.mark.function("E7a")
def test_of_two_payments_of_the_whole_balance_in_one_block_one_succeeds(street: Street) -> None:
    street.grant(50)
    street.open(50, CODE)
    street.open(50, OTHER)
    both = [
        street.transaction("app", STAMPS, "confirm_payment", code=code, shop=shop)
        for code, shop in ((CODE, "s1"), (OTHER, "s2"))
    ]
    street.time_ms += 1
    receipts = street.block(*both)
    assert [r.reason for r in receipts] == ["", "stamps.not_enough_points"]
    assert (street.points("r1"), street.points("s1"), street.points("s2")) == (0, 50, 0)


@pytest.mark.function("E7a")
def test_a_payment_lapses_after_its_time_and_can_be_cancelled_before(street: Street) -> None:
    street.grant(50)
    long: dict[str, Any] = {"account": "r1", "points": 1, "commitment": commitment(OTHER), "valid_ms": 600_001}
    assert street.refused("app", STAMPS, "open_payment", **long) == "runtime.bad_arguments"
    street.open(20)
    street.time_ms += 600_000 - 1
    assert street.no("app", "confirm_payment", code=CODE, shop="s1") == "payment_lapsed"
    payment = street.open(20, OTHER)
    assert street.no("app", "cancel_payment", payment=payment, account="r2") == "other_payer"
    street.d("app", "cancel_payment", payment=payment, account="r1")
    assert street.no("app", "confirm_payment", code=OTHER, shop="s1") == "payment_ended"


@pytest.mark.function("V13b")
def test_points_are_never_passed_between_residents(street: Street) -> None:
    street.grant(50)
    street.open(20)
    assert street.no("app", "confirm_payment", code=CODE, shop="r2") == "not_a_shop"
    shop_pays = street.no("app", "open_payment", account="s1", points=1, commitment=commitment(OTHER))
    assert shop_pays == "not_a_resident"


@pytest.mark.function("E7a")
def test_nobody_acts_for_another_municipality(street: Street) -> None:
    street.grant(50)
    payment = street.open(20)
    one = {"account": "r1", "points": 1, "commitment": commitment(OTHER)}
    assert street.no("app-t", "open_payment", **one) == "account_elsewhere"
    assert street.no("app-t", "confirm_payment", code=CODE, shop="s1") == "account_elsewhere"
    assert street.no("app-t", "cancel_payment", payment=payment, account="r1") == "account_elsewhere"
    assert street.no("officer-t", "close_statement", shop="s1") == "account_elsewhere"
    assert street.no("officer-t", "grant", account="r1", count=1, expires_ms=midnight(9)) == "account_elsewhere"


@pytest.mark.function("E7c")
def test_a_refund_restores_the_very_lots_the_latest_first(street: Street) -> None:
    street.grant(50, days=30)
    street.grant(50, days=60)
    payment = street.pay(80)
    assert street.lots() == [(60, 20)]
    street.d("app", "refund_payment", payment=payment, shop="s1", points=40)
    assert street.lots() == [(30, 10), (60, 50)]
    assert street.no("app", "refund_payment", payment=payment, shop="s1", points=41) == "more_than_paid"
    assert street.no("app", "refund_payment", payment=payment, shop="s2", points=40) == "other_shop"
    street.d("app", "refund_payment", payment=payment, shop="s1", points=40)
    assert street.lots() == [(30, 50), (60, 50)]
    assert street.no("app", "refund_payment", payment=payment, shop="s1", points=1) == "more_than_paid"
    assert street.totals() == {"issued": 100, "residents": 100}


@pytest.mark.function("E7c")
def test_a_refunded_lot_that_has_expired_meanwhile_expires_at_once(street: Street) -> None:
    street.grant(50, days=1)
    street.grant(50, days=60)
    payment = street.pay(80)
    street.time_ms = midnight(1)
    street.d("app", "refund_payment", payment=payment, shop="s1", points=80)
    assert street.lots() == [(60, 50)]
    assert street.totals() == {"issued": 100, "residents": 50, "expired": 50}


def test_a_refunded_lot_that_has_expired_does_not_live_on_in_a_later_one(street: Street) -> None:
    for day in range(1, MAX_LOTS + 1):
        street.grant(2, days=day)
    payment = street.pay(2)
    street.grant(2, days=MAX_LOTS + 1)
    assert len(street.lots()) == MAX_LOTS
    street.time_ms = midnight(1)
    street.d("app", "refund_payment", payment=payment, shop="s1", points=2)
    assert street.lots()[0] == (2, 2)
    assert street.totals() == {"issued": 2 * MAX_LOTS + 2, "residents": 2 * MAX_LOTS, "expired": 2}


def test_a_refund_to_a_resident_who_has_left_expires(street: Street) -> None:
    street.grant(50)
    payment = street.pay(20)
    street.d("app", "leave", account="r1")
    street.d("app", "refund_payment", payment=payment, shop="s1", points=20)
    assert street.totals() == {"issued": 50, "expired": 50}


# -- settlement --------------------------------------------------------------------------------------------------------


@pytest.mark.function("E7b")
@pytest.mark.function("V7e")
def test_a_shop_cashes_out_by_statement_approval_burning_and_payment(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    statement = street.statement()
    assert street.totals() == {"issued": 50, "residents": 30, "locked": 20}
    street.d("officer", "approve_statement", statement=statement)
    street.d("officer", "burn_statement", statement=statement)
    assert street.totals() == {"issued": 50, "residents": 30, "cashed_out": 20}
    street.d("officer-2", "pay_statement", statement=statement)
    found = street.ask("statement", statement=statement)
    assert (found["status"], found["approved_by"], found["paid_by"]) == ("paid", "officer", "officer-2")
    assert street.ask("statements", municipality=HACHIOJI)["rows"] == [found]
    assert street.ask("shop_statements", shop="s1")["rows"] == [found]
    assert street.ask("shop_statements", shop="s2")["rows"] == []


@pytest.mark.function("E7b")
def test_a_statement_is_burnt_exactly_once_and_not_before_it_is_approved(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    statement = street.statement()
    assert street.no("officer", "burn_statement", statement=statement) == "statement_state"
    street.d("officer", "approve_statement", statement=statement)
    assert street.no("officer-2", "pay_statement", statement=statement) == "statement_state"
    street.d("officer", "burn_statement", statement=statement)
    assert street.no("officer-2", "burn_statement", statement=statement) == "statement_state"


@pytest.mark.function("E4d")
def test_who_approved_a_statement_does_not_mark_it_paid(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    statement = street.statement()
    street.d("officer", "approve_statement", statement=statement)
    street.d("officer-2", "burn_statement", statement=statement)
    assert street.no("officer", "pay_statement", statement=statement) == "statement_same_officer"
    assert street.no("officer-t", "pay_statement", statement=statement) == "account_elsewhere"


@pytest.mark.function("E7b")
def test_after_closing_a_refund_needs_points_that_the_shop_still_has(street: Street) -> None:
    street.grant(50)
    payment = street.pay(20)
    statement = street.statement()
    assert street.no("app", "close_statement", shop="s1") == "nothing_to_settle"
    assert street.no("app", "refund_payment", payment=payment, shop="s1", points=20) == "shop_short"
    street.pay(5, OTHER)
    street.d("app", "refund_payment", payment=payment, shop="s1", points=5)
    street.d("officer", "reject_statement", statement=statement)
    street.d("app", "refund_payment", payment=payment, shop="s1", points=15)
    assert street.totals() == {"issued": 50, "residents": 45, "shops": 5}


@pytest.mark.function("E7b")
def test_a_shop_is_closed_only_when_everything_is_settled(street: Street) -> None:
    street.grant(50)
    street.pay(20)
    assert street.no("officer", "close_shop", shop="s1") == "shop_has_points"
    street.statement()
    street.d("officer", "close_shop", shop="s1")
    street.open(1, OTHER)
    assert street.no("app", "confirm_payment", code=OTHER, shop="s1") == "account_closed"
    assert street.no("officer", "close_shop", shop="r1") == "not_a_shop"


# -- rewards -----------------------------------------------------------------------------------------------------------


@pytest.mark.function("E7c")
@pytest.mark.function("V7f")
def test_a_reward_is_ordered_for_points_and_handed_out_by_code_once(street: Street) -> None:
    street.grant(100)
    reward = street.reward(points=30, stock=3)
    redemption = street.redeem(reward, count=2)
    assert street.totals() == {"issued": 100, "residents": 40, "rewards": 60}
    assert street.ask("reward", reward=reward)["stock"] == 1
    found = street.ask("redemption_with_code", code=CODE)
    assert found == street.ask("redemption", redemption=redemption) and found["count"] == 2
    street.d("officer", "hand_out_reward", code=CODE)
    assert street.totals() == {"issued": 100, "residents": 40, "redeemed": 60}
    assert street.no("officer", "hand_out_reward", code=CODE) == "redemption_ended"
    assert street.no("app", "cancel_redemption", redemption=redemption, account="r1") == "redemption_ended"
    (row,) = street.ask("account_redemptions", account="r1")["rows"]
    assert (row["redemption"], row["status"]) == (redemption, "handed_out")
    assert street.ask("redemptions", municipality=HACHIOJI)["rows"] == [row]


@pytest.mark.function("E7c")
def test_a_cancelled_order_restores_lots_and_stock(street: Street) -> None:
    street.grant(20, days=30)
    street.grant(20, days=60)
    reward = street.reward(points=15, stock=3)
    redemption = street.redeem(reward, count=2)
    assert street.lots() == [(60, 10)]
    assert street.no("app", "cancel_redemption", redemption=redemption, account="r2") == "other_redeemer"
    street.d("app", "cancel_redemption", redemption=redemption, account="r1")
    assert street.lots() == [(30, 20), (60, 20)]
    assert street.ask("reward", reward=reward)["stock"] == 3


@pytest.mark.function("V7f")
def test_a_reward_that_is_out_of_stock_withdrawn_or_too_dear_is_refused(street: Street) -> None:
    street.grant(100)
    reward = street.reward(points=30, stock=1)
    street.redeem(reward)
    order = {"account": "r1", "reward": reward, "commitment": commitment(OTHER)}
    assert street.no("app", "redeem_reward", **order) == "out_of_stock"
    assert street.no("officer", "restock_reward", reward=reward, more=-1) == "out_of_stock"
    street.d("officer", "restock_reward", reward=reward, more=9)
    assert street.no("app", "redeem_reward", **order, count=3) == "not_enough_points"
    changed = {"reward": reward, "name_ja": "入浴券", "name_en": "Bath ticket", "points": 10}
    assert street.no("officer-t", "change_reward", **changed, in_use=True) == "account_elsewhere"
    street.d("admin", "change_reward", **changed, in_use=False)
    assert street.no("app", "redeem_reward", **order) == "reward_withdrawn"
    (row,) = street.ask("rewards", municipality=HACHIOJI)["rows"]
    assert (row["stock"], row["points"], row["in_use"]) == (9, 10, False)


def test_every_step_is_told_to_the_history_of_what_it_is_about(street: Street) -> None:
    street.grant(50)
    street.open(20)
    receipt = street.call("app", STAMPS, "confirm_payment", code=CODE, shop="s1")
    (event,) = receipt.events
    assert event.name == "payment_confirmed" and event.data == {"points": 20}
    assert [s.split(":")[0] for s in event.subjects] == ["payment", "account", "shop"]
