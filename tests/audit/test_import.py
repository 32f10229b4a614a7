"""Imports: a new home filled from an archive, every block checked on the way in, resumable; it observes first."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from consensus.messages import Prepare
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.journal import OBSERVE_UNTIL_KNOWN, FileJournal
from ledger import layout, merkle
from ledger.encoding import pack, unpack
from ledger.store import LevelDb
from ledger.types import Block
from tests.audit.chains import NODE, Chains, fault, run, verify


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("import"))


def bring(chains: Chains, archive: Path, home: Path, *more: str) -> dict[str, object]:
    result = run("import", archive, "--home", home, "--genesis", chains.genesis, "--json", *more)
    assert result.exit_code == 0, result.output + result.stderr
    return dict(json.loads(result.stdout))


def rows_of(home: Path) -> dict[bytes, bytes]:
    with contextlib.closing(LevelDb(load_config(home / CONFIG_NAME).store, create=False)) as store:
        return dict(store.scan(b"", b"\xff" * 8))


@pytest.mark.parametrize("form", ["archive", "jsonl"])
def test_an_imported_home_holds_exactly_the_chain_and_observes_first(chains: Chains, form: str) -> None:
    home = chains.new_home(f"new-{form}")
    archive = chains.archive(f"a-{form}", form="jsonl" if form == "jsonl" else "archive")
    told = bring(chains, archive, home)
    assert (told["height"], told["head_hash"]) == (chains.head, chains.sample.chain.head.hash.hex())
    assert rows_of(home) == dict(chains.sample.kv.scan(b"", b"\xff" * 8))
    assert verify(chains.genesis, "--home", home).exit_code == 0
    config = load_config(home / CONFIG_NAME)
    assert not config.journal.exists()
    with contextlib.closing(FileJournal(config.journal)) as journal:
        assert journal.load().observe_through_height == OBSERVE_UNTIL_KNOWN


def test_an_interrupted_import_goes_on_where_it_was(chains: Chains) -> None:
    home = chains.new_home("interrupted")
    cut = chains.folder / "cut"
    cut.write_bytes(chains.archive("b").read_bytes()[:-400])
    result = run("import", cut, "--home", home, "--genesis", chains.genesis, "--json")
    height, rule = fault(result)
    assert rule == "cut_short" and height is not None
    told = bring(chains, chains.folder / "b", home)
    assert told["found_height"] == height - 1
    assert told["blocks"] == chains.head - height + 1
    assert rows_of(home) == dict(chains.sample.kv.scan(b"", b"\xff" * 8))


@pytest.mark.parametrize("processes", ["1", "3"])
def test_a_block_that_does_not_hold_never_gets_in(chains: Chains, processes: str) -> None:
    """Its signature is wrong; all else, but for the certificate, fits."""
    blocks = list(chains.blocks)
    whole = unpack(Block, blocks[7].raw, len(blocks[7].raw))
    raws = (whole.transactions[0][:-1] + b"\0", *whole.transactions[1:])
    header = msgspec.structs.replace(whole.header, transactions_root=merkle.root(raws))
    blocks[7] = replace(blocks[7], raw=pack(Block(header, raws)))
    home = chains.new_home(f"unsigned-{processes}")
    archive = chains.archive("unsigned", blocks)
    result = run("import", archive, "--home", home, "--genesis", chains.genesis, "--json", "--parallel", processes)
    assert fault(result)[0] == 7
    assert rows_of(home)[layout.HEAD] == (6).to_bytes(8, "big")


def test_a_home_that_holds_a_chain_is_left_alone(chains: Chains) -> None:
    home = chains.home("old")
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    result = run("import", chains.archive("c"), "--home", home, "--genesis", chains.genesis, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["code"] == "has_voted"
    load_config(home / CONFIG_NAME).journal.unlink()
    result = run("import", chains.archive("c"), "--home", home, "--genesis", chains.genesis, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["code"] == "not_new"
    assert all(p.read_bytes() == data for p, data in before.items() if p.exists())


def test_a_journal_with_votes_is_never_removed(chains: Chains) -> None:
    home = chains.new_home("voted")
    config = load_config(home / CONFIG_NAME)
    with contextlib.closing(FileJournal(config.journal)) as journal:
        journal.append([Prepare(3, 0, bytes(32), NODE, bytes(64))])
    before = config.journal.read_bytes()
    result = run("import", chains.archive("d"), "--home", home, "--genesis", chains.genesis)
    assert result.exit_code == 1 and str(config.journal) in result.stderr
    assert config.journal.read_bytes() == before


def test_another_genesis_than_the_homes_is_refused(chains: Chains, tmp_path: Path) -> None:
    plain = json.loads(chains.genesis.read_bytes())
    plain["time_ms"] += 1
    (tmp_path / "genesis.json").write_text(json.dumps(plain), encoding="utf-8")
    home = chains.new_home("other")
    result = run("import", chains.archive("e"), "--home", home, "--genesis", tmp_path / "genesis.json", "--json")
    assert result.exit_code == 2 and json.loads(result.stderr)["error"]["code"] == "other_genesis"
    assert not load_config(home / CONFIG_NAME).store.exists()


def test_an_archive_that_differs_from_what_was_imported_is_found(chains: Chains) -> None:
    home = chains.new_home("differs")
    cut = chains.folder / "short"
    cut.write_bytes(chains.archive("f", chains.blocks[:7]).read_bytes()[:-80])
    assert run("import", cut, "--home", home, "--genesis", chains.genesis).exit_code == 1
    blocks = list(chains.blocks)
    whole = unpack(Block, blocks[5].raw, len(blocks[5].raw))
    head = int.from_bytes(rows_of(home)[layout.HEAD], "big")
    blocks[head] = replace(blocks[head], raw=pack(Block(whole.header, ())))
    result = run("import", chains.archive("g", blocks), "--home", home, "--genesis", chains.genesis, "--json")
    assert fault(result) == (head, "other_than_checked")
