"""Checkpoints: an audit goes on from where the last one ended, and sees when it is shown another chain than then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import contracts
from ledger import layout, merkle, rules
from ledger.audit import Audit, Fault, StoredBlock, audit, stored_blocks
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint, dump_checkpoint, load_checkpoint, take
from ledger.encoding import pack, unpack
from ledger.kv import MemoryKeyValue
from ledger.refusal import Refused
from ledger.rules import ExecutedBlock
from ledger.snapshot import Restore, records
from ledger.types import Block, Certificate, Transaction
from tests.audit.chains import Chains, fault, run, served, verify
from tests.contracts.world import HACHIOJI, World, account

AT = 7
"""Where the checkpoint is made: after the first change of the validators, before the others."""


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="module")
def checkpoint(chains: Chains) -> Path:
    made = chains.folder / "june.checkpoint"
    early = chains.archive("early", chains.blocks[: AT + 1])
    result = verify(chains.genesis, "--archive", early, "--checkpoint", made)
    assert result.exit_code == 0, result.stderr
    return made


@pytest.mark.parametrize("form", ["archive", "jsonl", "home", "url"])
def test_an_audit_goes_on_from_its_checkpoint_to_the_same_end(chains: Chains, checkpoint: Path, form: str) -> None:
    if form == "url":
        with served(chains.blocks) as url:
            result = verify(chains.genesis, "--url", url, "--from-checkpoint", checkpoint)
    elif form == "home":
        result = verify(chains.genesis, "--home", chains.home("node"), "--from-checkpoint", checkpoint)
    else:
        whole = chains.archive(f"whole.{form}", form="jsonl" if form == "jsonl" else "archive")
        result = verify(chains.genesis, "--archive", whole, "--from-checkpoint", checkpoint)
    assert result.exit_code == 0, result.output + result.stderr
    report = json.loads(result.stdout)
    head = chains.sample.chain.head
    assert (report["height"], report["head_hash"], report["state_root"]) == (
        chains.head,
        head.hash.hex(),
        head.state_root.hex(),
    )
    assert (report["from_height"], report["blocks"]) == (AT, chains.head - AT)


def test_checkpoints_follow_on_each_other(chains: Chains, checkpoint: Path) -> None:
    second = chains.folder / "july.checkpoint"
    later = chains.archive("later", chains.blocks[: AT + 4])
    arguments = ("--from-checkpoint", checkpoint, "--checkpoint", second)
    assert verify(chains.genesis, "--archive", later, *arguments).exit_code == 0
    whole = chains.archive("all")
    assert verify(chains.genesis, "--archive", whole, "--checkpoint", chains.folder / "direct").exit_code == 0
    onwards = ("--from-checkpoint", second, "--checkpoint", chains.folder / "in-steps")
    assert verify(chains.genesis, "--archive", whole, *onwards).exit_code == 0
    # How it was reached leaves no trace in it.
    direct, steps = (load_checkpoint((chains.folder / n).read_bytes()) for n in ("direct", "in-steps"))
    assert sorted(direct.recent, key=pack) == sorted(steps.recent, key=pack)
    assert all_but_recent(direct) == all_but_recent(steps)


def test_an_interrupted_audit_leaves_how_far_it_came(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at block 10, between writing it and standing at it."""
    target, whole = chains.folder / "interrupted", chains.archive("interrupted.daicho")
    commit = Chain.commit

    def interrupts(chain: Chain, executed: ExecutedBlock, certificate: Certificate) -> None:
        head = chain.head
        commit(chain, executed, certificate)
        if executed.height == 10:
            chain._head = head
            raise KeyboardInterrupt

    monkeypatch.setattr(Chain, "commit", interrupts)
    assert verify(chains.genesis, "--archive", whole, "--checkpoint", target).exit_code == 130
    monkeypatch.undo()
    result = verify(chains.genesis, "--archive", whole, "--from-checkpoint", target)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["from_height"] == 10


def test_a_node_that_began_with_a_snapshot_is_audited_from_a_checkpoint_on(chains: Chains, checkpoint: Path) -> None:
    kv = MemoryKeyValue()
    taken = Restore(chains.sample.genesis, kv)
    for record in records(chains.sample.kv):
        taken.take(pack(record))
    taken.finish()
    home = chains.home("from-a-snapshot", kv)
    # Its first block has no block before it, so what it follows from cannot be checked: that is no fault, and no pass.
    result = verify(chains.genesis, "--home", home)
    assert result.exit_code == 2 and json.loads(result.stderr)["error"]["code"] == "begins_later"
    result = verify(chains.genesis, "--home", home, "--from-checkpoint", checkpoint)
    assert result.exit_code == 0, result.output + result.stderr
    key = layout.of_height(layout.RECEIPTS, AT + 1)
    kv.write({key: (kv.get(key) or b"")[:-1] + b"\xc0"})
    result = verify(chains.genesis, "--home", chains.home("altered-snapshot", kv), "--from-checkpoint", checkpoint)
    assert fault(result)[0] == AT + 1


def all_but_recent(checkpoint: Checkpoint) -> tuple[object, ...]:
    return checkpoint.height, checkpoint.block, checkpoint.validators, checkpoint.rows


def test_a_fault_after_the_checkpoint_is_found_and_no_checkpoint_is_left(chains: Chains, checkpoint: Path) -> None:
    blocks = list(chains.blocks)
    blocks[10] = replace(blocks[10], certificate=blocks[9].certificate)
    target = chains.folder / "never"
    arguments = ("--from-checkpoint", checkpoint, "--checkpoint", target)
    assert fault(verify(chains.genesis, "--archive", chains.archive("bad", blocks), *arguments)) == (10, "other_block")
    assert not target.exists()


def test_a_value_changed_after_the_checkpoint_is_found_in_a_node(chains: Chains, checkpoint: Path) -> None:
    altered = MemoryKeyValue()
    altered.write(dict(chains.sample.kv.scan(b"", b"\xff" * 8)))
    key, value = next((k, v) for k, v in altered.scan(b"s", b"t"))
    altered.write({key: value[:-1] + bytes([value[-1] ^ 1])})
    result = verify(chains.genesis, "--home", chains.home("altered", altered), "--from-checkpoint", checkpoint)
    assert fault(result) == (chains.head, "wrong_value")


def test_another_block_at_the_checkpoint_is_another_chain_than_was_checked(chains: Chains, checkpoint: Path) -> None:
    blocks = list(chains.blocks)
    whole = unpack(Block, blocks[AT].raw, len(blocks[AT].raw))
    blocks[AT] = replace(blocks[AT], raw=pack(Block(whole.header, whole.transactions[:-1])))
    result = verify(chains.genesis, "--archive", chains.archive("other", blocks), "--from-checkpoint", checkpoint)
    assert fault(result) == (AT, "other_than_checked")


def test_a_chain_that_ends_before_the_checkpoint_has_lost_what_was_there(chains: Chains, checkpoint: Path) -> None:
    short = chains.archive("short", chains.blocks[:AT])
    assert fault(verify(chains.genesis, "--archive", short, "--from-checkpoint", checkpoint)) == (
        AT,
        "ends_before_checkpoint",
    )
    with served(chains.blocks[:AT]) as url:
        result = verify(chains.genesis, "--url", url, "--from-checkpoint", checkpoint)
    assert result.exit_code == 2 and "behind" in result.stderr  # a node may be behind; that is no fault


def test_a_changed_byte_of_a_checkpoint_is_found(chains: Chains, checkpoint: Path, tmp_path: Path) -> None:
    data = checkpoint.read_bytes()
    archive = chains.archive("sound")
    for at in range(0, len(data), len(data) // 50):
        (tmp_path / "altered").write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        result = verify(chains.genesis, "--archive", archive, "--from-checkpoint", tmp_path / "altered")
        assert result.exit_code == 2, at
        assert "not_a_checkpoint" in result.stderr


def test_rows_that_do_not_fit_the_state_root_are_refused(checkpoint: Path, chains: Chains) -> None:
    made = load_checkpoint(checkpoint.read_bytes())
    row = made.rows[0]
    forged = Checkpoint(
        made.chain_id,
        made.height,
        made.block,
        made.validators,
        (type(row)(row.key, row.value + b"x"), *made.rows[1:]),
        made.recent,
    )
    with pytest.raises(Refused) as refused:
        Audit(
            chains.sample.genesis, contracts.runtime(), MemoryKeyValue(), start=load_checkpoint(dump_checkpoint(forged))
        )
    assert refused.value.reason.code == "not_a_checkpoint"


def test_a_checkpoint_of_another_chain_is_refused(chains: Chains, checkpoint: Path, tmp_path: Path) -> None:
    plain = json.loads(chains.genesis.read_bytes())
    plain["time_ms"] += 1
    (tmp_path / "genesis.json").write_text(json.dumps(plain), encoding="utf-8")
    arguments = ("--archive", chains.archive("one"), "--from-checkpoint", checkpoint)
    result = run("verify", "--genesis", tmp_path / "genesis.json", "--json", *arguments)
    assert result.exit_code == 2 and json.loads(result.stderr)["error"]["code"] == "other_chain"


def test_a_transaction_that_stands_before_the_checkpoint_is_not_taken_twice() -> None:
    """It has not expired, and the state does not hold its id: the checkpoint does."""
    world = World(account("clerk", HACHIOJI))
    again = world.transaction(
        "operator-132012", "governance", "create_account", account="a", roles=[], keys=[bytes(31)]
    )
    world.block(again)
    blocks = list(stored_blocks(world.kv))
    kv = MemoryKeyValue()
    early = audit(blocks, world.genesis, world.runtime, kv)
    start = take(early.chain, kv)
    assert [r.transaction_id for r in start.recent] == [again.id]
    running = Audit(world.genesis, world.runtime, MemoryKeyValue(), start=start)
    running.begin(blocks[-1])
    twice = twice_in(world, again)
    with pytest.raises(Fault) as found:
        running.take(twice)
    assert found.value.rule == "bad_transaction" and "already in the chain" in found.value.detail


def twice_in(world: World, transaction: Transaction) -> StoredBlock:
    """The next block, with a transaction that is in the chain already and a header that fits it."""
    time_ms = world.chain.head.time_ms
    empty = rules.build_block(world.chain, world.runtime, [], time_ms=time_ms, proposer="node-1")
    raws = (transaction.raw,)
    header = msgspec.structs.replace(empty.block.header, transaction_count=1, transactions_root=merkle.root(raws))
    return StoredBlock(empty.height, pack(Block(header, raws)), b"\x90", ())
