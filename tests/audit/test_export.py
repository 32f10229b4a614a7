"""Exports: they go on where they were interrupted, and give rows that people and spreadsheets can use."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import contracts
from edge.archive import ArchiveWriter, Form, part_of
from edge.export import Source, export_archive
from edge.readable import COLUMNS, Selection, moment_ms, row_lines, rows
from edge.verify_urls import UrlReason
from ledger.audit import StoredBlock
from ledger.encoding import unpack
from ledger.refusal import Refused
from ledger.types import Block, Transaction
from tests.audit.chains import Chains, run, served, verify
from tests.contracts.world import HACHIOJI, World, account


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("export"))


def interrupted(chains: Chains, target: Path, form: Form, blocks: list[StoredBlock], torn: bytes = b"") -> None:
    """What an export that was killed after these blocks leaves; `torn`: the beginning of a record."""
    with ArchiveWriter(target, form, chains.sample.genesis.chain_id) as writer:
        for block in blocks:
            writer.add(block)
    with part_of(target).open("ab") as file:
        file.write(torn)


FORMS: list[Form] = ["archive", "jsonl"]


@pytest.mark.parametrize("torn", [b"", b"\x92\xc4\xff", b'{"height":5'])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("done", [0, 1, 5, 15])
def test_an_interrupted_export_goes_on_and_is_the_same_in_the_end(
    chains: Chains, tmp_path: Path, form: Form, done: int, torn: bytes
) -> None:
    whole = chains.archive(f"whole-{form}", form=form)
    target = tmp_path / "chain"
    interrupted(chains, target, form, chains.blocks[:done], torn)
    result = run("export", "--archive", whole, "--to", target, "--format", form, "--json")
    assert result.exit_code == 0, result.output + result.stderr
    told = json.loads(result.stdout)
    assert (told["blocks"], told["kept"]) == (len(chains.blocks), done)
    assert target.read_bytes() == whole.read_bytes()
    assert told["sha256"] == hashlib.sha256(whole.read_bytes()).hexdigest()
    assert not part_of(target).exists()


def test_a_damaged_part_is_kept_up_to_the_damage(chains: Chains, tmp_path: Path) -> None:
    target = tmp_path / "chain"
    interrupted(chains, target, "archive", chains.blocks[:8])
    data = bytearray(part_of(target).read_bytes())
    data[len(data) // 2] ^= 1
    part_of(target).write_bytes(data)
    result = run("export", "--archive", chains.archive("a"), "--to", target, "--json")
    assert 0 < json.loads(result.stdout)["kept"] < 8
    assert verify(chains.genesis, "--archive", target).exit_code == 0


def test_a_part_of_another_chain_is_not_mixed_in(chains: Chains, tmp_path: Path) -> None:
    blocks = list(chains.blocks[:4])
    blocks[3] = replace(blocks[3], raw=chains.blocks[4].raw)
    target = tmp_path / "chain"
    interrupted(chains, target, "archive", blocks)
    result = run("export", "--archive", chains.archive("b"), "--to", target)
    assert result.exit_code == 1 and str(part_of(target)) in result.stderr
    assert not target.exists()


def test_a_node_that_goes_away_leaves_a_part_that_another_export_goes_on_with(chains: Chains, tmp_path: Path) -> None:
    target = tmp_path / "chain"

    def stops(first: int) -> Iterator[StoredBlock]:
        yield from chains.blocks[first:9]
        raise Refused(UrlReason.NO_ANSWER, url="http://gone", detail="refused")

    source = Source(chains.sample.genesis.chain_id, chains.head, stops)
    with pytest.raises(Refused):
        export_archive(source, target, "archive", lambda height, last: None)
    asked: list[int] = []

    def on(first: int) -> Iterator[StoredBlock]:
        asked.append(first)
        yield from chains.blocks[first:]

    done = export_archive(
        Source(chains.sample.genesis.chain_id, chains.head, on), target, "archive", lambda height, last: None
    )
    assert (done.kept, asked) == (9, [8])
    assert verify(chains.genesis, "--archive", target).exit_code == 0


@pytest.mark.parametrize("source", ["home", "url", "archive"])
def test_every_source_gives_the_same_archive(chains: Chains, tmp_path: Path, source: str) -> None:
    target = tmp_path / "chain"
    if source == "url":
        with served(chains.blocks, token="secret") as url:
            refused = run("export", "--url", url, "--to", target)
            assert refused.exit_code == 1 and "401" in refused.stderr
            result = run("export", "--url", "http://127.0.0.1:1", "--url", url, "--token", "secret", "--to", target)
            assert result.exit_code == 0, result.stderr
    else:
        place = chains.home("home") if source == "home" else chains.archive("c")
        assert run("export", f"--{source}", place, "--to", target).exit_code == 0
    assert target.read_bytes() == chains.archive("d").read_bytes()


def test_a_damaged_archive_is_not_exported_again(chains: Chains, tmp_path: Path) -> None:
    damaged = chains.archive("e")
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    result = run("export", "--archive", damaged, "--to", tmp_path / "x")
    assert result.exit_code == 1 and "damaged" in result.output
    assert not (tmp_path / "x").exists()


# -- rows --------------------------------------------------------------------------------------------------------------


def transactions(chains: Chains) -> list[tuple[int, int, Transaction]]:
    return [
        (block.height, index, Transaction.parse(raw))
        for block in chains.blocks
        for index, raw in enumerate(unpack(Block, block.raw, len(block.raw)).transactions)
    ]


def test_rows_are_all_transactions_in_order_with_stable_columns(chains: Chains, tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    result = run("export", "--archive", chains.archive("f"), "--to", target, "--format", "csv", "--json")
    assert result.exit_code == 0, result.stderr
    data = target.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\r\n") == data.count(b"\n")
    lines = list(csv.reader(data.decode("utf-8-sig").splitlines()))
    assert tuple(lines[0]) == COLUMNS == (
        "height", "index", "time_jst", "time_ms", "transaction", "sender", "contract", "method", "outcome", "reason",
        "reason_ja", "reason_en", "arguments", "result", "events",
    )  # fmt: skip
    expected = [(str(h), str(i), t.id.hex(), t.body.sender) for h, i, t in transactions(chains)]
    assert [(line[0], line[1], line[4], line[5]) for line in lines[1:]] == expected
    assert json.loads(result.stdout)["transactions"] == len(expected)
    refused = next(line for line in lines if line[8] == "refused")
    assert refused[9] and refused[10] and refused[11]


def test_rows_of_one_contract_and_one_period(chains: Chains, tmp_path: Path) -> None:
    archive = chains.archive("g")
    calls = transactions(chains)
    target = tmp_path / "rows.jsonl"

    def shown(*arguments: str) -> list[dict[str, object]]:
        result = run("export", "--archive", archive, "--to", target, "--format", "jsonl", *arguments)
        assert result.exit_code == 0, result.stderr
        return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]

    assert len(shown("--contract", "nowhere")) == sum(t.body.contract == "nowhere" for _, _, t in calls) > 0
    both = shown("--contract", "nowhere", "--contract", "governance")
    assert len(both) == len(calls)
    assert shown("--contract", "nobody") == []
    # The sample chain's blocks are a second and a half apart, from 2026-05-29 05:26:40 in Japan on.
    times = [row["time_jst"] for row in both]
    assert times[0] == "2026-05-29T05:26:41.500+09:00"
    later = shown("--from", "2026-05-29T05:26:50+09:00", "--contract", "governance")
    assert later and all(str(row["time_jst"]) >= "2026-05-29T05:26:50" for row in later)
    earlier = shown("--until", "2026-05-28T20:26:50+00:00", "--contract", "governance")
    governance = [row for row in both if row["contract"] == "governance"]
    assert earlier + later == governance
    assert len(shown("--from", "2026-05-29", "--until", "2026-05-29")) == len(calls)
    assert shown("--until", "2026-05-28") == [] == shown("--from", "2026-05-30")
    arguments = both[0]["arguments"]
    assert isinstance(arguments, dict) and arguments["account"] == "shelter"


def test_dates_are_those_of_japan() -> None:
    assert moment_ms("2026-06-01", end=False) == moment_ms("2026-06-01T00:00+09:00", end=False)
    assert moment_ms("2026-06-30", end=True) == moment_ms("2026-06-30T15:00Z", end=False)
    assert moment_ms("2026-06-01T09:00", end=True) == moment_ms("2026-06-01T00:00+00:00", end=True)
    for wrong in ("yesterday", "2026-13-01", ""):
        with pytest.raises(Refused):
            moment_ms(wrong, end=False)


def test_what_somebody_has_written_never_runs_as_a_formula() -> None:
    world = World(account("clerk", HACHIOJI))
    world.call("clerk", "governance", "set_roles", account="=1+1", roles=["@sum"])
    block = StoredBlock(1, world.chain.raw_block(1) or b"", None, world.chain.raw_receipts(1))
    (row,) = rows([block], Selection(), contracts.runtime())
    hostile = {**row, "reason_en": "=HYPERLINK(1)", "reason_ja": "@x", "sender": "-1", "reason": "\tx"}
    text = b"".join(row_lines([hostile], "csv")).decode("utf-8-sig")
    cells = next(iter(list(csv.reader(text.splitlines()))[1:]))
    assert cells[COLUMNS.index("reason_en")] == "'=HYPERLINK(1)"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_an_archive_is_always_whole(chains: Chains, tmp_path: Path) -> None:
    result = run("export", "--archive", chains.archive("h"), "--to", tmp_path / "x", "--contract", "governance")
    assert result.exit_code == 2 and "--format" in result.stderr


def test_what_cannot_be_written_or_read_is_told_without_a_traceback(chains: Chains, tmp_path: Path) -> None:
    archive = chains.archive("i")
    result = run("export", "--archive", archive, "--to", tmp_path / "no" / "folder", "--json")
    assert result.exit_code == 2 and json.loads(result.stderr)["error"]["code"] == "input_output"
    home = chains.home("damaged")
    for table in (home / "data" / "ledger").glob("*.ldb"):
        table.write_bytes(bytes(table.stat().st_size))
    assert run("export", "--home", home, "--to", tmp_path / "x").exit_code == 1
    assert run("export", "--home", chains.new_home("never-run"), "--to", tmp_path / "x").exit_code == 1
