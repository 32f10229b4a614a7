"""Check-in, check-out and reports (FUNCTIONS V5, V6)."""

from __future__ import annotations

import time

import pytest

from contracts.volunteers.activities import EARLY_MS, OVERTIME_MS, minutes_between
from tests.contracts.volunteers.town import DAY, HOUR, MINUTE, Town
from tests.contracts.world import HACHIOJI


def accepted(town: Town, volunteer: str = "v1", **more: object) -> str:
    posting = town.post(**more)  # type: ignore[arg-type]
    assert town.apply(posting, volunteer) == "accepted"
    return posting


@pytest.mark.function("V5b", "V5c", "X4")
def test_start_and_end_enter_the_history_of_volunteer_certificate_posting_and_requester() -> None:
    town = Town()
    certificate = town.join("v1")
    posting = accepted(town)
    town.time_ms += DAY
    activity = town.check_in(posting, "v1")
    started = town.ask("activity", activity=activity)
    assert started["started_ms"] == started["entered_ms"] == town.time_ms and started["path"] == "code"
    town.time_ms += 90 * MINUTE
    events = town.events("app-h", "check_out", activity=activity, requester="home")
    told = {f"activity:{activity}", "volunteer:v1", f"posting:{posting}", f"certificate:{certificate}"}
    assert events == [("activity_ended", events[0][1])] and set(events[0][1]) == {*told, "requester:home"}
    assert town.ask("activity", activity=activity)["ended_ms"] == town.time_ms
    assert town.no("app-h", "check_out", activity=activity, requester="home") == "activity_state"


@pytest.mark.function("V5a", "V5b")
@pytest.mark.parametrize(
    ("method", "standing"), [("suspend_certificate", "suspended"), ("revoke_certificate", "revoked")]
)
def test_a_certificate_that_does_not_count_at_check_in_is_refused(method: str, standing: str) -> None:
    town = Town()
    certificate = town.join("v1")
    posting = accepted(town)
    town.time_ms += DAY
    code = town.show("v1")
    town.d("officer-a", method, certificate=certificate)
    receipt = town.call("app-h", "volunteers", "check_in", posting=posting, code=code, requester="home")
    assert receipt.reason == "volunteers.certificate_not_valid" and receipt.params["standing"] == standing
    assert not town.ask("presentation", code=code)["presentation"]["used_ms"]


@pytest.mark.function("V5b")
def test_only_who_has_a_place_checks_in_and_only_at_the_facility_that_asked() -> None:
    town = Town()
    town.join("v1")
    town.join("v2")
    posting = accepted(town)
    town.time_ms += DAY
    assert town.no("app-h", "check_in", posting=posting, code=town.show("v2"), requester="home") == "no_application"
    code = town.show("v1")
    assert town.no("app-h", "check_in", posting=posting, code=code, requester="neighbour") == "other_requester"
    assert town.no("app-h", "check_in", posting=posting, code=code) == "other_requester"
    town.d("app-h", "check_in", posting=posting, code=code, requester="home")
    again = town.show("v1")
    assert town.no("app-h", "check_in", posting=posting, code=again, requester="home") == "application_state"


@pytest.mark.function("V5b")
@pytest.mark.parametrize(
    ("shift", "fits"), [(-EARLY_MS - 1, False), (-EARLY_MS, True), (2 * HOUR, True), (2 * HOUR + 1, False)]
)
def test_a_check_in_is_from_an_hour_before_the_start_to_the_end(shift: int, fits: bool) -> None:
    town = Town()
    town.join("v1")
    posting = accepted(town)
    at_ms = town.ask("posting", posting=posting)["starts_ms"] + shift
    town.time_ms = at_ms - 1
    args = {"posting": posting, "volunteer": "v1"}
    if fits:
        town.d("app-h", "check_in_with_pin", **args)
    else:
        assert town.no("app-h", "check_in_with_pin", **args) == "bad_moment"


@pytest.mark.function("V5d")
def test_a_check_in_kept_without_a_network_counts_with_its_own_time_and_the_code_s_own_two_minutes() -> None:
    town = Town()
    certificate = town.join("v1")
    posting = accepted(town)
    town.time_ms += DAY
    code = town.show("v1")
    read_ms = town.time_ms + 30_000
    town.time_ms += 5 * HOUR
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    kept = {"posting": posting, "code": code, "requester": "home"}
    assert town.no("app-h", "check_in", **kept) == "code_stale"
    assert town.no("app-h", "check_in", **kept, occurred_ms=town.time_ms + DAY) == "code_stale"
    activity = town.d("app-h", "check_in", **kept, occurred_ms=read_ms)["activity"]
    found = town.ask("activity", activity=activity)
    assert found["started_ms"] == read_ms and found["entered_ms"] == town.time_ms
    town.d("app-h", "check_out", activity=activity, requester="home", occurred_ms=read_ms + HOUR)


@pytest.mark.function("V5d")
def test_work_on_paper_is_judged_by_the_certificate_as_it_was_then() -> None:
    town = Town()
    certificate = town.join("v1")
    posting = accepted(town)
    start = town.ask("posting", posting=posting)["starts_ms"]
    town.time_ms = start + 3 * HOUR
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    times = {"posting": posting, "volunteer": "v1", "path": "paper"}
    assert (
        town.no("app-h", "enter_activity", **times, started_ms=start, ended_ms=start + HOUR) == "runtime.missing_role"
    )
    town.d("officer-a", "reissue_certificate", volunteer="v1", valid_until_ms=town.valid_until())
    entered = town.d("officer-a", "enter_activity", **times, started_ms=start, ended_ms=start + HOUR)
    found = town.ask("activity", activity=entered["activity"])
    assert (found["status"], found["path"], found["certificate"]) == ("ended", "paper", certificate)


@pytest.mark.function("V5d")
def test_work_while_a_certificate_was_suspended_is_not_entered_later() -> None:
    town = Town()
    certificate = town.join("v1")
    posting = accepted(town)
    start = town.ask("posting", posting=posting)["starts_ms"]
    town.time_ms = start - 10
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    town.time_ms = start + 3 * HOUR
    town.d("officer-a", "resume_certificate", certificate=certificate)
    times = {"posting": posting, "volunteer": "v1", "path": "paper"}
    late = {**times, "started_ms": start, "ended_ms": start + HOUR}
    assert town.no("officer-a", "enter_activity", **late) == "certificate_not_valid"


@pytest.mark.function("V3e", "V5d")
def test_a_paper_that_comes_in_puts_a_no_show_right() -> None:
    town = Town()
    town.join("v1")
    posting = accepted(town)
    start = town.ask("posting", posting=posting)["starts_ms"]
    town.time_ms = start + 3 * HOUR
    town.d("officer-a", "mark_no_show", posting=posting, volunteer="v1")
    args = {"posting": posting, "volunteer": "v1", "path": "paper", "started_ms": start, "ended_ms": start + HOUR}
    town.d("officer-a", "enter_activity", **args)
    assert town.ask("volunteer", volunteer="v1")["volunteer"]["no_shows"] == 0
    assert town.status(posting, "v1") == "present" and town.ask("posting", posting=posting)["taken"] == 1


@pytest.mark.function("V5c")
@pytest.mark.parametrize(
    ("shift", "fits"), [(0, False), (1, True), (2 * HOUR + OVERTIME_MS, True), (2 * HOUR + OVERTIME_MS + 1, False)]
)
def test_the_end_is_after_the_start_and_a_day_after_the_posted_end_at_the_latest(shift: int, fits: bool) -> None:
    town = Town()
    town.join("v1")
    posting = accepted(town)
    town.time_ms = town.ask("posting", posting=posting)["starts_ms"] - 1
    activity = town.d("app-h", "check_in_with_pin", posting=posting, volunteer="v1")["activity"]
    ended = {"activity": activity, "requester": "home", "occurred_ms": town.time_ms + shift}
    assert town.no("app-h", "check_out", **{**ended, "occurred_ms": town.time_ms + 99 * DAY}) == "bad_moment"
    town.time_ms += 9 * DAY
    if fits:
        town.d("app-h", "check_out", **ended)
    else:
        assert town.no("app-h", "check_out", **ended) == "bad_moment"


@pytest.mark.function("V5c", "V6b")
def test_an_officer_puts_a_forgotten_end_right_until_the_report_is_approved() -> None:
    town = Town()
    town.join("v1")
    activity = town.work("v1", town.time_ms + DAY, 180)
    started = town.ask("activity", activity=activity)["started_ms"]
    town.d("officer-a", "correct_end", activity=activity, ended_ms=started + HOUR)
    town.d("officer-a", "approve_report", activity=activity)
    assert town.ask("activity", activity=activity)["minutes"] == 60
    assert town.no("officer-a", "correct_end", activity=activity, ended_ms=started + 1) == "activity_state"


@pytest.mark.function("V5b")
def test_a_mistaken_check_in_is_voided_and_pays_nothing() -> None:
    town = Town()
    town.join("v1")
    posting = accepted(town)
    town.time_ms += DAY
    activity = town.check_in(posting, "v1")
    town.d("officer-a", "void_activity", activity=activity, why="mistake")
    assert town.no("app-h", "report", activity=activity, requester="home", outcome="well") == "activity_state"
    assert town.no("officer-a", "cancel_posting", posting=posting) == "begun"


@pytest.mark.function("V6a", "V6b")
def test_a_report_is_returned_made_again_and_rejected_without_points() -> None:
    town = Town()
    town.join("v1")
    town.d("admin-h", "set_rule", points=100, first_day="2027-01-01", last_day="2027-12-31")
    activity = town.work("v1", town.time_ms + DAY, 60)
    assert town.no("app-h", "report", activity=activity, requester="home", outcome="well") == "activity_state"
    town.d("officer-a", "return_report", activity=activity, why="incomplete")
    assert town.no("officer-a", "approve_report", activity=activity) == "activity_state"
    assert town.no("app-h", "report", activity=activity, requester="neighbour", outcome="well") == "other_requester"
    town.d("app-h", "report", activity=activity, requester="home", outcome="problem", text="ab" * 32)
    town.d("officer-a", "reject_report", activity=activity, why="not_done")
    assert town.no("officer-a", "approve_report", activity=activity) == "activity_state"
    assert town.balance("v1") == 0


@pytest.mark.function("V1a", "V1b", "V13d")
def test_the_public_page_names_months_and_areas_and_only_those_who_want_to_be_shown() -> None:
    town = Town()
    for person in ("v1", "v2"):
        town.join(person)
        town.d("officer-a", "approve_report", activity=town.work(person, town.time_ms + DAY, 90))
    town.d("app-h", "set_listed", volunteer="v1", listed=False)
    rows = town.ask("public_activities", municipality=HACHIOJI)["rows"]
    assert [row["volunteer"] for row in rows] == ["v2", ""]
    assert set(rows[0]) == {"volunteer", "month", "kind", "place", "minutes", "people"}
    assert rows[0]["month"] == "2027-01"
    (month,) = town.ask("contributions", municipality=HACHIOJI)["rows"]
    assert (month["month"], month["kind"], month["place"]) == ("2027-01", "garden", "minami")
    assert month["sum"] == {"activities": 2, "people": 2, "minutes": 180}


@pytest.mark.function("V1a", "V8a")
def test_a_volunteer_s_activities_are_listed_latest_first_and_so_are_a_requester_s() -> None:
    town = Town()
    town.join("v1")
    made = [town.work("v1", town.time_ms + DAY, 30) for _ in range(3)]
    assert [row["activity"] for row in town.ask("activities_of", who="v1")["rows"]] == made[::-1]
    first = town.ask("activities_of", who="home", limit=2)
    rest = town.ask("activities_of", who="home", limit=2, after=first["next"])
    assert [row["activity"] for row in [*first["rows"], *rest["rows"]]] == made[::-1]


@pytest.mark.function("V9a")
def test_that_a_mail_went_out_is_recorded_once_in_the_volunteer_s_history() -> None:
    town = Town()
    town.join("v1")
    mail = {"mail": "mail-1", "kind": "accepted", "recipient": bytes(32), "volunteer": "v1", "about": "posting-1"}
    assert town.events("app-h", "record_mail", **mail) == [("mail_sent", ("volunteer:v1",))]
    assert town.no("app-h", "record_mail", **mail) == "mail_recorded"


@pytest.mark.function("V6b")
def test_minutes_are_those_that_clocks_show() -> None:
    assert minutes_between(10 * HOUR + 40_000, 12 * HOUR + 10_000) == 120
    assert minutes_between(10 * HOUR, 10 * HOUR + 59_999) == 0


@pytest.mark.function("V12")
def test_a_busy_morning_is_written_faster_than_ten_writes_a_second() -> None:
    """Thirty volunteers at one activity, from applying to points, with the processor's time of one node."""
    town = Town()
    people = [f"v{n:02d}" for n in range(30)]
    for person in people:
        town.join(person)
    town.d("admin-h", "set_rule", points=100, first_day="2027-01-01", last_day="2027-12-31")
    posting = town.post(capacity=30)
    began = time.process_time()
    for person in people:
        assert town.apply(posting, person) == "accepted"
    town.time_ms += DAY
    work = [town.check_in(posting, person) for person in people]
    town.time_ms += HOUR
    for activity in work:
        town.d("app-h", "check_out", activity=activity, requester="home")
        town.d("app-h", "report", activity=activity, requester="home", outcome="well")
        town.d("officer-a", "approve_report", activity=activity)
    assert 6 * len(people) / (time.process_time() - began) > 10
    assert town.ask("points_totals", municipality=HACHIOJI)["issued"] == 30 * 100
