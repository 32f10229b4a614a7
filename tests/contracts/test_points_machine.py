"""Random sequences of every call of the points ledger, right and wrong, against the plainest bookkeeping there is.

In the model a resident's points are a list with the expiry of each single point. After every call: a refused one has
changed nothing; accounts, lots and totals are what the model says; everything issued is in exactly one place.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.points import commitment
from contracts.points.books import due_id
from contracts.points.types import Lot, Payment, Redemption, Statement, Totals, tables_of
from ledger.encoding import Value
from ledger.registry import Account
from ledger.types import Receipt
from tests.contracts import stamps
from tests.contracts.bench import START_MS, Bench
from tests.contracts.stamps import ADMIN, APP, OFFICER, STAMPS
from tests.contracts.world import HACHIOJI, TACHIKAWA

EVERYTHING = 100_000
DAY = 86_400_000
JST = 9 * 3_600_000
TABLES = tables_of(STAMPS)
RESIDENTS = {"r1": HACHIOJI, "r2": HACHIOJI, "t1": TACHIKAWA}
SHOPS = {"s1": HACHIOJI, "s2": HACHIOJI, "u1": TACHIKAWA}
APPS = {HACHIOJI: "app-h", TACHIKAWA: "app-t"}
OFFICERS = {"officer-h": HACHIOJI, "officer-h2": HACHIOJI, "officer-t": TACHIKAWA}
SENDERS = [*APPS.values(), *OFFICERS, "admin-h"]
ORGANISATIONS = {"app-h": HACHIOJI, "app-t": TACHIKAWA, "admin-h": HACHIOJI, **OFFICERS}
PEOPLE = [
    *(Account(app, code, (APP,), (), False) for code, app in APPS.items()),
    *(Account(officer, code, (OFFICER,), (), False) for officer, code in OFFICERS.items()),
    Account("admin-h", HACHIOJI, (ADMIN,), (), False),
]

residents = st.sampled_from([*RESIDENTS] + ["r1", "r2"] * 3)
shops = st.sampled_from([*SHOPS] + ["s1"] * 3)
anybody = st.sampled_from(SENDERS)
counts = st.integers(1, 12)


class Points(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench({HACHIOJI: "八王子市", TACHIKAWA: "立川市"}, PEOPLE, stamps.runtime())
        self.held: dict[str, list[int]] = {r: [] for r in RESIDENTS}
        """The expiry of every point that a resident has or that expired with them."""
        self.left: set[str] = set()
        self.shops: Counter[str] = Counter()
        self.took: dict[str, list[int]] = {}
        """Payment or redemption -> the expiry of every point that it took and still has."""
        self.stock: Counter[str] = Counter()
        self.places: dict[str, Counter[str]] = {HACHIOJI: Counter(), TACHIKAWA: Counter()}
        self.codes: dict[str, str] = {}

    @initialize()
    def people(self) -> None:
        for resident, code in RESIDENTS.items():
            assert self.run(APPS[code], "join", account=resident).done
        for shop, code in SHOPS.items():
            officer = "officer-h" if code == HACHIOJI else "officer-t"
            assert self.run(officer, "open_shop", shop=shop).done
        for price, stock in ((3, 2), (5, 9)):
            made = self.run("officer-h", "register_reward", name_ja="券", name_en="T", points=price, stock=stock)
            self.stock[str(made.result["reward"])] = stock

    # -- the state as it stands ----------------------------------------------------------------------------------------

    def run(self, sender: str, method: str, **args: Value) -> Receipt:
        before = dict(self.bench.state.writes)
        receipt = self.bench.run(sender, STAMPS, method, args)
        if not receipt.done:
            assert dict(self.bench.state.writes) == before, f"{method} was refused and has changed something"
        return receipt

    @property
    def now(self) -> int:
        return self.bench.time_ms

    def rows(self, table: Any) -> dict[str, Any]:
        return dict(table.page(self.bench.state, limit=EVERYTHING))

    def payments(self) -> list[Payment]:
        return [*self.rows(TABLES.payments).values()]

    def statements(self) -> list[Statement]:
        return [*self.rows(TABLES.statements).values()]

    def redemptions(self) -> list[Redemption]:
        return [*self.rows(TABLES.redemptions).values()]

    def living(self, resident: str) -> list[int]:
        """The points that can be spent, earliest expiry first."""
        return [] if resident in self.left else sorted(d for d in self.held[resident] if d > self.now)

    def spend(self, resident: str, points: int) -> list[int]:
        taken = self.living(resident)[:points]
        assert len(taken) == points, "points were spent that are not there"
        for date in taken:
            self.held[resident].remove(date)
        return taken

    def app_mostly(self, data: st.DataObject, municipality: str) -> str:
        return data.draw(st.sampled_from([APPS[municipality]] * 9 + SENDERS))

    def officer_mostly(self, data: st.DataObject, municipality: str) -> str:
        right = [o for o, code in OFFICERS.items() if code == municipality]
        return data.draw(st.sampled_from(right * 5 + SENDERS))

    def new_code(self) -> str:
        return f"code-of-{self.bench.height:012d}"

    # -- points come, expire, are taken back ---------------------------------------------------------------------------

    @rule(data=st.data(), resident=residents, count=counts, days=st.integers(1, 6), off=st.sampled_from([0] * 9 + [1]))
    def grant(self, data: st.DataObject, resident: str, count: int, days: int, off: int) -> None:
        expires_ms = ((self.now + JST) // DAY + days) * DAY - JST + off
        sender = self.officer_mostly(data, RESIDENTS[resident])
        done = self.run(sender, "grant", account=resident, count=count, expires_ms=expires_ms).done
        own = OFFICERS.get(sender) == RESIDENTS[resident]
        assert done == (own and off == 0 and resident not in self.left)
        if done:
            self.held[resident] += [expires_ms] * count
            self.places[RESIDENTS[resident]]["issued"] += count

    @rule(data=st.data(), resident=residents, count=counts)
    def take_back(self, data: st.DataObject, resident: str, count: int) -> None:
        receipt = self.run(self.officer_mostly(data, RESIDENTS[resident]), "take_back", account=resident, count=count)
        if receipt.done:
            taken = min(count, len(self.living(resident)))
            assert receipt.result["taken"] == taken
            self.spend(resident, taken)
            self.places[RESIDENTS[resident]]["reversed"] += taken

    @rule(days=st.integers(0, 3), ms=st.integers(1, 700_000))
    def time_goes_by(self, days: int, ms: int) -> None:
        self.bench.time_ms += days * DAY + ms

    @rule(sender=anybody, limit=st.integers(1, 3))
    def expire(self, sender: str, limit: int) -> None:
        code = ORGANISATIONS[sender]
        dates = sorted(a.lots[0].expires_ms for a in self.rows(TABLES.accounts).values()
                       if a.municipality == code and a.lots)  # fmt: skip
        receipt = self.run(sender, "expire", limit=limit)
        assert receipt.done == (sender != "admin-h")
        if receipt.done:
            due = [d for d in dates if d <= self.now]
            assert receipt.result == {"accounts": min(limit, len(due)), "left": len(due) > limit}

    @rule(data=st.data(), resident=residents, really=st.sampled_from([False] * 14 + [True]))
    def leave(self, data: st.DataObject, resident: str, really: bool) -> None:
        if really and self.run(self.app_mostly(data, RESIDENTS[resident]), "leave", account=resident).done:
            assert resident not in self.left
            self.left.add(resident)

    # -- payments ------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), resident=residents, points=counts, shop=shops, then=st.booleans())
    def pay(self, data: st.DataObject, resident: str, points: int, shop: str, then: bool) -> None:
        code, sender = self.new_code(), self.app_mostly(data, RESIDENTS[resident])
        receipt = self.run(sender, "open_payment", account=resident, points=points, commitment=commitment(code))
        own = sender == APPS[RESIDENTS[resident]]
        assert receipt.done == (own and len(self.living(resident)) >= points and resident not in self.left)
        if receipt.done:
            self.codes[str(receipt.result["payment"])] = code
            if then:
                self.confirm_one(sender, str(receipt.result["payment"]), shop)

    @precondition(lambda self: self.payments())
    @rule(data=st.data(), to=st.sampled_from(["s1"] * 6 + [*SHOPS, *RESIDENTS]))
    def confirm(self, data: st.DataObject, to: str) -> None:
        payments = self.payments()
        payment = data.draw(st.sampled_from([p for p in payments if p.status == "open"] * 9 + payments))
        self.confirm_one(self.app_mostly(data, payment.municipality), payment.payment, to)

    def confirm_one(self, sender: str, payment_id: str, to: str) -> None:
        payment = TABLES.payments.get(self.bench.state, payment_id)
        assert payment is not None
        done = self.run(sender, "confirm_payment", code=self.codes[payment_id], shop=to).done
        own = sender == APPS[payment.municipality] and SHOPS.get(to) == payment.municipality
        can = payment.status == "open" and self.now < payment.until_ms
        closed = (shop := TABLES.accounts.get(self.bench.state, to)) is None or shop.closed_ms is not None
        assert done == (own and can and not closed and len(self.living(payment.account)) >= payment.points)
        if done:
            self.took[payment_id] = self.spend(payment.account, payment.points)
            self.shops[to] += payment.points

    @precondition(lambda self: self.payments())
    @rule(data=st.data(), resident=residents)
    def cancel_payment(self, data: st.DataObject, resident: str) -> None:
        payment = data.draw(st.sampled_from(self.payments()))
        sender = self.app_mostly(data, payment.municipality)
        done = self.run(sender, "cancel_payment", payment=payment.payment, account=resident).done
        own = sender == APPS[payment.municipality] and resident == payment.account
        assert done == (own and payment.status == "open")

    @precondition(lambda self: self.payments())
    @rule(data=st.data(), points=counts)
    def refund(self, data: st.DataObject, points: int) -> None:
        payments = self.payments()
        payment = data.draw(st.sampled_from([p for p in payments if p.status == "paid"] * 5 + payments))
        shop = data.draw(st.sampled_from([payment.shop or "s1"] * 9 + [*SHOPS]))
        sender = self.app_mostly(data, payment.municipality)
        done = self.run(sender, "refund_payment", payment=payment.payment, shop=shop, points=points).done
        own = sender == APPS[payment.municipality] and shop == payment.shop
        taken = self.took.get(payment.payment, [])
        assert done == (own and len(taken) >= points and self.shops[shop] >= points)
        if done:
            self.held[payment.account] += taken[-points:]
            del taken[-points:]
            self.shops[shop] -= points

    # -- settlement ----------------------------------------------------------------------------------------------------

    @rule(data=st.data(), shop=shops)
    def close_statement(self, data: st.DataObject, shop: str) -> None:
        sender = self.app_mostly(data, SHOPS[shop])
        done = self.run(sender, "close_statement", shop=shop).done
        own = ORGANISATIONS[sender] == SHOPS[shop] and sender != "admin-h"
        assert done == (own and self.shops[shop] > 0)
        if done:
            self.places[SHOPS[shop]]["locked"] += self.shops.pop(shop)

    @rule(data=st.data(), shop=shops, really=st.sampled_from([False] * 9 + [True]))
    def close_shop(self, data: st.DataObject, shop: str, really: bool) -> None:
        if really and self.run(self.officer_mostly(data, SHOPS[shop]), "close_shop", shop=shop).done:
            assert self.shops[shop] == 0

    @precondition(lambda self: self.statements())
    @rule(data=st.data(), step=st.sampled_from(["approve"] * 3 + ["burn", "pay"] * 3 + ["reject"]))
    def settle(self, data: st.DataObject, step: str) -> None:
        statements = self.statements()
        before = {"approve": "closed", "reject": "closed", "burn": "approved", "pay": "burnt"}[step]
        fitting = [s for s in statements if s.status == before]
        statement = data.draw(st.sampled_from(fitting * 9 + statements))
        sender = self.officer_mostly(data, statement.municipality)
        done = self.run(sender, f"{step}_statement", statement=statement.statement).done
        own = OFFICERS.get(sender) == statement.municipality
        same = step == "pay" and sender == statement.approved_by
        assert done == (own and statement.status == before and not same)
        if done and step in ("burn", "reject"):
            self.places[statement.municipality]["locked"] -= statement.points
            if step == "burn":
                self.places[statement.municipality]["cashed_out"] += statement.points
            else:
                self.shops[statement.shop] += statement.points

    # -- rewards -------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), resident=residents, count=st.integers(1, 3))
    def redeem(self, data: st.DataObject, resident: str, count: int) -> None:
        reward = data.draw(st.sampled_from(sorted(self.stock)))
        row = TABLES.rewards.get(self.bench.state, reward)
        assert row is not None
        code, sender = self.new_code(), self.app_mostly(data, RESIDENTS[resident])
        receipt = self.run(sender, "redeem_reward", account=resident, reward=reward, count=count,
                           commitment=commitment(code))  # fmt: skip
        own = sender == "app-h" and RESIDENTS[resident] == HACHIOJI and resident not in self.left
        enough = row.in_use and self.stock[reward] >= count and len(self.living(resident)) >= row.points * count
        assert receipt.done == (own and enough)
        if receipt.done:
            made = str(receipt.result["redemption"])
            self.codes[made] = code
            self.took[made] = self.spend(resident, row.points * count)
            self.stock[reward] -= count
            self.places[HACHIOJI]["rewards"] += row.points * count

    @precondition(lambda self: self.redemptions())
    @rule(data=st.data(), cancel=st.booleans(), resident=residents)
    def hand_out_or_cancel(self, data: st.DataObject, cancel: bool, resident: str) -> None:
        made = data.draw(st.sampled_from(self.redemptions()))
        sender = self.officer_mostly(data, HACHIOJI)
        own = ORGANISATIONS[sender] == HACHIOJI and sender != "admin-h"
        if not cancel:
            done = self.run(sender, "hand_out_reward", code=self.codes[made.redemption]).done
            assert done == (own and made.status == "ordered")
            self.places[HACHIOJI]["redeemed"] += made.points if done else 0
        else:
            done = self.run(sender, "cancel_redemption", redemption=made.redemption, account=resident).done
            assert done == (own and made.status == "ordered" and resident == made.account)
            if done:
                self.held[resident] += self.took.pop(made.redemption)
                self.stock[made.reward] += made.count
        self.places[HACHIOJI]["rewards"] -= made.points if done else 0

    @rule(sender=anybody, data=st.data(), more=st.integers(-3, 3), price=st.integers(2, 6), in_use=st.booleans())
    def change_reward(self, sender: str, data: st.DataObject, more: int, price: int, in_use: bool) -> None:
        reward = data.draw(st.sampled_from(sorted(self.stock)))
        own = sender in {"officer-h", "officer-h2", "admin-h"}
        done = self.run(sender, "restock_reward", reward=reward, more=more).done
        assert done == (own and self.stock[reward] + more >= 0)
        self.stock[reward] += more if done else 0
        changed = self.run(sender, "change_reward", reward=reward, name_ja="券", name_en="T", points=price,
                           in_use=in_use or price > 2)  # fmt: skip
        assert changed.done == own

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        accounts = self.rows(TABLES.accounts)
        for resident, code in RESIDENTS.items():
            if resident not in accounts:
                return
            lots = [Lot(date, count) for date, count in sorted(Counter(self.living(resident)).items())]
            row = accounts[resident]
            assert [lot for lot in row.lots if lot.expires_ms > self.now] == lots
            assert row.points == sum(lot.points for lot in row.lots) and row.municipality == code
        for shop in SHOPS:
            assert accounts[shop].points == self.shops[shop] and accounts[shop].lots == ()

    @invariant()
    def everything_issued_is_in_exactly_one_place(self) -> None:
        accounts = [*self.rows(TABLES.accounts).values()]
        for code, places in self.places.items():
            totals = TABLES.totals.get(self.bench.state, code) or Totals()
            here = [a for a in accounts if a.municipality == code]
            assert totals.residents == sum(a.points for a in here if a.kind == "resident")
            assert totals.shops == sum(a.points for a in here if a.kind == "shop")
            assert totals.residents + totals.expired == sum(
                len(self.held[r]) for r in RESIDENTS if RESIDENTS[r] == code
            )
            for place in ("issued", "locked", "rewards", "cashed_out", "redeemed", "reversed"):
                assert getattr(totals, place) == places[place], place
            assert totals.issued == (
                totals.residents + totals.shops + totals.locked + totals.rewards + totals.cashed_out
                + totals.redeemed + totals.expired + totals.reversed
            )  # fmt: skip
            mine = [s for s in self.statements() if s.municipality == code]
            assert totals.locked == sum(s.points for s in mine if s.status in ("closed", "approved"))
            assert totals.cashed_out == sum(s.points for s in mine if s.status in ("burnt", "paid"))

    @invariant()
    def books_payments_and_indexes_agree(self) -> None:
        accounts = self.rows(TABLES.accounts)
        assert self.rows(TABLES.due).keys() == {due_id(a) for a in accounts.values() if a.lots}
        sums: Counter[str] = Counter()
        for row_id, entry in self.rows(TABLES.entries).items():
            sums[row_id.split("/")[0]] += entry.points
        assert all(sums[a.account] == a.points for a in accounts.values())
        for payment in self.payments():
            left = sum(lot.points for lot in payment.lots)
            assert left + payment.refunded == (payment.points if payment.status == "paid" else 0)
        stock = {r.reward: r.stock for r in self.rows(TABLES.rewards).values()}
        assert all(stock[reward] == count >= 0 for reward, count in self.stock.items())


TestPoints = pytest.mark.function("E7c")(Points.TestCase)
TestPoints.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
assert (START_MS + JST) % DAY != 0, "the sequences begin within a day"
