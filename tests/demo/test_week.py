"""The sample week is one that the contract accepts, row by row, and reads like the real thing."""

from __future__ import annotations

import csv
import os
import re

import pytest

import contracts
from configs import make_week
from contracts.donations.shipments import commitment
from edge.demo_week import WeekCalls, accounts, first_day_ms, master_calls
from edge.municipalities import check_code, load_municipalities, sample_folder
from edge.sample import load_week
from edge.writers import Call, Results, Signer
from ledger.crypto import SigningKey
from ledger.kv import MemoryKeyValue
from ledger.overlay import Overlay
from ledger.refusal import Refused
from ledger.registry import CONTRACT_VERSIONS, Account, ContractVersion, ContractVersions
from ledger.types import Receipt

NOW_MS = 1_790_000_000_000
BASIC_EIGHT = {
    "food",
    "blanket",
    "infant-formula",
    "infant-diaper",
    "adult-diaper",
    "portable-toilet",
    "toilet-paper",
    "sanitary",
}


class OneAfterTheOther:
    """The contract runtime alone, without blocks: each call is executed at once."""

    def __init__(self) -> None:
        week = load_week()
        self.runtime = contracts.runtime()
        self.overlay = Overlay(MemoryKeyValue())
        row = ContractVersions((ContractVersion("donations", 1, 0),))
        CONTRACT_VERSIONS.put(self.overlay, "donations", row)
        self.overlay.keep()
        keys = {a.account: SigningKey(os.urandom(32)) for a in accounts(week)}
        self.accounts = {
            a.account: Account(a.account, a.organisation, a.roles, (keys[a.account].public_key,), False)
            for a in accounts(week)
        }
        self.signer = Signer(bytes(32), keys)
        self.results: Results = {}

    def run(self, call: Call) -> Receipt:
        transaction = self.signer.sign(call.sender, call.contract, call.method, call.args(self.results))
        receipt = self.runtime.execute(self.overlay, transaction, self.accounts[call.sender], 1, NOW_MS)
        self.results[call.ref] = receipt.result
        return receipt


@pytest.mark.function("X8")
def test_every_row_of_the_week_is_accepted_by_the_contract() -> None:
    week = load_week()
    machine = OneAfterTheOther()
    calls = WeekCalls(week, first_day_ms(NOW_MS), b"salt", commitment)
    refused = [
        (call.ref, receipt.reason, receipt.params)
        for call in master_calls(week) + calls.all()
        if not (receipt := machine.run(call)).done
    ]
    assert refused == []


def test_each_writer_has_what_its_calls_refer_to() -> None:
    calls = WeekCalls(load_week(), first_day_ms(NOW_MS), b"salt", commitment)
    machine = OneAfterTheOther()
    for call in master_calls(load_week()):
        machine.run(call)
    positions = []
    for part in calls.by_writer():
        for position, call in part:
            positions.append(position)
            assert machine.run(call).done, call
    assert sorted(positions) == list(range(len(load_week().entries)))


@pytest.mark.function("X8")
def test_the_week_has_shelters_of_several_municipalities_and_the_eight_basic_goods() -> None:
    week = load_week()
    assert len(week.shelters) == 12
    assert len(week.municipalities) >= 5
    assert all(check_code(code) for code in week.municipalities)
    assert {i.category for i in week.items} >= BASIC_EIGHT
    assert 280 <= len(week.entries) <= 340
    assert {e.day for e in week.entries} == set(range(1, 8))
    assert {e.action for e in week.entries} == {"need", "offer", "pledge", "request", "ship", "receive"}
    assert {e.beneficiaries for e in week.entries} >= {"everybody", "infants", "elderly", "allergy"}
    by_item = {i.item: i for i in week.items}
    assert {by_item[e.item].category for e in week.entries if e.action == "need"} >= BASIC_EIGHT


@pytest.mark.function("X1")
def test_the_week_holds_no_personal_data() -> None:
    text = (sample_folder() / "week.csv").read_text(encoding="utf-8")
    assert "@" not in text
    assert not re.search(r"0\d{1,4}-\d{1,4}-\d{4}", text)
    for row in csv.DictReader(text.splitlines()):
        assert re.fullmatch(r"supporter-[0-9a-f]{8}|[a-z]+-\d\d", row["party"]), row


def test_the_week_in_the_tree_is_what_its_generator_makes() -> None:
    with (sample_folder() / "shelters.csv").open(encoding="utf-8", newline="") as source:
        made = make_week.make(list(csv.DictReader(source)))
    with (sample_folder() / "week.csv").open(encoding="utf-8", newline="") as source:
        kept = list(csv.DictReader(source))
    assert kept == [{name: str(row.get(name, "")) for name in make_week.COLUMNS} for row in made]


@pytest.mark.parametrize("code", ["132012", "132021", "132039", "133612"])
def test_known_municipal_codes_are_accepted(code: str) -> None:
    assert code in {m.code for m in load_municipalities()}


@pytest.mark.parametrize("code", ["132011", "13201", "1320123", "abcdef", "１３２０１２"])
def test_codes_with_a_wrong_check_digit_or_form_are_refused(code: str) -> None:
    with pytest.raises(Refused):
        check_code(code)
