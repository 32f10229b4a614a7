"""The ceremony: only public parts travel, and what was changed on the way is refused by whom it concerns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.ceremony import JoinPlan, accept, described, found, join, read_request
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.keys import read_key, read_private_key
from edge.municipalities import load_municipalities
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, dump_genesis, load_genesis
from ledger.refusal import Refused

VERSIONS = {"governance": 1}
TOWNS = load_municipalities()[:4]


def make_home(folder: Path, index: int, *, node_only: bool = False) -> Path:
    town = TOWNS[index]
    home = folder / town.node_id
    join(JoinPlan(home, town, town.node_id, f"10.0.{index}.5:27700", "127.0.0.1:27701", node_only))
    return home


@pytest.fixture
def homes(tmp_path: Path) -> list[Path]:
    return [make_home(tmp_path, index) for index in range(3)]


def collected(homes: list[Path], target: Path) -> Genesis:
    return found([home / "request.json" for home in homes], "tama", VERSIONS, 1_000, target)


def test_what_travels_holds_no_secret_and_the_home_holds_all(homes: list[Path]) -> None:
    for home, town in zip(homes, TOWNS, strict=False):
        text = (home / "request.json").read_text(encoding="utf-8")
        for key_file in home.glob("*.key"):
            assert read_private(key_file) not in text
            assert read_key(key_file).public_key.hex() in text
        assert {p.name for p in home.glob("*.key")} == {
            "node.key",
            f"operator.{town.code}.key",
            f"recovery.{town.code}.key",
        }
        assert load_config(home / CONFIG_NAME).values.node_id == town.node_id


def read_private(path: Path) -> str:
    return read_private_key(path).private_bytes_raw().hex()


def test_the_genesis_has_what_each_asked_for_and_each_accepts_it(homes: list[Path], tmp_path: Path) -> None:
    genesis = collected(homes, tmp_path / "genesis.json")
    assert [n.organisation for n in genesis.nodes] == [t.code for t in TOWNS[:3]]
    assert (genesis.recovery.threshold, len(genesis.recovery.keys)) == (2, 3)
    for home in homes:
        # As it is read out: in groups, in capitals.
        spoken = " ".join(genesis.chain_id.hex()[i : i + 8] for i in range(0, 64, 8)).upper()
        accept(home, tmp_path / "genesis.json", spoken, later=False)
        assert load_genesis((home / "genesis.json").read_bytes()) == genesis


def test_a_request_that_was_changed_on_its_way_is_refused(homes: list[Path], tmp_path: Path) -> None:
    path = homes[1] / "request.json"
    text = path.read_text(encoding="utf-8")
    strange = SigningKey(bytes(31) + b"\x07").public_key.hex()
    for part in ("node", "operator"):
        value = json.loads(text)
        if part == "node":
            value["request"]["node"]["public_key"] = strange
        else:
            value["request"]["operator"]["keys"] = [strange]
        path.write_text(json.dumps(value), encoding="utf-8")
        with pytest.raises(Refused, match="bad_proof"):
            collected(homes, tmp_path / "genesis.json")
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(Refused, match="not_a_request"):
        read_request(path)
    assert not (tmp_path / "genesis.json").exists()


def test_a_founder_who_changes_anything_is_found_by_whom_it_concerns(homes: list[Path], tmp_path: Path) -> None:
    genesis = collected(homes, tmp_path / "genesis.json")
    strange = SigningKey(bytes(31) + b"\x07").public_key
    second = replace(genesis.accounts[1], account_id="operator.other", keys=(strange,))
    forged = {
        "node": replace(
            genesis, nodes=(genesis.nodes[0], replace(genesis.nodes[1], public_key=strange), genesis.nodes[2])
        ),
        "left out": replace(genesis, nodes=(genesis.nodes[0], genesis.nodes[2])),
        "operator": replace(genesis, accounts=(genesis.accounts[0], replace(second, account_id="operator.132021"))),
        "second operator": replace(genesis, accounts=(*genesis.accounts, second)),
        "recovery": replace(
            genesis,
            recovery=replace(genesis.recovery, keys=(genesis.recovery.keys[0], strange, genesis.recovery.keys[2])),
        ),
    }
    for what, changed in forged.items():
        path = tmp_path / "forged.json"
        path.write_text(dump_genesis(changed), encoding="utf-8")
        with pytest.raises(Refused, match=r"changed_in_genesis|not_in_genesis"):
            accept(homes[1], path, changed.chain_id.hex(), later=False)
        # Who goes by the number that was read out needs no further look.
        with pytest.raises(Refused, match="other_chain_id"):
            accept(homes[1], path, genesis.chain_id.hex(), later=False)
        assert not (homes[1] / "genesis.json").exists(), what


def test_a_second_genesis_does_not_take_the_first_ones_place(homes: list[Path], tmp_path: Path) -> None:
    first = collected(homes, tmp_path / "genesis.json")
    accept(homes[0], tmp_path / "genesis.json", first.chain_id.hex(), later=False)
    accept(homes[0], tmp_path / "genesis.json", first.chain_id.hex(), later=False)
    with pytest.raises(Refused, match="genesis_exists"):
        collected(homes, tmp_path / "genesis.json")
    other = collected(homes[:2], tmp_path / "other.json")
    with pytest.raises(Refused, match="genesis_exists"):
        accept(homes[0], tmp_path / "other.json", other.chain_id.hex(), later=False)


def test_who_comes_later_is_described_for_governance_and_founds_nothing(homes: list[Path], tmp_path: Path) -> None:
    genesis = collected(homes, tmp_path / "genesis.json")
    late = make_home(tmp_path, 3, node_only=True)
    with pytest.raises(Refused, match="not_in_genesis"):
        accept(late, tmp_path / "genesis.json", genesis.chain_id.hex(), later=False)
    accept(late, tmp_path / "genesis.json", genesis.chain_id.hex(), later=True)
    told = described(late / "request.json", organisation=False)
    assert told == {
        "node_id": TOWNS[3].node_id,
        "organisation": TOWNS[3].code,
        "public_key": read_key(late / "node.key").public_key.hex(),
        "address": "10.0.3.5:27700",
    }
    with pytest.raises(Refused, match="node_only"):
        described(late / "request.json", organisation=True)
    with pytest.raises(Refused, match="node_only"):
        collected([*homes, late], tmp_path / "again.json")


def test_a_home_that_is_there_is_not_touched(homes: list[Path], tmp_path: Path) -> None:
    before = (homes[0] / "node.key").read_bytes()
    with pytest.raises(Refused, match="home_exists"):
        make_home(tmp_path, 0)
    assert (homes[0] / "node.key").read_bytes() == before
