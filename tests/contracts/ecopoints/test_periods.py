"""Monitoring periods, grants, corrections and credits of the eco-point contract."""

from __future__ import annotations

from fractions import Fraction

import pytest

from contracts.points import commitment as commitment_of
from tests.contracts.ecopoints.programme import EV, PV, Programme, batch, device, entry

YEAR = {f"2024-{m:02d}": {"generated": 300_000, "sold": 200_000} for m in range(4, 13)} | {
    f"2025-{m:02d}": {"generated": 300_000, "sold": 200_000} for m in range(1, 4)
}
"""3,600 kWh generated and 2,400 sold in fiscal year 2024: 1,200 kWh × 0.421 kg = 505.2 kg."""
KILOGRAMS = Fraction(5052, 10)


def members(eco: Programme, count: int, months: dict[str, dict[str, int]] = YEAR) -> list[str]:
    """As many members with a plant each that measured these months."""
    plants = []
    for number in range(count):
        plants.append(eco.pv(eco.join(f"member-{number}")))
        eco.measured(plants[-1], months)
    return plants


@pytest.mark.function("E4a")
def test_a_period_s_total_is_the_sum_of_its_members() -> None:
    eco = Programme()
    members(eco, 5)
    period = eco.settled()
    row = eco.ask("period", period=period)
    assert (row["status"], row["devices"]) == ("settled", 5)
    assert Fraction(row["years"]["2024"]["reduction"]) == 5 * KILOGRAMS
    by_member = eco.ask("member_reductions", period=period)["rows"]
    assert sum(Fraction(kg) for m in by_member for kg in m["months"].values()) == 5 * KILOGRAMS


def test_settling_in_small_steps_gives_the_same() -> None:
    eco = Programme()
    members(eco, 4)
    period = eco.opened()
    eco.eco("officer-a", "close_period", period=period)
    eco.settle(period, limit=1)
    assert Fraction(eco.ask("period", period=period)["years"]["2024"]["reduction"]) == 4 * KILOGRAMS


@pytest.mark.function("E5b")
def test_no_month_is_counted_in_two_periods() -> None:
    eco = Programme()
    eco.opened(months=("2024-04", "2024-09"))
    wanted = {"methodology": PV, "first_month": "2024-09", "last_month": "2024-12", "factor_table": "2026-1"}
    assert eco.refuses("officer-a", "open_period", **wanted) == "ecopoints.overlap"
    eco.opened(months=("2024-10", "2025-03"))


def test_a_closed_month_takes_no_more_readings() -> None:
    eco = Programme()
    (plant,) = members(eco, 1)
    eco.settled()
    late = batch(entry(plant, 48, {"2024-05": {"generated": 310_000, "sold": 200_000}}))
    assert eco.refuses("gateway-h", "record_batch", **late) == "ecopoints.month_closed"
    by_hand = {"device": plant, "month": "2024-05", "channel": "sold", "value": 1}
    assert eco.refuses("app-h", "enter_value", **by_hand) == "ecopoints.month_closed"


def test_a_period_that_is_not_over_cannot_be_closed() -> None:
    eco = Programme()
    period = eco.opened(months=("2026-10", "2027-01"))
    assert eco.refuses("officer-a", "close_period", period=period) == "ecopoints.not_over"


def test_a_month_without_a_needed_value_earns_nothing_and_says_what_is_missing() -> None:
    eco = Programme()
    members(eco, 1, {"2024-05": {"generated": 300_000}, "2024-06": {"generated": 300_000, "sold": 0}})
    period = eco.settled()
    months = {m["month"]: m for m in eco.ask("device_reductions", period=period)["rows"][0]["months"]}
    assert (months["2024-05"]["missing"], months["2024-05"]["reduction"]) == ("missing_channel", "0")
    assert Fraction(months["2024-06"]["reduction"]) == Fraction(1263, 10)


# -- grants ------------------------------------------------------------------------------------------------------------


@pytest.mark.function("E6a")
def test_points_are_whole_and_the_rest_is_carried() -> None:
    eco = Programme()
    members(eco, 1)
    rule = eco.rule()
    halves = [eco.settled(months=("2024-04", "2024-09")), eco.settled(months=("2024-10", "2025-03"))]
    for period in halves:
        eco.paid(period, rule)
    assert [eco.points_granted(p, rule)["member-0"] for p in halves] == [252, 253], "252.6 kg twice are 505.2"


@pytest.mark.function("E6a")
def test_a_period_is_paid_once_by_a_rule() -> None:
    eco = Programme()
    members(eco, 1)
    period, rule = eco.settled(), eco.rule()
    eco.paid(period, rule)
    assert eco.refuses("officer-a", "propose_grants", period=period, rule=rule) == "ecopoints.run_exists"
    assert eco.refuses("app-h", "pay_grants", period=period, rule=rule) == "ecopoints.run_state"


@pytest.mark.function("E4d")
def test_another_officer_releases_a_grant() -> None:
    eco = Programme()
    members(eco, 1)
    period, rule = eco.settled(), eco.rule()
    eco.eco("officer-a", "propose_grants", period=period, rule=rule)
    assert eco.refuses("app-h", "pay_grants", period=period, rule=rule) == "ecopoints.run_state"
    assert eco.refuses("officer-a", "release_grants", period=period, rule=rule) == "ecopoints.same_officer"
    eco.eco("officer-b", "release_grants", period=period, rule=rule)


@pytest.mark.function("E6b")
def test_a_budget_is_paid_in_the_order_of_joining_until_it_ends() -> None:
    eco = Programme()
    members(eco, 4)
    period, rule = eco.settled(), eco.rule(budget=1_200)
    eco.paid(period, rule, limit=1)
    assert eco.points_granted(period, rule) == {"member-0": 505, "member-1": 505, "member-2": 190, "member-3": 0}
    assert eco.ask("rules", municipality="132012")["rows"][0]["paid"] == 1_200


@pytest.mark.function("E6b")
def test_a_change_of_rules_in_mid_period_splits_it() -> None:
    eco = Programme()
    members(eco, 1)
    period = eco.settled()
    first = eco.rule(last_month="2024-09", rate_points=1)
    second = eco.rule(first_month="2024-10", rate_points=2, cap=400)
    for rule in (first, second):
        eco.paid(period, rule)
    assert eco.points_granted(period, first) == {"member-0": 252}
    assert eco.points_granted(period, second) == {"member-0": 400}, "505 clipped by the cap"


@pytest.mark.function("E6b")
def test_points_after_certification_wait_for_it() -> None:
    eco = Programme()
    members(eco, 2)
    period, rule = eco.settled(), eco.rule(when="certified")
    assert eco.refuses("officer-a", "propose_grants", period=period, rule=rule) == "ecopoints.not_certified"
    found = eco.eco("officer-a", "apply_for_credits", periods=[period])
    eco.eco("officer-a", "register_credits", application=found["application"], prefix="JC", first=1, last=1)
    eco.paid(period, rule)


@pytest.mark.function("E1f")
def test_a_negative_result_stays_negative_and_earns_no_points() -> None:
    eco = Programme()
    eco.join("member-0")
    thirsty = device("member-0", "ev", EV, "car", baseline_km_per_l_x10=400)
    car = str(eco.eco("app-h", "register_device", **thirsty)["device"])
    eco.measured(car, {"2024-05": {"distance": 100_000, "charged": 100_000}})
    period, rule = eco.settled(methodology=EV), eco.rule()
    eco.paid(period, rule)
    assert Fraction(eco.ask("period", period=period)["years"]["2024"]["reduction"]) < 0
    assert eco.points_granted(period, rule) == {"member-0": 0}


# -- corrections -------------------------------------------------------------------------------------------------------


def correct(eco: Programme, plant: str, sold: int) -> None:
    before = eco.ask("device", device=plant)["readings"]
    late = entry(plant, before, {"2024-05": {"generated": 300_000, "sold": sold}}, readings=1)
    eco.eco("gateway-h", "record_correction", root=bytes(32), readings=1, entry=late)


@pytest.mark.function("E6c")
def test_a_correction_is_an_adjustment_and_points_follow() -> None:
    eco = Programme()
    (plant,) = members(eco, 1)
    period, rule = eco.settled(), eco.rule()
    eco.paid(period, rule)
    correct(eco, plant, sold=100_000)
    (adjusted,) = eco.ask("adjustments", period=period)["rows"]
    assert (Fraction(adjusted["kilograms"]), adjusted["points"]) == (Fraction(421, 10), 42)
    assert Fraction(eco.ask("period", period=period)["years"]["2024"]["reduction"]) == KILOGRAMS + Fraction(421, 10)
    assert eco.points_granted(period, rule) == {"member-0": 547}
    correct(eco, plant, sold=300_000)
    assert eco.points_granted(period, rule) == {"member-0": 463}, "505.2 - 42.1 kg"
    assert eco.ask("points_account", account="member-0")["points"] == 463


@pytest.mark.function("E6b")
def test_a_correction_pays_no_more_than_the_budget_has_left() -> None:
    eco = Programme()
    (plant,) = members(eco, 1)
    period, rule = eco.settled(), eco.rule(budget=520)
    eco.paid(period, rule)
    correct(eco, plant, sold=100_000)
    assert eco.points_granted(period, rule) == {"member-0": 520}
    assert eco.ask("rules", municipality="132012")["rows"][0]["paid"] == 520
    correct(eco, plant, sold=0)
    assert eco.points_granted(period, rule) == {"member-0": 520}


def spend(eco: Programme, member: str, points: int, code: str = "one-time-code-1") -> None:
    eco.eco("officer-a", "open_shop", shop=f"shop-{code}")
    wanted = {"account": member, "points": points, "commitment": commitment_of(code)}
    eco.eco("app-h", "open_payment", **wanted)
    eco.eco("app-h", "confirm_payment", code=code, shop=f"shop-{code}")


@pytest.mark.function("E6c")
def test_points_taken_back_after_they_were_spent_are_kept_back_from_the_next_grant() -> None:
    eco = Programme()
    (plant,) = members(eco, 1)
    rule = eco.rule()
    first, second = eco.settled(months=("2024-04", "2024-09")), eco.settled(months=("2024-10", "2025-03"))
    eco.paid(first, rule)
    spend(eco, "member-0", 250)
    correct(eco, plant, sold=300_000)
    assert eco.points_granted(first, rule) == {"member-0": 210}, "252.6 - 42.1 kg"
    assert eco.ask("points_account", account="member-0")["points"] == 0, "2 of 42 could be taken"
    eco.paid(second, rule)
    assert eco.points_granted(second, rule) == {"member-0": 253}
    assert eco.ask("points_account", account="member-0")["points"] == 253 - 40


@pytest.mark.function("E6c")
def test_a_correction_of_certified_credits_changes_points_and_not_the_credits() -> None:
    eco = Programme()
    plants = members(eco, 2)
    period, rule = eco.settled(), eco.rule()
    found = eco.eco("officer-a", "apply_for_credits", periods=[period])
    eco.eco("officer-a", "register_credits", application=found["application"], prefix="JC", first=1, last=1)
    eco.paid(period, rule)
    correct(eco, plants[0], sold=100_000)
    assert Fraction(eco.ask("period", period=period)["years"]["2024"]["reduction"]) == 2 * KILOGRAMS
    assert eco.ask("adjustments", period=period)["rows"][0]["after_certification"]
    assert eco.points_granted(period, rule)["member-0"] == 547


def test_an_open_month_needs_no_correction() -> None:
    eco = Programme()
    (plant,) = members(eco, 1)
    wrong = entry(plant, 48, {"2024-05": {"generated": 1, "sold": 0}}, readings=1)
    args = {"root": bytes(32), "readings": 1, "entry": wrong}
    assert eco.refuses("gateway-h", "record_correction", **args) == "ecopoints.month_open"


# -- credits -----------------------------------------------------------------------------------------------------------


def applied(eco: Programme) -> tuple[str, int]:
    members(eco, 5)
    found = eco.eco("officer-a", "apply_for_credits", periods=[eco.settled()])
    return str(found["application"]), int(found["tonnes"])


@pytest.mark.function("E5b")
def test_credits_are_whole_tonnes_and_never_more_than_applied_for() -> None:
    eco = Programme()
    application, tonnes = applied(eco)
    assert tonnes == 2, "2,526 kg"
    wanted = {"application": application, "prefix": "JC-24", "first": 101}
    assert eco.refuses("officer-a", "register_credits", **wanted, last=103) == "ecopoints.over_applied"
    eco.eco("officer-a", "register_credits", **wanted, last=102)
    assert eco.refuses("officer-a", "register_credits", **wanted, last=101) == "ecopoints.over_applied"


@pytest.mark.function("E5b")
@pytest.mark.parametrize(("first", "last"), [(101, 101), (100, 101), (101, 102), (100, 102)])
def test_a_serial_number_is_registered_once(first: int, last: int) -> None:
    eco = Programme()
    application, _ = applied(eco)
    eco.eco("officer-a", "register_credits", application=application, prefix="JC", first=101, last=101)
    eco.eco("app-h", "register_device", **device("member-0", "pv", PV, "big", capacity_w=300_000))
    big = eco.ask("devices", member="member-0")["rows"]
    plant = next(d["device"] for d in big if d["readings"] == 0)
    eco.measured(plant, {"2025-05": {"generated": 90_000_000, "sold": 0}})
    period = eco.settled(months=("2025-04", "2026-03"))
    found = eco.eco("officer-a", "apply_for_credits", periods=[period])["application"]
    again = {"application": found, "prefix": "JC", "first": first, "last": last}
    assert eco.refuses("officer-a", "register_credits", **again) == "ecopoints.serial_taken"
    eco.eco("officer-a", "register_credits", application=found, prefix="JC", first=102, last=103)
    eco.eco("officer-a", "register_credits", application=found, prefix="JC", first=1, last=9)


@pytest.mark.function("E5b")
def test_sales_are_tied_to_serial_numbers() -> None:
    eco = Programme()
    application, _ = applied(eco)
    wanted = {"application": application, "prefix": "JC", "first": 7, "last": 8}
    block = eco.eco("officer-a", "register_credits", **wanted)["credits"]
    sale = {"credits_block": block, "yen_per_tonne": 2_536, "buyer": "company"}
    assert eco.eco("officer-a", "sell_credits", **sale, tonnes=1)["revenue_yen"] == 2_536
    assert eco.refuses("officer-a", "sell_credits", **sale, tonnes=2) == "ecopoints.not_so_many"
    eco.eco("officer-b", "sell_credits", **sale, tonnes=1)
    assert [(s["first"], s["last"]) for s in eco.ask("sales", credits_block=block)["rows"]] == [(7, 7), (8, 8)]


@pytest.mark.function("E5c")
def test_a_certified_period_names_until_when_it_is_kept() -> None:
    eco = Programme()
    application, _ = applied(eco)
    eco.eco("officer-a", "register_credits", application=application, prefix="JC", first=7, last=8)
    (period,) = eco.ask("periods", municipality="132012")["rows"]
    assert (period["status"], period["retain_until_ms"]) == ("certified", 1_806_505_200_000), "2027-04-01 00:00 JST"
