"""Whole forgeries, with every checksum right: each is found in an archive and in a data directory, with its block."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import contracts
from edge.archive import ArchiveWriter
from edge.config import load_config
from edge.init import CONFIG_NAME
from ledger import layout
from ledger.audit import StoredBlock, audit
from ledger.encoding import pack, unpack
from ledger.kv import MemoryKeyValue
from ledger.rules import Receipts, build_block
from ledger.store import LevelDb
from ledger.types import Block, Certificate, Seal, Transaction, ValidatorSet
from ledger.votes import commit_payload
from tests.audit.chains import Chains, fault, verify

Blocks = list[StoredBlock]
TAIL = 8
"""The first block of a rewritten tail."""


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("forgeries"))


def rows_of(chains: Chains, blocks: Blocks) -> MemoryKeyValue:
    """The rows of a store whose blocks were replaced by these, one by one at their heights."""
    kv = MemoryKeyValue()
    kv.write(dict(chains.sample.kv.scan(b"", b"\xff" * 8)))
    for height, block in enumerate(blocks):
        kv.write(
            {
                layout.of_height(layout.BLOCK, height): block.raw,
                layout.of_height(layout.CERTIFICATE, height): block.certificate,
                layout.of_height(layout.RECEIPTS, height): pack(Receipts(block.receipts or ())),
                layout.of_height(layout.VALIDATORS, height): block.validators,
            }
        )
    return kv


def removed(blocks: Blocks) -> None:
    del blocks[5]


def removed_and_counted_again(blocks: Blocks) -> None:
    del blocks[5]
    blocks[5:] = [replace(b, height=height) for height, b in enumerate(blocks[5:], start=5)]


def reordered(blocks: Blocks) -> None:
    blocks[5], blocks[6] = replace(blocks[6], height=5), replace(blocks[5], height=6)


def swapped_certificates(blocks: Blocks) -> None:
    fourth, fifth = blocks[4].certificate, blocks[5].certificate
    blocks[4], blocks[5] = replace(blocks[4], certificate=fifth), replace(blocks[5], certificate=fourth)


def without_certificate(blocks: Blocks) -> None:
    blocks[5] = replace(blocks[5], certificate=None)


def a_seal_too_few(blocks: Blocks) -> None:
    certificate = unpack(Certificate, blocks[1].certificate or b"")
    fewer = Certificate(1, certificate.round, certificate.block_hash, certificate.seals[:-1])
    blocks[1] = replace(blocks[1], certificate=pack(fewer))


def a_seal_twice(blocks: Blocks) -> None:
    certificate = unpack(Certificate, blocks[1].certificate or b"")
    seals = (*certificate.seals[:-1], certificate.seals[0])
    blocks[1] = replace(blocks[1], certificate=pack(Certificate(1, 0, certificate.block_hash, seals)))


def receipts_swapped(blocks: Blocks) -> None:
    receipts = blocks[7].receipts or ()
    blocks[7] = replace(blocks[7], receipts=(receipts[1], receipts[0], *receipts[2:]))


def receipt_removed(blocks: Blocks) -> None:
    blocks[7] = replace(blocks[7], receipts=(blocks[7].receipts or ())[:-1])


def another_set_of_validators(blocks: Blocks) -> None:
    members = unpack(ValidatorSet, blocks[6].validators or b"").members
    blocks[6] = replace(blocks[6], validators=pack(ValidatorSet(members[:-1])))


def the_new_set_left_out(blocks: Blocks) -> None:
    blocks[6] = replace(blocks[6], validators=None)


FORGERIES = [
    (removed_and_counted_again, 5, "wrong_height"),
    (reordered, 5, "wrong_height"),
    (swapped_certificates, 4, "other_block"),
    (without_certificate, 5, "no_certificate"),
    (a_seal_too_few, 1, "no_quorum"),
    (a_seal_twice, 1, "signed_twice"),
    (receipts_swapped, 7, "wrong_receipt"),
    (receipt_removed, 7, "wrong_receipt"),
    (another_set_of_validators, 6, "wrong_value"),
    (the_new_set_left_out, 6, "wrong_value"),
]


@pytest.mark.parametrize(("forge", "height", "rule"), FORGERIES)
@pytest.mark.parametrize("form", ["archive", "home"])
def test_a_forged_chain_is_found_with_its_block_and_rule(
    chains: Chains, form: str, forge: Callable[[Blocks], None], height: int, rule: str
) -> None:
    blocks = list(chains.blocks)
    forge(blocks)
    name = f"{form}-{forge.__name__}"
    if form == "archive":
        result = verify(chains.genesis, "--archive", chains.archive(name, blocks))
    else:
        result = verify(chains.genesis, "--home", chains.home(name, rows_of(chains, blocks)))
    assert fault(result) == (height, rule)


def test_a_record_that_is_left_out_is_found(chains: Chains) -> None:
    blocks = list(chains.blocks)
    removed(blocks)
    assert fault(verify(chains.genesis, "--archive", chains.archive("removed", blocks))) == (5, "damaged")


@pytest.mark.parametrize("form", ["archive", "jsonl"])
def test_a_cut_archive_is_found_wherever_it_is_cut(chains: Chains, tmp_path: Path, form: str) -> None:
    data = chains.archive(f"whole.{form}", form="jsonl" if form == "jsonl" else "archive").read_bytes()
    for size in [0, 1, *range(7, len(data), len(data) // 40), len(data) - 1]:
        (tmp_path / "cut").write_bytes(data[:size])
        height, rule = fault(verify(chains.genesis, "--archive", tmp_path / "cut"))
        assert height is not None
        assert rule in ("cut_short", "damaged", "not_an_archive"), size


def test_a_store_that_has_lost_its_end_is_known_by_the_mark(chains: Chains) -> None:
    """All that follows from blocks 13 and 14 is gone, without a trace in the store itself."""
    shorter = MemoryKeyValue()
    audit(chains.blocks[:13], chains.sample.genesis, contracts.runtime(), shorter)
    home = chains.home("lost-its-end", shorter)
    assert fault(verify(chains.genesis, "--home", home)) == (12, "chain_cut")
    (home / "data" / "stopped.json").unlink()
    result = verify(chains.genesis, "--home", home)
    assert result.exit_code == 0 and json.loads(result.stdout)["height"] == 12


def test_a_missing_file_of_the_store_is_found(chains: Chains) -> None:
    for suffix in (".ldb", ".log"):
        home = chains.home(f"without{suffix}")
        next((home / "data" / "ledger").glob(f"*{suffix}")).unlink()
        height, _ = fault(verify(chains.genesis, "--home", home))
        assert height is not None, suffix


@pytest.mark.parametrize("claims", ["alone", "in_the_names_of_all"])
@pytest.mark.parametrize("form", ["archive", "home"])
def test_a_tail_whose_signatures_one_validator_has_made_again_is_found(chains: Chains, form: str, claims: str) -> None:
    """It has the software and its own key: from block 8 on it leaves out what does not please it, and signs anew."""
    kv = MemoryKeyValue()
    running = audit(chains.blocks[:TAIL], chains.sample.genesis, contracts.runtime(), kv)
    chain, forged = running.chain, list(chains.blocks[:TAIL])
    validator = "tachikawa"
    key = chains.sample.keys[validator]
    for stored in chains.blocks[TAIL : TAIL + 3]:
        whole = unpack(Block, stored.raw, len(stored.raw))
        kept = [Transaction.parse(raw) for raw in whole.transactions][1:]
        made = build_block(chain, contracts.runtime(), kept, time_ms=whole.header.time_ms, proposer=validator)
        seal = key.sign(commit_payload(chain.chain_id, made.height, 0, made.digest))
        names = [validator] if claims == "alone" else list(chain.validators.ids)
        certificate = Certificate(made.height, 0, made.digest, tuple(Seal(name, seal) for name in names))
        changed = made.block.header.validators_hash != made.block.header.next_validators_hash
        validators = pack(made.next_validators) if changed else None
        forged.append(StoredBlock(made.height, made.raw, pack(certificate), made.raw_receipts, validators))
        chain.commit(made, certificate)
    rule = "no_quorum" if claims == "alone" else "bad_seal"
    if form == "archive":
        result = verify(chains.genesis, "--archive", chains.archive(f"tail-{claims}", forged))
    else:
        result = verify(chains.genesis, "--home", chains.home(f"tail-home-{claims}", kv))
        if fault(result)[1] == "chain_cut":
            (chains.folder / f"tail-home-{claims}" / "data" / "stopped.json").unlink()
            result = verify(chains.genesis, "--home", chains.folder / f"tail-home-{claims}")
    assert fault(result) == (TAIL, rule)


@pytest.mark.parametrize("form", ["archive", "home"])
def test_the_chain_of_a_forged_genesis_is_found(chains: Chains, tmp_path: Path, form: str) -> None:
    plain = json.loads(chains.genesis.read_bytes())
    plain["time_ms"] += 1
    other = tmp_path / "genesis.json"
    other.write_text(json.dumps(plain), encoding="utf-8")
    if form == "archive":
        result = verify(other, "--archive", chains.archive("forged-genesis"))
        assert fault(result) == (0, "other_chain")
    else:
        assert fault(verify(other, "--home", chains.home("forged-genesis-home"))) == (0, "wrong_genesis")


def test_an_archive_that_only_claims_the_right_chain_is_found(chains: Chains) -> None:
    """The head is right; the blocks are those of another genesis."""
    path = chains.folder / "claims"
    first = unpack(Block, chains.blocks[0].raw, len(chains.blocks[0].raw))
    changed = Block(msgspec.structs.replace(first.header, time_ms=first.header.time_ms + 1), ())
    with ArchiveWriter(path, "archive", chains.sample.genesis.chain_id) as writer:
        writer.add(replace(chains.blocks[0], raw=pack(changed)))
        for block in chains.blocks[1:]:
            writer.add(block)
        writer.finish()
    assert fault(verify(chains.genesis, "--archive", path)) == (0, "wrong_genesis")


def test_a_value_that_no_block_gives_is_found(chains: Chains) -> None:
    home = chains.home("extra")
    with contextlib.closing(LevelDb(load_config(home / CONFIG_NAME).store)) as store:
        store.write({layout.STATE + b"governance/accounts/ghost": b"\x90"})
    assert fault(verify(chains.genesis, "--home", home)) == (chains.head, "extra_value")


@pytest.mark.parametrize("form", ["archive", "jsonl"])
def test_the_end_of_an_archive_is_read_to_its_last_byte_and_nothing_may_follow(
    chains: Chains, tmp_path: Path, form: str
) -> None:
    data = chains.archive(f"end.{form}", form="jsonl" if form == "jsonl" else "archive").read_bytes()
    altered = tmp_path / "altered"
    for at in range(len(data) - 45, len(data)):
        altered.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        height, _ = fault(verify(chains.genesis, "--archive", altered))
        assert height is not None, at
    for more in (b"\n", b"\x00", data[-45:], data):
        altered.write_bytes(data + more)
        assert fault(verify(chains.genesis, "--archive", altered)) == (len(chains.blocks), "damaged")
