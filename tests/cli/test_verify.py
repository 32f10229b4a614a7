"""verify and export, without processes: a true chain passes, one changed byte anywhere is found and named."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from edge.init import Network
from tests.cli.offline import add_blocks, flip, forged_genesis, home_of, make_network

BLOCKS = 12


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    made = make_network(tmp_path_factory.mktemp("verify") / "network")
    add_blocks(made, BLOCKS)
    return made


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def verify(network: Network, *arguments: str | Path) -> Result:
    return run("verify", "--parallel", "1", "--genesis", network.data / "genesis.json", "--json", *arguments)


@pytest.fixture(scope="module", params=["archive", "jsonl"])
def exported(network: Network, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / f"chain.{request.param}"
    result = run("export", "--home", home_of(network), "--to", target, "--format", request.param, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["blocks"] == BLOCKS + 1
    return target


def test_a_true_node_passes_with_every_stored_value_compared(network: Network) -> None:
    result = verify(network, "--home", home_of(network))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["ok"]
    assert report["height"] == BLOCKS
    assert report["transactions"] == BLOCKS
    assert report["stored_values"] > BLOCKS


def test_an_archive_of_either_form_passes(network: Network, exported: Path) -> None:
    result = verify(network, "--archive", exported)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["blocks"] == BLOCKS + 1


def test_any_changed_byte_of_an_archive_is_found(network: Network, exported: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    size = exported.stat().st_size
    for at in [0, size - 1, *(chance.randrange(size) for _ in range(40))]:
        damaged = tmp_path / exported.name
        shutil.copy(exported, damaged)
        flip(damaged, at)
        result = verify(network, "--archive", damaged)
        assert result.exit_code == 1, f"byte {at} of {size}: {result.output}"
        assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), at


def test_a_damaged_archive_is_named_with_its_block(network: Network, exported: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copy(exported, damaged)
    flip(damaged, exported.stat().st_size // 2)
    result = run("verify", "--parallel", "1", "--genesis", network.data / "genesis.json", "--archive", damaged)
    assert result.exit_code == 1
    assert "block" in result.output + result.stderr
    assert str(damaged) in result.output + result.stderr


def test_an_archive_that_is_cut_is_found(network: Network, exported: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(exported.read_bytes()[: exported.stat().st_size * 2 // 3])
    assert verify(network, "--archive", cut).exit_code == 1


def test_any_changed_byte_of_a_table_of_the_store_is_found(network: Network, tmp_path: Path) -> None:
    """Bytes of the files that hold data; LevelDB's own notes (LOG, LOCK) are not data."""
    chance = random.Random(11)
    found = 0
    for attempt in range(12):
        copy = tmp_path / f"copy-{attempt}"
        shutil.copytree(home_of(network), copy)
        files = [p for p in sorted((copy / "data" / "ledger").iterdir()) if p.suffix in (".ldb", ".log")]
        largest = max(files, key=lambda p: p.stat().st_size)
        flip(largest, chance.randrange(largest.stat().st_size))
        result = verify(network, "--home", copy)
        assert result.exit_code == 1, f"{largest.name}: {result.output}"
        found += 1
    assert found == 12


def test_a_forged_genesis_is_no_proof(network: Network, tmp_path: Path) -> None:
    forged = forged_genesis(network, tmp_path / "forged.json")
    result = run("verify", "--parallel", "1", "--genesis", forged, "--home", home_of(network), "--json")
    assert result.exit_code == 1
    fault = json.loads(result.stdout)
    assert fault["rule"] == "wrong_genesis"
    assert fault["height"] == 0


def test_verify_asks_for_exactly_one_source(network: Network) -> None:
    assert verify(network).exit_code == 2
    assert verify(network, "--home", home_of(network), "--url", "http://127.0.0.1:1").exit_code == 2


def test_a_node_that_does_not_answer_is_an_error_with_its_address(network: Network) -> None:
    result = verify(network, "--url", "http://127.0.0.1:1")
    assert result.exit_code != 0
    assert "http://127.0.0.1:1" in result.stderr
