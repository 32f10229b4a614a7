"""Proof files over a chain whose validators change and whose quorum is once lost: each needs the changes before it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ledger.chain import Chain
from ledger.light import Inclusion, ValidatorChange
from ledger.proof import FORMAT, BadProof, Proof, Row, check_proof, row_proof, subject_proof, transaction_proof
from ledger.types import Transaction
from tests.independent.chain import Sample, make_chain
from tests.vector_files.proofs import changes_of, proof_file

EXAMPLE = Path(__file__).parents[2] / "docs" / "vectors" / "proof.json"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_chain()


def inclusion(chain: Chain, height: int, index: int) -> tuple[bytes, Inclusion]:
    block = chain.block(height)
    assert block is not None
    transaction_id = Transaction.parse(block.transactions[index]).id
    location = chain.find(transaction_id)
    assert location is not None
    step = Inclusion(
        block.header, chain.certificate(height), index, block.transactions[index], chain.prove_transaction(location),
        chain.raw_receipts(height)[index], chain.prove_receipt(location),
    )  # fmt: skip
    return transaction_id, step


def places(chain: Chain) -> list[tuple[int, int]]:
    return [(height, index) for height in range(1, chain.height + 1) for index in range(len(chain.receipts(height)))]


def test_every_transaction_is_proved_from_the_genesis_on(sample: Sample) -> None:
    chain, changes = sample.chain, changes_of(sample.chain)
    assert len(changes) >= 4, "validators come, change their key, go, and are replaced by a recovery"
    for height, index in places(chain):
        transaction_id, step = inclusion(chain, height, index)
        data = transaction_proof(chain.chain_id, changes, step, transaction_id)
        proved = check_proof(data, sample.genesis)
        assert (proved.height, proved.about) == (height, transaction_id.hex())
        assert proved.steps[0].receipt == chain.receipts(height)[index]


def test_a_missing_or_needless_change_of_the_validators_is_named(sample: Sample) -> None:
    chain, changes = sample.chain, changes_of(sample.chain)
    height, index = places(chain)[-1]
    transaction_id, step = inclusion(chain, height, index)
    whole = json.loads(transaction_proof(chain.chain_id, changes, step, transaction_id))

    def checked(kept: list[object]) -> None:
        text = json.dumps({**whole, "validator_changes": kept}, ensure_ascii=False, indent=1) + "\n"
        check_proof(text.encode(), sample.genesis)

    needed = whole["validator_changes"]
    checked(needed)
    for left_out in range(len(needed)):
        with pytest.raises(BadProof):
            checked(needed[:left_out] + needed[left_out + 1 :])
    with pytest.raises(BadProof):
        checked([*needed, needed[-1]])
    first_id, first = inclusion(chain, 1, 0)
    late = json.loads(transaction_proof(chain.chain_id, changes, first, first_id))
    late["validator_changes"] = needed
    with pytest.raises(BadProof, match="does not need"):
        check_proof((json.dumps(late, ensure_ascii=False, indent=1) + "\n").encode(), sample.genesis)


def test_a_subjects_steps_come_in_order_and_each_tells_of_it(sample: Sample) -> None:
    chain, changes = sample.chain, changes_of(sample.chain)
    subject = next(
        s for h, i in places(chain) for e in chain.receipts(h)[i].events for s in e.subjects if s.startswith("node:")
    )
    found = sorted({(e.height, e.index) for e in chain.history(subject)})
    steps = [inclusion(chain, *place)[1] for place in found]
    proved = check_proof(subject_proof(chain.chain_id, changes, steps, subject), sample.genesis)
    assert [(s.header.height, s.index) for s in proved.steps] == found
    for wrong in (steps[::-1], [*steps, steps[-1]]) if len(steps) > 1 else ([*steps, steps[-1]],):
        with pytest.raises(BadProof):
            check_proof(subject_proof(chain.chain_id, changes, wrong, subject), sample.genesis)
    with pytest.raises(BadProof, match="not what it says"):
        check_proof(subject_proof(chain.chain_id, changes, steps, "node:nobody"), sample.genesis)


@pytest.mark.parametrize(("key", "is_there"), [("governance/account/clerk", True), ("governance/account/none", False)])
def test_a_row_or_its_absence_holds_as_of_a_block(sample: Sample, key: str, is_there: bool) -> None:
    chain, changes = sample.chain, changes_of(sample.chain)
    nodes = chain.prove_state(key.encode()).nodes
    value = chain.state.get(key.encode())
    row = Row(chain.head, chain.certificate(chain.height), key.encode(), value, nodes)
    proved = check_proof(row_proof(chain.chain_id, changes, row), sample.genesis)
    assert proved.row is not None and (proved.row.value is not None) == is_there and proved.height == chain.height
    lie = Row(row.header, row.certificate, row.key, None if is_there else b"\x80", nodes)
    with pytest.raises(BadProof, match="does not hold"):
        check_proof(row_proof(chain.chain_id, changes, lie), sample.genesis)


def test_another_genesis_proves_nothing(sample: Sample) -> None:
    transaction_id, step = inclusion(sample.chain, 1, 0)
    data = transaction_proof(sample.chain.chain_id, [], step, transaction_id)
    other = msgspec.structs.replace(sample.genesis, network="another")
    with pytest.raises(BadProof, match="another chain"):
        check_proof(data, other)


def test_the_worked_example_of_the_page_is_what_the_code_makes(sample: Sample) -> None:
    """docs/proof-format.md explains this file; made by `python -m tests.vectors`."""
    assert EXAMPLE.read_bytes() == proof_file(sample)
    assert check_proof(EXAMPLE.read_bytes(), sample.genesis).kind == "state"


def test_the_page_names_every_field_of_the_form() -> None:
    page = (EXAMPLE.parents[1] / "proof-format.md").read_text(encoding="utf-8")
    fields = {*Proof.__struct_fields__, *ValidatorChange.__struct_fields__, *Inclusion.__struct_fields__}
    assert {f for f in fields | set(Row.__struct_fields__) if f"`{f}`" not in page} == set()
    assert FORMAT in page
