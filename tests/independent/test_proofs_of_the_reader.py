"""Proof files: the independent reader and `ledger/proof.py` say the same of each, right or wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import statetree
from ledger.genesis import dump_genesis, genesis_block
from ledger.light import Inclusion
from ledger.proof import BadProof, Row, check_proof, row_proof, subject_proof, transaction_proof
from ledger.types import Certificate, Seal
from ledger.votes import commit_payload
from tests import vectors
from tests.independent import verify
from tests.independent.chain import Sample, key_of, make_chain
from tests.vector_files.proofs import changes_of, inclusion_at

SUBJECT = "node:niijima"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_chain()


@pytest.fixture(scope="module")
def genesis(sample: Sample) -> verify.Genesis:
    return verify.read_genesis(dump_genesis(sample.genesis).encode())


def of_row(sample: Sample, key: bytes) -> bytes:
    chain = sample.chain
    row = Row(chain.head, chain.certificate(chain.height), key, chain.state.get(key), chain.prove_state(key).nodes)
    return row_proof(chain.chain_id, changes_of(chain), row)


def of_subject(sample: Sample) -> bytes:
    chain = sample.chain
    steps: dict[tuple[int, int], Inclusion] = {}
    for entry in chain.history(SUBJECT):
        steps[entry.height, entry.index] = inclusion_at(sample, entry.height, entry.index)[0]
    return subject_proof(chain.chain_id, changes_of(chain), list(steps.values()), SUBJECT)


def rewritten(proof: bytes, alter: Callable[[Any], object]) -> bytes:
    """The proof with something else in it, in the form in which files are made."""
    plain = json.loads(proof)
    alter(plain)
    return json.dumps(plain, ensure_ascii=False, indent=1).encode() + b"\n"


def both_refuse(sample: Sample, genesis: verify.Genesis, data: bytes) -> str:
    with pytest.raises(BadProof):
        check_proof(data, sample.genesis)
    with pytest.raises(verify.Fault) as fault:
        verify.verify_proof(genesis, data)
    return fault.value.rule


def test_every_transaction_is_proved_to_both(sample: Sample, genesis: verify.Genesis) -> None:
    chain, changes = sample.chain, changes_of(sample.chain)
    for height in range(1, chain.height + 1):
        for index in range(len(chain.receipts(height))):
            step, transaction_id = inclusion_at(sample, height, index)
            data = transaction_proof(chain.chain_id, changes, step, transaction_id)
            assert verify.verify_proof(genesis, data).steps == [transaction_id.hex()]
            assert check_proof(data, sample.genesis).about == transaction_id.hex()


def test_a_story_a_row_and_an_absence_are_proved_to_both(sample: Sample, genesis: verify.Genesis) -> None:
    story = verify.verify_proof(genesis, of_subject(sample))
    assert (story.about, len(story.steps)) == (SUBJECT, 5)
    present = verify.verify_proof(genesis, of_row(sample, b"governance/account/clerk"))
    assert present.row == (sample.chain.state.get(b"governance/account/clerk") or b"").hex()
    assert verify.verify_proof(genesis, of_row(sample, b"governance/account/nobody")).row == "no such row"
    for data in (of_subject(sample), of_row(sample, b"governance/account/nobody")):
        assert check_proof(data, sample.genesis).height == sample.chain.height or SUBJECT in data.decode()


@pytest.mark.parametrize("kind", ["story", "row", "absence"])
def test_both_refuse_any_changed_byte(sample: Sample, genesis: verify.Genesis, kind: str) -> None:
    data = {
        "story": of_subject(sample),
        "row": of_row(sample, b"governance/account/clerk"),
        "absence": of_row(sample, b"governance/account/nobody"),
    }[kind]
    dice = random.Random(kind)
    for _ in range(150):
        at = dice.randrange(len(data) - 1)
        both_refuse(sample, genesis, data[:at] + bytes([data[at] ^ dice.randint(1, 255)]) + data[at + 1 :])


def drop_change(plain: Any) -> None:
    del plain["validator_changes"][1]


def swap_changes(plain: Any) -> None:
    plain["validator_changes"].reverse()


def needless_change(plain: Any) -> None:
    plain["validator_changes"].append(plain["validator_changes"][-1])


def other_members(plain: Any) -> None:
    plain["validator_changes"][0]["members"].pop()


def other_about(plain: Any) -> None:
    plain["about"] = "node:nobody"


def other_kind(plain: Any) -> None:
    plain["kind"] = "state"


def steps_reversed(plain: Any) -> None:
    plain["steps"].reverse()


def step_twice(plain: Any) -> None:
    plain["steps"].append(plain["steps"][-1])


def no_steps(plain: Any) -> None:
    plain["steps"] = []


def no_certificate(plain: Any) -> None:
    plain["steps"][0]["certificate"] = None


def other_chain(plain: Any) -> None:
    plain["chain_id"] = "00" * 32


def other_place(plain: Any) -> None:
    plain["steps"][0]["index"] += 1


def capital_letters(plain: Any) -> None:
    plain["chain_id"] = plain["chain_id"].upper()


def one_field_more(plain: Any) -> None:
    plain["more"] = 1


@pytest.mark.parametrize(
    ("alter", "rule"),
    [
        (drop_change, "wrong_validators"),
        (swap_changes, "wrong_validators"),
        (other_members, "wrong_next_validators"),
        (other_about, "other_claim"),
        (other_kind, "other_claim"),
        (steps_reversed, "other_claim"),
        (step_twice, "other_claim"),
        (no_steps, "malformed"),
        (no_certificate, "no_certificate"),
        (other_chain, "other_chain"),
        (other_place, "not_included"),
        (capital_letters, "malformed"),
        (one_field_more, "malformed"),
    ],
)
def test_both_refuse_a_story_that_lies(
    sample: Sample, genesis: verify.Genesis, alter: Callable[[Any], None], rule: str
) -> None:
    story = of_subject(sample)
    later, _ = inclusion_at(sample, 14, 0)
    if alter in (drop_change, swap_changes, other_members):
        # The story itself ends before the changes: one transaction behind them all.
        later_id = inclusion_at(sample, 14, 0)[1]
        story = transaction_proof(sample.chain.chain_id, changes_of(sample.chain), later, later_id)
    assert both_refuse(sample, genesis, rewritten(story, alter)) == rule


def test_both_refuse_a_row_that_lies(sample: Sample, genesis: verify.Genesis) -> None:
    present, absent = of_row(sample, b"governance/account/clerk"), of_row(sample, b"governance/account/nobody")
    value = json.loads(present)["row"]["value"]
    hidden = rewritten(present, lambda plain: plain["row"].update(value=None))
    invented = rewritten(absent, lambda plain: plain["row"].update(value=value))
    needless = rewritten(absent, needless_change)
    assert [both_refuse(sample, genesis, data) for data in (hidden, invented)] == ["not_proved", "not_proved"]
    assert both_refuse(sample, genesis, needless) == "malformed"


def early(sample: Sample) -> bytes:
    """The proof of the first transaction: no change of the validators is needed for it."""
    step, transaction_id = inclusion_at(sample, 1, 0)
    return transaction_proof(sample.chain.chain_id, changes_of(sample.chain), step, transaction_id)


def test_both_refuse_changes_that_are_not_needed(sample: Sample, genesis: verify.Genesis) -> None:
    needed = json.loads(of_row(sample, b"governance/account/clerk"))["validator_changes"]
    assert json.loads(early(sample))["validator_changes"] == []
    for some in (needed, needed[:1]):
        plain = {**json.loads(early(sample)), "validator_changes": some}
        data = json.dumps(plain, ensure_ascii=False, indent=1).encode() + b"\n"
        assert both_refuse(sample, genesis, data) == "malformed"


def test_a_row_of_the_genesis_needs_no_certificate_and_no_other_header_will_do(
    sample: Sample, genesis: verify.Genesis
) -> None:
    first = sample.chain.header(0)
    rows = dict(genesis_block(sample.genesis).writes)
    made = statetree.update(lambda path: None, rows)
    key = b"governance/node/oshima"
    assert first is not None and made.root == first.state_root
    nodes = statetree.prove(made.writes.get, key).nodes
    proof = row_proof(sample.chain.chain_id, [], Row(first, None, key, rows[key], nodes))
    assert verify.verify_proof(genesis, proof).height == check_proof(proof, sample.genesis).height == 0
    only = statetree.update(lambda path: None, {key: b"\x90"})
    forged = Row(replace(first, state_root=only.root), None, key, b"\x90", (only.writes[b""] or b"",))
    assert both_refuse(sample, genesis, row_proof(sample.chain.chain_id, [], forged)) == "wrong_genesis"
    later = Row(replace(first, height=1), None, key, rows[key], nodes)
    assert both_refuse(sample, genesis, row_proof(sample.chain.chain_id, [], later)) == "no_certificate"


def test_what_the_same_validators_signed_on_another_chain_proves_nothing(
    sample: Sample, genesis: verify.Genesis
) -> None:
    step, transaction_id = inclusion_at(sample, 1, 0)
    header = replace(step.header, chain_id=bytes(32))
    payload = commit_payload(header.chain_id, 1, 0, header.hash)
    seals = tuple(Seal(n, key_of(n).sign(payload)) for n in ("hachioji", "hachioji-2", "oshima"))
    certificate = Certificate(1, 0, header.hash, seals)
    moved = replace(step, header=header, certificate=certificate)
    data = transaction_proof(sample.chain.chain_id, [], moved, transaction_id)
    assert both_refuse(sample, genesis, data) == "other_chain"
    row = Row(header, certificate, b"k", None, ())
    assert both_refuse(sample, genesis, row_proof(sample.chain.chain_id, [], row)) == "other_chain"


def test_the_reader_checks_the_example_of_the_page_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--genesis", str(vectors.FOLDER / "chain" / "genesis.json"), "--proof"]
    assert verify.main([*given, str(vectors.FOLDER / "proof.json")]) == 0
    assert "no such row" in capsys.readouterr().out
    assert verify.main([*given, str(vectors.FOLDER / "chain" / "chain.jsonl")]) == 1


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b"1"])
def test_what_is_no_proof_is_a_fault_and_no_traceback(genesis: verify.Genesis, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(verify.Fault) as fault:
        verify.verify_proof(genesis, data)
    assert fault.value.rule == "malformed"
