"""Points for work: the rule of the day, caps exact at the edges of day and fiscal year, paid once (V6, V7)."""

from __future__ import annotations

import pytest

from contracts.points import commitment
from ledger.encoding import Value
from tests.contracts.volunteers.town import DAY, HOUR, MINUTE, Town, moment
from tests.contracts.world import HACHIOJI

YEAR = {"first_day": "2027-01-01", "last_day": "2028-12-31"}


def rule(town: Town, **more: Value) -> str:
    """A hundred points an hour unless something else is said."""
    asked: dict[str, Value] = {"points": 100, **YEAR, **more}
    return str(town.d("admin-h", "set_rule", **asked)["rule"])


def approved(town: Town, activity: str) -> tuple[int, str]:
    """What an approval pays, and why it is not more; the query has said the same before."""
    said = town.ask("due", activity=activity)
    result = town.d("officer-a", "approve_report", activity=activity)
    assert (said["paid"], said["clipped"]) == (result["points"], result["clipped"])
    return result["points"], result["clipped"]


def entered(town: Town, volunteer: str, started_ms: int, minutes: int) -> str:
    """Work as an officer enters it, so that its start is exact to the millisecond; reported."""
    return finished(town, planned(town, volunteer, started_ms, minutes), volunteer, started_ms, minutes)


def planned(town: Town, volunteer: str, started_ms: int, minutes: int) -> str:
    posting = town.post(started_ms, minutes + 1)
    town.apply(posting, volunteer)
    return posting


def finished(town: Town, posting: str, volunteer: str, started_ms: int, minutes: int) -> str:
    town.time_ms = max(town.time_ms, started_ms + minutes * MINUTE)
    args: dict[str, Value] = {"posting": posting, "volunteer": volunteer, "path": "paper"}
    end = started_ms + minutes * MINUTE
    activity = str(town.d("officer-a", "enter_activity", **args, started_ms=started_ms, ended_ms=end)["activity"])
    town.d("app-h", "report", activity=activity, requester="home", outcome="well")
    return activity


@pytest.mark.function("V6b", "V7a", "V7b")
def test_a_report_that_is_approved_twice_pays_once() -> None:
    town = Town()
    town.join("v1")
    rule(town)
    activity = town.work("v1", town.time_ms + DAY, 120)
    first, second = town.block(
        *(town.transaction(o, "volunteers", "approve_report", activity=activity) for o in ("officer-a", "officer-b"))
    )
    assert sorted([first.reason, second.reason]) == ["", "volunteers.activity_state"]
    assert town.balance("v1") == 200
    (entry,) = town.ask("points_history", account="v1")["rows"]
    assert (entry["kind"], entry["points"], entry["about"]) == ("issued", 200, activity)
    assert town.ask("points_totals", municipality=HACHIOJI)["issued"] == 200


@pytest.mark.function("V6b")
@pytest.mark.parametrize(
    ("minutes", "points", "why"), [(59, 0, "too_short"), (60, 100, ""), (119, 100, ""), (120, 200, "")]
)
def test_only_full_units_of_time_count(minutes: int, points: int, why: str) -> None:
    town = Town()
    town.join("v1")
    rule(town)
    assert approved(town, entered(town, "v1", town.time_ms + DAY, minutes)) == (points, why)


@pytest.mark.function("V6b")
def test_a_rule_may_pay_for_each_activity_whatever_it_takes() -> None:
    town = Town()
    town.join("v1")
    rule(town, unit_minutes=0, points=50)
    assert approved(town, entered(town, "v1", town.time_ms + DAY, 1)) == (50, "")


@pytest.mark.function("V6b")
def test_without_a_rule_on_that_day_nothing_is_paid_and_the_reason_is_kept() -> None:
    town = Town()
    town.join("v1")
    activity = town.work("v1", town.time_ms + DAY, 120)
    assert approved(town, activity) == (0, "no_rule")
    made = town.ask("activity", activity=activity)
    assert (made["status"], made["clipped"], made["minutes"]) == ("approved", "no_rule", 120)
    assert town.ask("volunteer", volunteer="v1")["volunteer"]["activities"] == 1


@pytest.mark.function("V6b")
def test_the_rule_of_the_day_of_the_work_counts_to_the_millisecond_of_midnight_in_japan() -> None:
    town = Town()
    for person in ("v1", "v2"):
        town.join(person)
    old = rule(town, points=100, first_day="2027-01-01", last_day="2027-02-09")
    new = rule(town, points=500, first_day="2027-02-10", last_day="2027-12-31")
    midnight = moment("2027-02-10")
    late, early = planned(town, "v1", midnight - 1, 60), planned(town, "v2", midnight, 60)
    before, after = finished(town, late, "v1", midnight - 1, 60), finished(town, early, "v2", midnight, 60)
    town.time_ms += 30 * DAY
    assert approved(town, after) == (500, "") and approved(town, before) == (100, "")
    assert [town.ask("activity", activity=a)["rule"] for a in (before, after)] == [old, new]


@pytest.mark.function("V6b")
def test_the_daily_cap_is_exact_and_ends_at_midnight_in_japan() -> None:
    town = Town()
    town.join("v1")
    rule(town, daily_cap=250)
    midnight = moment("2027-02-10")
    first = entered(town, "v1", midnight - 10 * HOUR, 120)
    second = entered(town, "v1", midnight - 5 * HOUR, 60)
    third = entered(town, "v1", midnight - 1, 60)
    next_day = entered(town, "v1", midnight + 2 * HOUR, 60)
    assert approved(town, first) == (200, "")
    assert town.ask("due", activity=second)["daily_left"] == 50
    assert approved(town, second) == (50, "daily_cap")
    assert approved(town, third) == (0, "daily_cap")
    assert approved(town, next_day) == (100, "")
    made = town.ask("activity", activity=second)
    assert (made["points"], made["unpaid"], made["clipped"]) == (50, 50, "daily_cap")
    assert town.balance("v1") == 350


@pytest.mark.function("V6b")
def test_the_yearly_cap_is_exact_and_the_fiscal_year_begins_in_april_in_japan() -> None:
    town = Town()
    town.join("v1", days=800)
    rule(town, yearly_cap=250)
    april = moment("2027-04-01")
    works = [entered(town, "v1", april - 40 * DAY, 120), entered(town, "v1", april - 1, 60)]
    works.append(entered(town, "v1", april + 2 * HOUR, 180))
    works.append(entered(town, "v1", moment("2028-03-31", 22), 60))
    works.append(entered(town, "v1", moment("2028-04-01"), 60))
    assert [approved(town, a) for a in works[:2]] == [(200, ""), (50, "yearly_cap")]
    assert approved(town, works[2]) == (250, "yearly_cap")
    assert approved(town, works[3]) == (0, "yearly_cap")
    assert approved(town, works[4]) == (100, "")


@pytest.mark.function("V6b")
def test_what_fills_a_cap_exactly_is_not_cut() -> None:
    town = Town()
    town.join("v1")
    rule(town, daily_cap=200, yearly_cap=300)
    start = moment("2027-02-10", 8)
    first, second = entered(town, "v1", start, 120), entered(town, "v1", start + DAY, 120)
    assert approved(town, first) == (200, "")
    assert approved(town, second) == (100, "yearly_cap")


@pytest.mark.function("V6b")
def test_a_rule_for_a_kind_goes_before_the_rule_for_every_kind() -> None:
    town = Town()
    town.join("v1")
    rule(town, points=100)
    rule(town, points=300, kinds=["garden"])
    assert approved(town, entered(town, "v1", town.time_ms + DAY, 60)) == (300, "")


@pytest.mark.function("V6b")
def test_two_rules_for_one_kind_never_hold_on_one_day() -> None:
    town = Town()
    first = rule(town, kinds=["garden", "cafe"], first_day="2027-02-01", last_day="2027-02-28")
    bad: dict[str, Value] = {"points": 1}
    for days in (("2027-02-28", "2027-03-31"), ("2027-01-01", "2027-02-01"), ("2027-02-10", "2027-02-10")):
        span: dict[str, Value] = {"first_day": days[0], "last_day": days[1], "kinds": ["cafe"]}
        assert town.no("admin-h", "set_rule", **bad, **span) == "rule_overlap"
    rule(town, kinds=["cafe"], first_day="2027-03-01", last_day="2027-03-31")
    rule(town, kinds=["cafe"], first_day="2027-01-01", last_day="2027-01-31")
    town.d("admin-h", "end_rule", rule=first, last_day="2027-02-10")
    rule(town, kinds=["cafe"], first_day="2027-02-11", last_day="2027-02-28")
    assert len(town.ask("rules", municipality=HACHIOJI)["rows"]) == 4
    assert town.no("admin-h", "set_rule", **bad, first_day="2027-05-02", last_day="2027-05-01") == "bad_rule"
    assert town.no("admin-h", "set_rule", **bad, **YEAR, kinds=["a", "a"]) == "bad_rule"


@pytest.mark.function("V6b")
def test_a_rule_ends_today_at_the_earliest_and_one_that_has_not_begun_can_be_taken_back() -> None:
    town = Town()
    town.join("v1")
    running = rule(town)
    assert town.no("admin-h", "end_rule", rule=running, last_day="2027-01-14") == "bad_rule"
    assert town.no("officer-t", "end_rule", rule=running, last_day="2027-01-20") == "other_municipality"
    town.d("admin-h", "end_rule", rule=running, last_day="2027-01-15")
    later = rule(town, first_day="2027-02-01", last_day="2027-02-28")
    town.d("admin-h", "end_rule", rule=later, last_day="2027-01-20")
    again = rule(town, points=7, first_day="2027-02-01", last_day="2027-02-28")
    activity = entered(town, "v1", moment("2027-02-01"), 60)
    assert approved(town, activity) == (7, "") and town.ask("activity", activity=activity)["rule"] == again


@pytest.mark.function("V6b")
def test_an_officer_may_count_fewer_minutes_but_never_more() -> None:
    town = Town()
    town.join("v1")
    rule(town)
    activity = entered(town, "v1", town.time_ms + DAY, 130)
    assert town.no("officer-a", "approve_report", activity=activity, minutes=131) == "bad_minutes"
    assert town.d("officer-a", "approve_report", activity=activity, minutes=119)["points"] == 100


@pytest.mark.function("V6b", "X6")
def test_only_an_officer_of_the_municipality_approves() -> None:
    town = Town()
    town.join("v1")
    activity = entered(town, "v1", town.time_ms + DAY, 60)
    assert town.no("app-h", "approve_report", activity=activity) == "runtime.missing_role"
    assert town.no("officer-t", "approve_report", activity=activity) == "other_municipality"
    assert town.no("admin-h", "approve_report", activity=activity) == "runtime.missing_role"


@pytest.mark.function("V6b")
def test_work_of_somebody_who_has_left_is_approved_without_points() -> None:
    town = Town()
    town.join("v1")
    rule(town)
    activity = entered(town, "v1", town.time_ms + DAY, 60)
    town.d("app-h", "leave_volunteers", volunteer="v1")
    assert approved(town, activity) == (0, "left")
    assert town.ask("points_totals", municipality=HACHIOJI)["issued"] == 0


@pytest.mark.function("V13a", "V13b", "V7d", "V7e")
def test_points_expire_at_a_month_and_go_to_shops_only_and_are_burnt_there() -> None:
    town = Town()
    for person in ("v1", "v2"):
        town.join(person)
    rule(town, lot_months=2)
    town.d("officer-a", "approve_report", activity=entered(town, "v1", moment("2027-02-10", 9), 180))
    (lot,) = town.ask("points_account", account="v1")["lots"]
    assert lot["expires_ms"] == moment("2027-04-01")
    town.d("officer-a", "open_shop", shop="baker")
    code = "pay-code-000001"
    paid = town.d("app-h", "open_payment", account="v1", points=120, commitment=commitment(code))
    assert town.no("app-h", "confirm_payment", code=code, shop="v2") == "not_a_shop"
    town.d("app-h", "confirm_payment", code=code, shop="baker")
    assert town.ask("payment", payment=paid["payment"])["status"] == "paid"
    statement = town.d("app-h", "close_statement", shop="baker")["statement"]
    town.d("officer-a", "approve_statement", statement=statement)
    town.d("officer-a", "burn_statement", statement=statement)
    town.time_ms = moment("2027-04-01")
    town.d("app-h", "expire")
    totals = town.ask("points_totals", municipality=HACHIOJI)
    assert (totals["issued"], totals["cashed_out"], totals["expired"]) == (300, 120, 180)
