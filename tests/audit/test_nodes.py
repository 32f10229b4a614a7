"""Running nodes audited over HTTP: split views are found with their evidence, what cannot be checked is said."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import contracts
from ledger import merkle
from ledger.audit import StoredBlock, audit
from ledger.encoding import pack, unpack
from ledger.kv import MemoryKeyValue
from ledger.rules import build_block
from ledger.types import Block, Certificate, Seal
from ledger.votes import commit_payload
from tests.audit.chains import Chains, fault, run, served, verify
from tests.independent.chain import key_of

PARTS_AT = 5


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("nodes"))


def another_book(chains: Chains, *, certified: bool) -> list[StoredBlock]:
    """The same chain up to block 4; then an empty block, certified by a quorum that lies, or by one validator."""
    chain = audit(chains.blocks[:PARTS_AT], chains.sample.genesis, contracts.runtime(), MemoryKeyValue()).chain
    names = list(chain.validators.ids[: chain.validators.quorum if certified else 1])
    time_ms = chain.head.time_ms + 10
    made = build_block(chain, contracts.runtime(), [], time_ms=time_ms, proposer=chain.validators.ids[0])
    payload = commit_payload(chain.chain_id, made.height, 0, made.digest)
    seals = tuple(Seal(name, key_of(name).sign(payload)) for name in names)
    certificate = Certificate(made.height, 0, made.digest, seals)
    return [*chains.blocks[:PARTS_AT], StoredBlock(made.height, made.raw, pack(certificate), ())]


def test_nodes_that_show_the_same_pass_and_are_named_with_how_far_they_were_compared(chains: Chains) -> None:
    with served(chains.blocks) as first, served(chains.blocks) as second, served(chains.blocks[:9]) as behind:
        result = verify(chains.genesis, "--url", first, "--url", second, "--url", behind)
        shown = run("verify", "--genesis", chains.genesis, "--url", first, "--url", behind)
    assert result.exit_code == 0, result.output
    assert [n["height"] for n in json.loads(result.stdout)["nodes"]] == [chains.head, chains.head, 8]
    assert f"{behind}: the same to block 8\n" in shown.output


def test_a_node_that_holds_blocks_back_is_only_behind_and_seen_to_be(chains: Chains) -> None:
    with served(chains.blocks[:4]) as short, served(chains.blocks) as whole:
        result = verify(chains.genesis, "--url", short, "--url", whole)
    report = json.loads(result.stdout)
    assert report["height"] == chains.head
    assert report["nodes"] == [{"url": whole, "height": chains.head}, {"url": short, "height": 3}]


def test_a_split_view_is_found_with_the_height_and_both_certificates(chains: Chains) -> None:
    lying = another_book(chains, certified=True)
    with served(chains.blocks) as first, served(lying) as second:
        result = verify(chains.genesis, "--url", first, "--url", second)
        text = run("verify", "--genesis", chains.genesis, "--url", first, "--url", second)
    assert fault(result) == (PARTS_AT, "split_view")
    evidence = json.loads(result.stdout)["evidence"]
    honest, other = evidence["sides"]
    assert (honest["url"], other["url"]) == (first, second)
    assert honest["block_hash"] != other["block_hash"]
    assert unpack(Certificate, bytes.fromhex(other["certificate"])).height == PARTS_AT
    assert len(honest["certified_by"]) >= 3 and len(other["certified_by"]) >= 3
    # Two quorums share a liar at least.
    assert evidence["signed_both"] and set(evidence["signed_both"]) <= set(other["certified_by"])
    assert f"block {PARTS_AT}: split_view" in text.output and "signed by" in text.output


def test_a_side_of_a_split_view_that_no_quorum_certified_is_named(chains: Chains) -> None:
    with served(another_book(chains, certified=False)) as first, served(chains.blocks) as second:
        result = verify(chains.genesis, "--url", first, "--url", second)
    assert fault(result) == (PARTS_AT, "split_view")
    honest, forged = json.loads(result.stdout)["evidence"]["sides"]
    assert forged["certified_by"] == [] and "no_quorum" in forged["not_certified_because"]
    assert honest["certified_by"]


def test_another_nodes_certificate_is_checked_too(chains: Chains) -> None:
    blocks = list(chains.blocks)
    certificate = unpack(Certificate, blocks[3].certificate or b"")
    fewer = pack(Certificate(3, certificate.round, certificate.block_hash, certificate.seals[:-1]))
    blocks[3] = replace(blocks[3], certificate=fewer)
    with served(chains.blocks) as first, served(blocks) as second:
        result = verify(chains.genesis, "--url", first, "--url", second)
    assert fault(result) == (3, "wrong_answer")
    assert second in json.loads(result.stdout)["detail"]


def test_another_nodes_receipts_are_compared(chains: Chains) -> None:
    blocks = list(chains.blocks)
    blocks[7] = replace(blocks[7], receipts=(blocks[7].receipts or ())[:-1])
    with served(chains.blocks) as first, served(blocks) as second:
        result = verify(chains.genesis, "--url", first, "--url", second)
    assert fault(result) == (7, "wrong_answer")


def test_a_node_that_does_not_show_the_blocks_it_says_it_has_is_found(chains: Chains) -> None:
    with served(chains.blocks[:9], says=chains.head) as url:
        assert fault(verify(chains.genesis, "--url", url)) == (9, "not_shown")


def test_a_wrong_signature_is_found_by_other_processes_too(chains: Chains) -> None:
    blocks = list(chains.blocks)
    whole = unpack(Block, blocks[7].raw, len(blocks[7].raw))
    raws = (whole.transactions[0], whole.transactions[1][:-1] + b"\0", *whole.transactions[2:])
    header = msgspec.structs.replace(whole.header, transactions_root=merkle.root(raws))
    blocks[7] = replace(blocks[7], raw=pack(Block(header, raws)))
    archive = chains.archive("unsigned", blocks)
    for processes in ("1", "2", "3"):
        arguments = ("--archive", archive, "--parallel", processes, "--json")
        result = run("verify", "--genesis", chains.genesis, *arguments)
        found = json.loads(result.stdout)
        # Alone, the audit comes to the certificate before it comes to the signatures.
        assert found["height"] == 7
        assert found["rule"] == ("other_block" if processes == "1" else "bad_transaction")


@pytest.mark.parametrize("processes", ["2", "3"])
def test_more_processes_come_to_the_same_report(chains: Chains, processes: str) -> None:
    archive = chains.archive("sound")
    alone = json.loads(verify(chains.genesis, "--archive", archive).stdout)
    arguments = ("--archive", archive, "--parallel", processes, "--json")
    together = json.loads(run("verify", "--genesis", chains.genesis, *arguments).stdout)
    assert {**alone, "seconds": 0} == {**together, "seconds": 0}


def test_the_report_says_what_was_checked(chains: Chains) -> None:
    report = json.loads(verify(chains.genesis, "--archive", chains.archive("report")).stdout)
    blocks = [unpack(Block, b.raw, len(b.raw)) for b in chains.blocks]
    transactions = sum(len(b.transactions) for b in blocks)
    certificates = [unpack(Certificate, b.certificate) for b in chains.blocks if b.certificate]
    seals = sum(len(c.seals) for c in certificates)
    assert report["blocks"] == len(blocks) and report["roots"] == 3 * len(blocks)
    assert report["transactions"] == report["receipts"] == transactions
    assert report["certificates"] == len(certificates) and report["signatures"] == transactions + seals
    assert report["refused_receipts"] > 0
    assert report["validator_changes"] == sum(b.validators is not None for b in chains.blocks) == 4
    assert report["recoveries"] == 2
    assert report["validators"] == ["niijima", "oshima"]
    told = run("verify", "--genesis", chains.genesis, "--archive", chains.folder / "report").output
    for line in ("blocks", "transactions", "signatures", "certificates", "roots", "validator changes", "evidence"):
        assert line in told


# -- what could not be checked: exit code 2 and a remedy ---------------------------------------------------------------


def unchecked(genesis: Path, *arguments: str | Path) -> str:
    result = run("verify", "--parallel", "1", "--json", "--genesis", genesis, *arguments)
    assert result.exit_code == 2, result.output + result.stderr
    error = json.loads(result.stderr)["error"]
    assert error["message"] and error["message_ja"]
    return str(error["code"])


def test_what_could_not_be_checked_is_no_fault(chains: Chains, tmp_path: Path) -> None:
    archive = chains.archive("fine")
    (tmp_path / "not.json").write_text("{", encoding="utf-8")
    assert unchecked(tmp_path / "not.json", "--archive", archive) == "not_json"
    assert unchecked(chains.genesis, "--url", "http://127.0.0.1:1") == "no_answer"
    assert unchecked(chains.genesis, "--url", "nonsense") == "no_answer"
    assert unchecked(chains.genesis, "--home", tmp_path) == "no_config"
    assert unchecked(chains.genesis, "--home", chains.new_home("new")) == "no_store"
    assert unchecked(chains.genesis, "--archive", archive, "--checkpoint", tmp_path / "no" / "folder") == "not_written"
    assert unchecked(chains.genesis, "--archive", archive, "--from-checkpoint", archive) == "not_a_checkpoint"
    missing = run("verify", "--genesis", tmp_path / "none.json", "--archive", archive)
    assert missing.exit_code == 2 and "none.json" in missing.stderr


def test_a_node_that_asks_for_a_token_says_so_and_takes_it(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(chains.blocks, token="secret") as url:
        result = verify(chains.genesis, "--url", url)
        assert result.exit_code == 2 and "401 a token is needed" in result.stderr
        monkeypatch.setenv("DAICHO_TOKEN", "secret")
        assert verify(chains.genesis, "--url", url).exit_code == 0


def test_a_node_that_answers_nonsense_is_found_out(chains: Chains) -> None:
    blocks = [replace(b, certificate=b"\xff" * 40) for b in chains.blocks]
    with served(blocks) as url:
        assert fault(verify(chains.genesis, "--url", url))[0] == 0  # the genesis block has no certificate


def test_a_store_that_a_node_uses_is_not_touched(chains: Chains) -> None:
    home = chains.home("in-use")
    store = home / "data" / "ledger"
    code = f"import plyvel; db = plyvel.DB({str(store)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        assert unchecked(chains.genesis, "--home", home) == "in_use"
        other.communicate("\n")
    assert verify(chains.genesis, "--home", home).exit_code == 0


def test_a_copy_of_the_data_alone_is_enough(chains: Chains) -> None:
    data = chains.home("data-alone") / "data"
    for place in (data, data / "ledger"):
        assert verify(chains.genesis, "--home", place).exit_code == 0


def test_an_audit_leaves_the_data_as_it_was(chains: Chains) -> None:
    home = chains.home("evidence")
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    assert verify(chains.genesis, "--home", home).exit_code == 0
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == before
