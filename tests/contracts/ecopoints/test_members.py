"""Members, devices and documents of the eco-point contract."""

from __future__ import annotations

import pytest

from tests.contracts.ecopoints.programme import PV, Programme, commitment, device


@pytest.mark.function("E4c")
def test_a_member_joins_and_leaves_and_its_history_stays() -> None:
    eco = Programme()
    eco.join("member-1")
    plant = eco.pv("member-1")
    eco.measured(plant, {"2024-05": {"generated": 300_000, "sold": 200_000}})
    eco.eco("app-h", "leave", member="member-1")
    assert eco.ask("member", member="member-1")["left_ms"] is not None
    assert eco.ask("device", device=plant)["retired_ms"] is not None
    assert eco.ask("months", device=plant)["rows"][0]["row"]["totals"] == {"generated": 300_000, "sold": 200_000}
    assert eco.refuses("app-h", "leave", member="member-1") == "ecopoints.member_left"
    assert eco.refuses("app-h", "register_member", member="member-1", kind="household") == "ecopoints.member_exists"


@pytest.mark.function("E4e")
@pytest.mark.parametrize("same", ["serial", "place"])
def test_the_same_serial_number_or_supply_point_twice_is_refused(same: str) -> None:
    eco = Programme()
    eco.join("member-1")
    eco.join("member-2")
    eco.pv("member-1", name="roof")
    second = {**device("member-2", "pv", PV, "other", capacity_w=3_000), same: commitment(f"{same} roof")}
    assert eco.refuses("app-h", "register_device", **second) == "ecopoints.identity_taken"


@pytest.mark.function("E4e")
def test_a_scrapped_device_s_place_is_free_for_the_next_one() -> None:
    eco = Programme()
    eco.join("member-1")
    eco.eco("app-h", "retire_device", device=eco.pv("member-1", name="roof"))
    eco.pv("member-1", name="roof")


@pytest.mark.function("E4c")
def test_a_methodology_is_only_for_its_own_kind_of_device() -> None:
    eco = Programme()
    eco.join("member-1")
    wrong = device("member-1", "ev", PV, "car", capacity_w=3_000)
    assert eco.refuses("app-h", "register_device", **wrong) == "ecopoints.no_methodology"


@pytest.mark.function("E4b")
def test_a_document_is_committed_to_once() -> None:
    eco = Programme()
    eco.join("member-1")
    args = {"document": "document-1", "member": "member-1", "kind": "receipt", "commitment": commitment("image")}
    eco.eco("app-h", "register_document", **args)
    assert eco.ask("documents", municipality="132012")["rows"][0]["hash"] == commitment("image")
    assert eco.refuses("app-h", "register_document", **args) == "ecopoints.same_document"


@pytest.mark.function("X6")
def test_everybody_acts_for_their_own_municipality_only() -> None:
    eco = Programme()
    eco.join("member-1")
    plant = eco.pv("member-1")
    other = "ecopoints.other_municipality"
    assert eco.refuses("app-t", "leave", member="member-1") == other
    assert eco.refuses("app-t", "retire_device", device=plant) == other
    wanted = {"device": plant, "channel": "sold", "interval_end_ms": 1, "why": "holiday"}
    assert eco.refuses("officer-t", "release_reading", **wanted) == other
    assert eco.refuses("app-t", "register_member", member="m", kind="firm") == "ecopoints.no_programme"


@pytest.mark.function("X5")
def test_a_view_of_personal_data_is_on_record_and_not_ahead_of_its_time() -> None:
    eco = Programme()
    view = {"viewer": "p-1", "municipality": "132012", "kind": "member", "about": "member-1"}
    eco.eco("app-h", "record_view", **view)
    late = eco.time_ms + 60_000
    assert eco.refuses("app-h", "record_view", **view, occurred_ms=late) == "ecopoints.viewed_ahead"
