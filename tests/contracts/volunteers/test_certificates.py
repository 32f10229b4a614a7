"""Volunteers and their certificates on the chain (FUNCTIONS V2, V5)."""

from __future__ import annotations

import pytest

from contracts.volunteers.certificates import SHOWN_MS, showing_commitment
from contracts.volunteers.types import MAX_CHANGES
from tests.contracts.volunteers.town import DAY, HOUR, Town
from tests.contracts.world import HACHIOJI


def standing(town: Town, certificate: str) -> str:
    town.d("app-h", "record_view", viewer="x", municipality=HACHIOJI, kind="tick")  # the head's time goes on
    return str(town.ask("certificate", certificate=certificate)["standing"])


@pytest.mark.function("V2a", "V2b")
def test_an_application_is_returned_and_made_again_before_it_is_registered() -> None:
    town = Town()
    town.d("app-h", "apply_as_volunteer", volunteer="v1", skills=["vietnamese", "garden", "garden"])
    town.d("officer-a", "return_volunteer", volunteer="v1", why="incomplete")
    assert town.no("officer-a", "register_volunteer", volunteer="v1", valid_until_ms=town.valid_until()) == (
        "volunteer_state"
    )
    town.d("app-h", "apply_as_volunteer", volunteer="v1", skills=["garden"])
    assert town.no("app-h", "apply_as_volunteer", volunteer="v1") == "volunteer_state"
    town.d("officer-a", "register_volunteer", volunteer="v1", valid_until_ms=town.valid_until())
    person = town.ask("volunteer", volunteer="v1")
    assert person["standing"] == "valid" and person["volunteer"]["skills"] == ["garden"]
    assert town.balance("v1") == 0
    assert [row["volunteer"]["volunteer"] for row in town.ask("volunteers", municipality=HACHIOJI)["rows"]] == ["v1"]
    assert town.ask("volunteers", municipality=HACHIOJI, status="applied")["rows"] == []


@pytest.mark.function("V2b", "X6")
def test_an_officer_registers_only_for_the_own_municipality_and_an_application_never() -> None:
    town = Town()
    town.d("app-h", "apply_as_volunteer", volunteer="v1")
    until = town.valid_until()
    assert town.no("officer-t", "register_volunteer", volunteer="v1", valid_until_ms=until) == "other_municipality"
    assert town.no("app-h", "register_volunteer", volunteer="v1", valid_until_ms=until) == "runtime.missing_role"
    assert town.no("app-t", "apply_as_volunteer", volunteer="v1") == "other_municipality"


@pytest.mark.function("V2c")
@pytest.mark.parametrize("shift", [500, -400 * DAY, 4_000 * DAY])
def test_a_certificate_ends_on_a_whole_second_to_come_within_ten_years(shift: int) -> None:
    town = Town()
    town.d("app-h", "apply_as_volunteer", volunteer="v1")
    until = town.valid_until() + shift
    assert town.no("officer-a", "register_volunteer", volunteer="v1", valid_until_ms=until) == "bad_validity"


@pytest.mark.function("V2f", "V5a")
def test_a_suspended_certificate_counts_again_when_resumed_and_a_revoked_one_never() -> None:
    town = Town()
    certificate = town.join("v1")
    town.d("officer-a", "suspend_certificate", certificate=certificate, why="lost")
    assert standing(town, certificate) == "suspended"
    assert town.ask("status_bits", municipality=HACHIOJI, purpose="suspension")["rows"] == [0]
    town.d("officer-a", "resume_certificate", certificate=certificate)
    assert standing(town, certificate) == "valid"
    assert town.ask("status_bits", municipality=HACHIOJI, purpose="suspension")["rows"] == []
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    town.d("officer-a", "revoke_certificate", certificate=certificate)
    assert town.ask("status_bits", municipality=HACHIOJI, purpose="suspension")["rows"] == []
    assert town.ask("status_bits", municipality=HACHIOJI, purpose="revocation")["rows"] == [0]
    for method in ("suspend_certificate", "resume_certificate", "revoke_certificate"):
        assert town.no("officer-a", method, certificate=certificate) == "certificate_state"


@pytest.mark.function("V2f")
def test_the_last_second_of_a_certificate_counts_and_the_next_does_not() -> None:
    town = Town()
    certificate = town.join("v1", days=1)
    until = town.ask("certificate", certificate=certificate)["certificate"]["valid_until_ms"]
    assert town.no("app-h", "expire_certificate", certificate=certificate) == "not_expired"
    town.time_ms = until + 998
    assert standing(town, certificate) == "valid"
    assert standing(town, certificate) == "expired"
    assert town.no("officer-a", "suspend_certificate", certificate=certificate) == "certificate_state"
    town.d("app-h", "expire_certificate", certificate=certificate)
    assert town.ask("certificate", certificate=certificate)["certificate"]["status"] == "expired"
    assert town.no("app-h", "expire_certificate", certificate=certificate) == "certificate_state"


@pytest.mark.function("V2f")
def test_a_reissued_certificate_has_a_new_number_and_place_and_the_old_one_is_revoked() -> None:
    town = Town()
    town.join("v0")
    old = town.join("v1")
    made = town.d("officer-a", "reissue_certificate", volunteer="v1", valid_until_ms=town.valid_until())
    new = str(made["certificate"])
    assert new != old and made["status_index"] == 2
    rows = town.ask("certificates", volunteer="v1")["rows"]
    assert [row["certificate"]["certificate"] for row in rows] == [new, old]
    assert rows[1]["standing"] == "revoked" and rows[1]["certificate"]["replaced_by"] == new
    assert town.ask("volunteer", volunteer="v1")["volunteer"]["certificate"] == new
    listed = town.ask("certificates_in", municipality=HACHIOJI)["rows"]
    assert [row["certificate"]["status_index"] for row in listed] == [0, 1, 2]


@pytest.mark.function("V2f")
def test_a_status_that_was_changed_too_often_can_still_be_revoked() -> None:
    town = Town()
    certificate = town.join("v1")
    for _ in range((MAX_CHANGES - 1) // 2):
        town.d("officer-a", "suspend_certificate", certificate=certificate)
        town.d("officer-a", "resume_certificate", certificate=certificate)
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    assert town.no("officer-a", "resume_certificate", certificate=certificate) == "too_many_changes"
    town.d("officer-a", "revoke_certificate", certificate=certificate)


@pytest.mark.function("V5d")
def test_the_chain_keeps_the_digest_of_the_signed_credential() -> None:
    town = Town()
    certificate = town.join("v1")
    town.d("app-h", "record_credential", certificate=certificate, digest="ab" * 32)
    assert town.ask("certificate", certificate=certificate)["certificate"]["digest"] == "ab" * 32
    assert town.no("app-t", "record_credential", certificate=certificate, digest="ab" * 32) == "other_municipality"


@pytest.mark.function("V5d")
def test_a_shown_code_is_good_for_two_minutes_and_for_one_check_in() -> None:
    town = Town()
    town.join("v1")
    posting = town.post(town.time_ms + HOUR)
    town.apply(posting, "v1")
    town.time_ms += HOUR
    late, code = town.show("v1"), town.show("v1")
    view = town.ask("presentation", code=code)
    assert view["usable"] and view["standing"] == "valid" and view["presentation"]["volunteer"] == "v1"
    unknown = {"posting": posting, "requester": "home", "code": "never-shown-code"}
    assert town.no("app-h", "check_in", **unknown) == "code_unknown"
    town.d("app-h", "check_in", posting=posting, requester="home", code=code)
    assert town.no("app-h", "check_in", posting=posting, requester="home", code=code) == "code_spent"
    assert not town.ask("presentation", code=code)["usable"]
    town.time_ms += SHOWN_MS
    assert town.no("app-h", "check_in", posting=posting, requester="home", code=late) == "code_stale"


@pytest.mark.function("V5d")
def test_a_code_is_shown_once_and_only_of_a_certificate_that_counts() -> None:
    town = Town()
    certificate = town.join("v1")
    town.d("app-h", "show_certificate", certificate=certificate, commitment=showing_commitment("one-code-00001"))
    again = {"certificate": certificate, "commitment": showing_commitment("one-code-00001")}
    assert town.no("app-h", "show_certificate", **again) == "code_shown"
    town.d("officer-a", "suspend_certificate", certificate=certificate)
    other = {"certificate": certificate, "commitment": showing_commitment("one-code-00002")}
    assert town.no("app-h", "show_certificate", **other) == "certificate_not_valid"


@pytest.mark.function("V2f", "V11a")
def test_who_leaves_gives_back_places_requests_certificate_and_points_account() -> None:
    town = Town()
    certificate = town.join("v1")
    town.join("v2")
    posting = town.post()
    assert [town.apply(posting, v) for v in ("v1", "v2")] == ["accepted", "waiting"]
    start = town.time_ms + 3 * DAY
    asked = town.d(
        "app-h", "ask_volunteer", requester="home", volunteer="v1", kind="lightbulb", place="kita", starts_ms=start,
        ends_ms=start + HOUR,
    )  # fmt: skip
    town.d("app-h", "leave_volunteers", volunteer="v1")
    assert town.status(posting, "v1") == "withdrawn" and town.status(posting, "v2") == "accepted"
    assert town.ask("ask", ask=asked["ask"])["status"] == "cancelled"
    assert standing(town, certificate) == "revoked"
    assert town.ask("points_account", account="v1")["closed"]
    assert town.no("app-h", "apply_as_volunteer", volunteer="v1") == "volunteer_state"
    assert town.ask("candidates", municipality=HACHIOJI)["rows"][0]["volunteer"]["volunteer"] == "v2"
