"""What holds for all pages of points: texts, stories, the copy of the chain, other contracts on the same chain."""

from __future__ import annotations

import re

import pytest

from apps.common.chain import Step
from apps.common.copying import Asker
from apps.ecopoints.site import POINTS, make_site
from apps.points.copy import Changed
from apps.points.part import GROUPS, HERE, NAVIGATION
from apps.points.tables import LineRow, PaymentRow, ShopRow
from contracts.points import commitment
from ledger.types import Event
from tests.apps.common import checks
from tests.apps.ecopoints.town import NAMES
from tests.apps.points.high_street import HighStreet

CODE = "ABCDEFGHIJKLMNOP"


async def test_no_text_is_missing_in_either_language(street: HighStreet) -> None:
    catalogue = street.kit.catalogue
    assert checks.catalogue_gaps(make_site(NAMES), catalogue, HERE) == set()
    assert {f"{name}.title" for name in NAVIGATION} <= set(catalogue.texts)
    assert {page.name for group in GROUPS for page in group.pages(POINTS)} <= set(street.kit.pages)


@pytest.mark.function("X4")
async def test_every_event_of_the_ledger_has_a_sentence(street: HighStreet) -> None:
    code = "".join(p.read_text() for p in (HERE.parent.parent / "contracts" / "points").glob("*.py"))
    events = set(re.findall(r'emit\(\s*"([a-z_]+)"', code))
    assert len(events) == 20
    assert {e for e in events if f"event.{e}" not in street.kit.catalogue} == set()


async def test_the_copy_shows_what_the_contract_has_whatever_else_is_on_the_chain(street: HighStreet) -> None:
    street.books.app("open_payment", account="member-0", points=30, commitment=commitment(CODE))
    payment = street.books.app("confirm_payment", code=CODE, shop="shop-1")["payment"]
    street.books.app("refund_payment", payment=payment, shop="shop-1", points=10)
    await street.copied()
    steps = street.chain._steps()
    foreign = Event("payment_confirmed", ("payment:payment-of-another", "account:a", "shop:shop-1"), {"points": 7})
    steps.append(Step(steps[-1].height + 1, 0, 0, bytes(32), foreign))
    changed = Changed()
    changed.note(steps)
    rows = await changed.read(Asker(street.chain, POINTS.contract, 0))
    # The same blocks once more change nothing, and a payment of another contract is not this one's.
    street.kit.database.write_now(rows.put)
    lines, shop, kept = street.kit.database.read_now(
        lambda session: (
            [(line.kind, line.points) for line in session.query(LineRow).order_by(LineRow.position)],
            session.get_one(ShopRow, "shop-1").points,
            session.get_one(PaymentRow, payment).refunded,
        )
    )
    assert (lines, shop, kept) == ([("received", 30), ("given_back", -10)], 20, 10)
