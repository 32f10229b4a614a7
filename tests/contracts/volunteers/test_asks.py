"""Direct requests: the officer's check, consent, and who comes first (FUNCTIONS V4)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.encoding import Value
from tests.contracts.volunteers.town import DAY, HOUR, Town
from tests.contracts.world import HACHIOJI


def asked(town: Town, volunteer: str, starts_in: int = DAY, **more: Value) -> str:
    start = town.time_ms + starts_in
    args: dict[str, Value] = {
        "requester": "neighbour", "volunteer": volunteer, "kind": "lightbulb", "place": "kita", "starts_ms": start,
        "ends_ms": start + HOUR, **more,
    }  # fmt: skip
    return str(town.d("app-h", "ask_volunteer", **args)["ask"])


def order(town: Town, skill: str = "") -> list[str]:
    rows: list[dict[str, Any]] = town.ask("candidates", municipality=HACHIOJI, skill=skill)["rows"]
    return [row["volunteer"]["volunteer"] for row in rows]


@pytest.mark.function("V4b", "V4c", "V4d")
def test_an_officer_passes_a_request_on_and_the_consent_makes_a_place() -> None:
    town = Town()
    town.join("v1")
    ask = asked(town, "v1")
    assert town.no("app-h", "consent_to_ask", ask=ask, volunteer="v1") == "ask_state"
    assert town.no("app-h", "forward_ask", ask=ask) == "runtime.missing_role"
    town.d("officer-a", "forward_ask", ask=ask)
    assert town.no("app-h", "consent_to_ask", ask=ask, volunteer="v2") == "other_volunteer"
    posting = str(town.d("app-h", "consent_to_ask", ask=ask, volunteer="v1")["posting"])
    assert town.status(posting, "v1") == "accepted"
    made = town.ask("ask", ask=ask)
    assert made["status"] == "confirmed" and made["posting"] == posting
    assert town.ask("calendar")["rows"] == []
    town.join("v2")
    assert town.no("app-h", "apply", posting=posting, volunteer="v2") == "not_open"
    assert [row["posting"] for row in town.ask("requester_postings", requester="neighbour")["rows"]] == [posting]


@pytest.mark.function("V4e")
def test_who_was_asked_least_lately_comes_first_also_among_those_with_a_skill() -> None:
    town = Town()
    for volunteer, skills in (("v1", ("garden",)), ("v2", ("garden", "vietnamese")), ("v3", ())):
        town.join(volunteer, skills)
    assert order(town) == ["v1", "v2", "v3"]
    town.d("officer-a", "forward_ask", ask=asked(town, "v1"))
    assert order(town) == ["v2", "v3", "v1"] and order(town, "garden") == ["v2", "v1"]
    town.d("officer-a", "forward_ask", ask=asked(town, "v2"))
    assert order(town) == ["v3", "v1", "v2"] and order(town, "vietnamese") == ["v2"]
    town.d("officer-a", "change_skills", volunteer="v2", skills=["garden"])
    assert order(town, "vietnamese") == [] and order(town, "garden") == ["v1", "v2"]


@pytest.mark.function("V4e")
def test_a_request_that_the_officer_refuses_leaves_the_volunteer_where_they_were() -> None:
    town = Town()
    town.join("v1")
    town.join("v2")
    ask = asked(town, "v1")
    town.d("officer-a", "refuse_ask", ask=ask)
    assert order(town) == ["v1", "v2"] and town.no("officer-a", "forward_ask", ask=ask) == "ask_state"


@pytest.mark.function("V4e")
def test_a_no_is_recorded_without_any_reason() -> None:
    town = Town()
    town.join("v1")
    ask = asked(town, "v1")
    town.d("officer-a", "forward_ask", ask=ask)
    receipt = town.call("app-h", "volunteers", "decline_ask", ask=ask, volunteer="v1")
    assert [(event.name, dict(event.data)) for event in receipt.events] == [("ask_declined", {})]
    assert town.no("app-h", "decline_ask", ask=ask, volunteer="v1", reason="ill") == "runtime.bad_arguments"
    assert town.no("app-h", "consent_to_ask", ask=ask, volunteer="v1") == "ask_state"


@pytest.mark.function("V4d", "V3e")
def test_a_consent_to_a_time_at_which_the_volunteer_is_busy_is_refused() -> None:
    town = Town()
    certificate = town.join("v1")
    ask = asked(town, "v1")
    town.d("officer-a", "forward_ask", ask=ask)
    busy = town.post(town.ask("ask", ask=ask)["starts_ms"])
    town.apply(busy, "v1")
    assert town.no("app-h", "consent_to_ask", ask=ask, volunteer="v1") == "overlap"
    town.d("app-h", "withdraw_application", posting=busy, volunteer="v1")
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    assert town.no("app-h", "consent_to_ask", ask=ask, volunteer="v1") == "certificate_not_valid"
    town.d("officer-a", "resume_certificate", certificate=certificate)
    town.d("app-h", "consent_to_ask", ask=ask, volunteer="v1")


@pytest.mark.function("V4b", "V4c")
def test_a_request_for_a_time_that_has_come_is_neither_passed_on_nor_confirmed() -> None:
    town = Town()
    town.join("v1")
    late, forwarded = asked(town, "v1", HOUR), asked(town, "v1", HOUR)
    town.d("officer-a", "forward_ask", ask=forwarded)
    town.time_ms += HOUR
    assert town.no("officer-a", "forward_ask", ask=late) == "bad_times"
    assert town.no("app-h", "consent_to_ask", ask=forwarded, volunteer="v1") == "bad_times"


@pytest.mark.function("V4b")
def test_only_the_requester_or_an_officer_takes_a_request_back() -> None:
    town = Town()
    town.join("v1")
    first, second = asked(town, "v1"), asked(town, "v1")
    assert town.no("app-h", "cancel_ask", ask=first, requester="home") == "other_requester"
    town.d("app-h", "cancel_ask", ask=first, requester="neighbour")
    town.d("officer-a", "cancel_ask", ask=second)
    assert {row["status"] for row in town.ask("asks_of", who="v1")["rows"]} == {"cancelled"}
    town.d("app-h", "leave_requesters", requester="neighbour")
    start = town.time_ms + DAY
    gone = {"requester": "neighbour", "volunteer": "v1", "kind": "x", "place": "y", "starts_ms": start}
    assert town.no("app-h", "ask_volunteer", **gone, ends_ms=start + HOUR) == "requester_left"


@pytest.mark.function("V4b")
def test_one_volunteer_is_not_flooded_with_requests() -> None:
    town = Town()
    town.join("v1")
    asks = [asked(town, "v1", DAY + n * HOUR) for n in range(10)]
    start = town.time_ms + 9 * DAY
    more = {"requester": "home", "volunteer": "v1", "kind": "x", "place": "y", "starts_ms": start}
    assert town.no("app-h", "ask_volunteer", **more, ends_ms=start + HOUR) == "too_many_asks"
    town.d("officer-a", "refuse_ask", ask=asks[0])
    town.d("app-h", "ask_volunteer", **more, ends_ms=start + HOUR)
