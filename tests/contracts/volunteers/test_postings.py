"""Postings and applications: capacity, waiting list, overlap, deadlines (FUNCTIONS V3, V13)."""

from __future__ import annotations

import itertools

import pytest

from tests.contracts.volunteers.town import DAY, HOUR, Town
from tests.contracts.world import HACHIOJI


@pytest.mark.function("V3b", "V3a")
def test_what_a_requester_asks_for_is_listed_once_an_officer_has_published_it() -> None:
    town = Town()
    start = town.time_ms + DAY
    asked = {
        "requester": "neighbour", "kind": "lightbulb", "place": "kita", "starts_ms": start, "ends_ms": start + HOUR,
        "withdraw_until_ms": start,
    }  # fmt: skip
    first = town.d("app-h", "ask_for_posting", **asked)["posting"]
    second = town.d("app-h", "ask_for_posting", **asked)["posting"]
    assert town.ask("calendar")["rows"] == []
    assert town.no("app-h", "publish_posting", posting=first) == "runtime.missing_role"
    assert town.no("officer-t", "publish_posting", posting=first) == "other_municipality"
    town.d("officer-a", "publish_posting", posting=first)
    town.d("officer-a", "decline_posting", posting=second, why="not_suitable")
    assert [row["posting"] for row in town.ask("calendar")["rows"]] == [first]
    assert [row["posting"] for row in town.ask("postings", municipality=HACHIOJI)["rows"]] == [first]
    assert town.ask("postings", municipality=HACHIOJI, status="asked")["rows"] == []
    assert {row["posting"] for row in town.ask("requester_postings", requester="neighbour")["rows"]} == {first, second}
    assert town.no("officer-a", "publish_posting", posting=second) == "posting_state"


@pytest.mark.function("V3b")
@pytest.mark.parametrize(
    ("starts", "lasts", "until"), [(-HOUR, DAY, -HOUR), (DAY, 0, 0), (DAY, 8 * DAY, 0), (DAY, HOUR, DAY + 1)]
)
def test_times_that_cannot_be_are_refused(starts: int, lasts: int, until: int) -> None:
    town = Town()
    start = town.time_ms + starts
    bad = {"kind": "garden", "place": "kita", "starts_ms": start, "ends_ms": start + lasts}
    assert town.no("officer-a", "post", **bad, withdraw_until_ms=town.time_ms + until) == "bad_times"


@pytest.mark.function("V3e", "V10a")
def test_fifty_apply_for_the_last_place_at_once_and_one_has_it_and_the_rest_wait_in_order() -> None:
    town = Town()
    people = [f"v{n:02d}" for n in range(50)]
    for person in people:
        town.join(person)
    posting = town.post(capacity=1)
    calls = [town.transaction("app-h", "volunteers", "apply", posting=posting, volunteer=v) for v in people]
    receipts = town.block(*calls)
    assert sorted(str(r.result["status"]) for r in receipts) == ["accepted"] + ["waiting"] * 49
    rows = town.ask("applications", posting=posting)["rows"]
    by_order = [row["volunteer"] for row in sorted(rows, key=lambda row: row["number"])]
    assert town.ask("posting", posting=posting)["taken"] == 1
    for holder, following in itertools.pairwise(by_order):
        assert town.status(posting, holder) == "accepted" and town.status(posting, following) == "waiting"
        assert town.d("app-h", "withdraw_application", posting=posting, volunteer=holder)["promoted"] == 1
    assert town.status(posting, by_order[-1]) == "accepted"


@pytest.mark.function("V3e")
def test_who_comes_back_stands_at_the_end_of_the_waiting_list() -> None:
    town = Town()
    for person in ("v1", "v2", "v3"):
        town.join(person)
    posting = town.post(capacity=1)
    assert [town.apply(posting, v) for v in ("v1", "v2", "v3")] == ["accepted", "waiting", "waiting"]
    assert town.no("app-h", "apply", posting=posting, volunteer="v2") == "application_state"
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v2")
    assert town.apply(posting, "v2") == "waiting"
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v1")
    assert town.status(posting, "v3") == "accepted" and town.status(posting, "v2") == "waiting"


@pytest.mark.function("V3e")
def test_two_places_at_one_time_are_refused_and_back_to_back_is_not_an_overlap() -> None:
    town = Town()
    town.join("v1")
    start = town.time_ms + DAY
    morning, noon, inside = town.post(start), town.post(start + 2 * HOUR), town.post(start + HOUR, 30)
    long_one = town.post(start - 3 * DAY + 4 * DAY, 24 * 60)
    assert town.apply(morning, "v1") == "accepted" and town.apply(noon, "v1") == "accepted"
    assert town.no("app-h", "apply", posting=inside, volunteer="v1") == "overlap"
    assert town.apply(long_one, "v1") == "accepted"
    town.d("app-h", "withdraw_application", posting=morning, volunteer="v1")
    assert town.apply(inside, "v1") == "accepted"


@pytest.mark.function("V3e")
def test_who_waits_and_has_another_place_by_now_or_no_certificate_is_passed_over() -> None:
    town = Town()
    certificates = {v: town.join(v) for v in ("v1", "v2", "v3", "v4")}
    start = town.time_ms + DAY
    posting, other = town.post(start, capacity=1), town.post(start)
    assert [town.apply(posting, v) for v in certificates] == ["accepted", "waiting", "waiting", "waiting"]
    assert town.apply(other, "v2") == "accepted"
    town.d("officer-a", "suspend_certificate", certificate=certificates["v3"])
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v1")
    assert [town.status(posting, v) for v in ("v2", "v3", "v4")] == ["waiting", "waiting", "accepted"]
    town.d("officer-a", "resume_certificate", certificate=certificates["v3"])
    town.d("officer-a", "change_capacity", posting=posting, capacity=2)
    assert town.status(posting, "v3") == "accepted"
    assert town.no("officer-a", "change_capacity", posting=posting, capacity=1) == "below_taken"


@pytest.mark.function("V3e")
def test_after_the_deadline_only_an_officer_withdraws() -> None:
    town = Town()
    town.join("v1")
    posting = town.post()
    town.apply(posting, "v1")
    town.time_ms = town.ask("posting", posting=posting)["withdraw_until_ms"]
    assert town.no("app-h", "withdraw_application", posting=posting, volunteer="v1") == "too_late"
    town.d("officer-a", "withdraw_application", posting=posting, volunteer="v1")
    assert town.no("officer-a", "withdraw_application", posting=posting, volunteer="v1") == "application_state"


@pytest.mark.function("V3e")
def test_the_deadline_itself_is_not_too_late() -> None:
    town = Town()
    town.join("v1")
    posting = town.post()
    town.apply(posting, "v1")
    town.time_ms = town.ask("posting", posting=posting)["withdraw_until_ms"] - 1
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v1")


@pytest.mark.function("V3d")
def test_where_an_officer_reviews_the_capacity_holds_at_acceptance() -> None:
    town = Town()
    for person in ("v1", "v2", "v3"):
        town.join(person)
    posting = town.post(selection="reviewed")
    assert [town.apply(posting, v) for v in ("v1", "v2", "v3")] == ["applied"] * 3
    town.d("officer-a", "decline_application", posting=posting, volunteer="v1", why="not_suitable")
    assert town.d("officer-a", "accept_application", posting=posting, volunteer="v3") == {"status": "accepted"}
    assert town.d("officer-a", "accept_application", posting=posting, volunteer="v2") == {"status": "waiting"}
    assert town.no("app-h", "apply", posting=posting, volunteer="v1") == "application_state"


@pytest.mark.function("V3c")
def test_only_a_volunteer_with_the_skills_and_a_certificate_that_counts_applies_and_only_before_the_start() -> None:
    town = Town()
    certificate = town.join("v1", skills=("garden",))
    town.join("v2")
    posting = town.post(skills=["garden"], capacity=5)
    assert town.no("app-h", "apply", posting=posting, volunteer="v2") == "skills_missing"
    assert town.no("app-h", "apply", posting=posting, volunteer="v1", people=2) == "not_a_group"
    assert town.no("app-h", "apply", posting=posting, volunteer="nobody") == "no_volunteer"
    assert town.no("app-h", "apply", posting="posting-x", volunteer="v1") == "no_posting"
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    assert town.no("app-h", "apply", posting=posting, volunteer="v1") == "certificate_not_valid"
    town.d("officer-a", "resume_certificate", certificate=certificate)
    town.time_ms = town.ask("posting", posting=posting)["starts_ms"] - 1
    assert town.no("app-h", "apply", posting=posting, volunteer="v1") == "started"


@pytest.mark.function("V13c", "V3e")
def test_a_group_takes_as_many_places_as_it_brings() -> None:
    town = Town()
    town.join("club", kind="group")
    town.join("v1")
    town.join("v2")
    posting = town.post(capacity=5)
    assert town.no("app-h", "apply", posting=posting, volunteer="club", people=6) == "larger_than_posting"
    assert town.apply(posting, "v1") == "accepted"
    assert town.apply(posting, "club", people=5) == "waiting"
    assert town.apply(posting, "v2") == "accepted"
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v1")
    assert town.status(posting, "club") == "waiting"
    town.d("app-h", "withdraw_application", posting=posting, volunteer="v2")
    assert town.status(posting, "club") == "accepted" and town.ask("posting", posting=posting)["taken"] == 5


@pytest.mark.function("V3b")
def test_a_cancelled_posting_ends_every_application_and_only_its_requester_or_an_officer_cancels() -> None:
    town = Town()
    for person in ("v1", "v2"):
        town.join(person)
    posting = town.post()
    assert [town.apply(posting, v) for v in ("v1", "v2")] == ["accepted", "waiting"]
    assert town.no("app-h", "cancel_posting", posting=posting, requester="neighbour") == "other_requester"
    assert town.no("app-h", "cancel_posting", posting=posting) == "other_requester"
    events = town.events("app-h", "cancel_posting", posting=posting, requester="home", why="weather")
    assert [name for name, _ in events] == ["posting_cancelled", "application_cancelled", "application_cancelled"]
    assert {town.status(posting, v) for v in ("v1", "v2")} == {"cancelled"}
    assert town.ask("calendar")["rows"] == []
    assert town.ask("volunteer", volunteer="v1")["volunteer"]["live"] == 0


@pytest.mark.function("V3e")
def test_who_did_not_come_is_marked_once_it_has_started() -> None:
    town = Town()
    town.join("v1")
    posting = town.post()
    town.apply(posting, "v1")
    missed = {"posting": posting, "volunteer": "v1", "requester": "home"}
    assert town.no("app-h", "mark_no_show", **missed) == "not_started"
    town.time_ms += DAY
    town.d("app-h", "mark_no_show", **missed)
    assert town.no("app-h", "mark_no_show", **missed) == "application_state"
    assert town.ask("volunteer", volunteer="v1")["volunteer"]["no_shows"] == 1


@pytest.mark.function("V13e")
def test_disaster_volunteers_go_to_an_open_shelter_of_the_donations_contract() -> None:
    town = Town()
    assert town.no("officer-a", "post", **dispatch(town)) == "no_shelter"
    town.done("relief-admin", "donations", "register_shelter", shelter="s1", name_ja="第一小", name_en="School")
    posting = str(town.d("officer-a", "post", **dispatch(town))["posting"])
    town.join("v1")
    events = town.events("app-h", "apply", posting=posting, volunteer="v1")
    assert "shelter:s1" in events[0][1]
    town.done("relief-admin", "donations", "set_shelter_status", shelter="s1", status="closed")
    assert town.no("officer-a", "post", **dispatch(town)) == "no_shelter"


def dispatch(town: Town) -> dict[str, object]:
    start = town.time_ms + DAY
    return {
        "kind": "disaster", "place": "tachikawa", "starts_ms": start, "ends_ms": start + 3 * DAY,
        "withdraw_until_ms": start, "capacity": 10, "shelter": "s1",
    }  # fmt: skip
