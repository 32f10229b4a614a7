"""Batches of readings, values by hand and reviews in the eco-point contract."""

from __future__ import annotations

import pytest

from tests.contracts.ecopoints.programme import Programme, batch, entry

MAY = {"2024-05": {"generated": 300_000, "sold": 200_000}}


def plant(eco: Programme, member: str = "member-1") -> str:
    eco.join(member)
    return eco.pv(member)


@pytest.mark.function("E2a")
def test_a_batch_states_the_months_of_many_devices() -> None:
    eco = Programme()
    plants = [plant(eco, f"member-{n}") for n in range(3)]
    eco.batch(*(entry(p, 0, MAY) for p in plants))
    for p in plants:
        assert eco.ask("device", device=p)["readings"] == 48
        assert eco.ask("months", device=p)["rows"][0]["row"]["totals"] == MAY["2024-05"]
    assert eco.ask("batches", municipality="132012")["rows"][0]["readings"] == 144


def test_many_devices_are_asked_for_at_once_with_their_months() -> None:
    eco = Programme()
    one, two = plant(eco, "member-1"), plant(eco, "member-2")
    eco.batch(entry(two, 0, MAY))
    rows = eco.ask("measured", devices=[two, "device-nobody", one])["rows"]
    assert [row["device"] for row in rows] == [eco.ask("device", device=two), eco.ask("device", device=one)]
    assert [row["months"] for row in rows] == [eco.ask("months", device=two), eco.ask("months", device=one)]
    assert rows[0]["months"]["rows"] and not rows[1]["months"]["rows"]


@pytest.mark.function("E10")
def test_a_batch_again_is_refused_and_doubles_nothing() -> None:
    eco = Programme()
    p = plant(eco)
    eco.batch(entry(p, 0, MAY))
    assert eco.refuses("gateway-h", "record_batch", **batch(entry(p, 0, MAY))) == "ecopoints.not_next"
    assert eco.refuses("gateway-h", "record_batch", **batch(entry(p, 96, MAY))) == "ecopoints.not_next"
    assert eco.ask("device", device=p)["readings"] == 48


def test_a_batch_that_does_not_add_up_is_refused() -> None:
    eco = Programme()
    p = plant(eco)
    wrong = {**batch(entry(p, 0, MAY)), "readings": 47}
    assert eco.refuses("gateway-h", "record_batch", **wrong) == "ecopoints.bad_batch"
    assert (
        eco.refuses("gateway-h", "record_batch", **batch(entry(p, 0, MAY), entry(p, 0, MAY))) == "ecopoints.bad_batch"
    )
    unknown = batch(entry(p, 0, {"2024-05": {"distance": 1}}))
    assert eco.refuses("gateway-h", "record_batch", **unknown) == "ecopoints.no_channel"


@pytest.mark.function("E3b")
def test_a_value_by_hand_gives_way_to_what_the_device_reports() -> None:
    eco = Programme()
    p = plant(eco)
    value = {"device": p, "month": "2024-05", "channel": "sold", "value": 200_000}
    eco.eco("app-h", "enter_value", **value, estimated=True)
    row = eco.ask("months", device=p)["rows"][0]["row"]
    assert (row["manual"], row["estimated"], row["totals"]) == (["sold"], ["sold"], {"sold": 200_000})
    eco.measured(p, {"2024-05": {"generated": 300_000}})
    row = eco.ask("months", device=p)["rows"][0]["row"]
    assert (row["manual"], row["totals"]) == (["sold"], {"generated": 300_000, "sold": 200_000})
    eco.measured(p, {"2024-05": {"generated": 300_000, "sold": 190_000}})
    row = eco.ask("months", device=p)["rows"][0]["row"]
    assert (row["manual"], row["estimated"], row["totals"]["sold"]) == ([], [], 190_000)
    assert eco.refuses("app-h", "enter_value", **value) == "ecopoints.measured"


@pytest.mark.function("E4f")
def test_a_quarantined_reading_is_reviewed_once_with_a_reason() -> None:
    eco = Programme()
    p = plant(eco)
    reading = {"device": p, "channel": "generated", "interval_end_ms": 1_714_500_000_000, "why": "meter_replaced"}
    eco.eco("officer-a", "release_reading", **reading)
    found = eco.ask("review", device=p, channel="generated", interval_end_ms=1_714_500_000_000)
    assert (found["released"], found["why"], found["officer"]) == (True, "meter_replaced", "officer-a")
    assert eco.refuses("officer-b", "reject_reading", **reading) == "ecopoints.reviewed"


@pytest.mark.function("E9a")
@pytest.mark.parametrize("sender", ["officer-a", "app-h", "admin-h"])
def test_only_the_gateway_records_batches(sender: str) -> None:
    eco = Programme()
    assert eco.refuses(sender, "record_batch", **batch(entry(plant(eco), 0, MAY))) == "runtime.missing_role"
