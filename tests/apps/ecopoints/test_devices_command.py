"""`daicho simulate-devices`: the file that it writes, its summary, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from apps.ecopoints.intake.packets import SignedPacket, is_signed_by, open_packet
from cli import main


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["simulate-devices", *args])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_file_has_devices_then_signed_packets_then_labels(tmp_path: Path) -> None:
    out = tmp_path / "readings.jsonl"
    result = run("--households", "6", "--days", "9", "--seed", "3", "--per-packet", "48", "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    written = lines(out)
    assert [next(iter(line)) for line in written] == sorted(
        (next(iter(line)) for line in written), key=["device", "packet", "label"].index
    )
    keys = {line["device"]["label"]: bytes.fromhex(line["device"]["key"]) for line in written if "device" in line}
    packets = [line["packet"] for line in written if "packet" in line]
    assert (len(keys), len(packets)) == (summary["devices"], summary["packets"])
    assert sum(len(packet["readings"]) for packet in packets) == summary["readings"]
    for packet in packets:
        signed = SignedPacket(bytes.fromhex(packet["payload"]), bytes.fromhex(packet["signature"]))
        received = open_packet(signed)
        assert is_signed_by(received, keys[packet["device"]])
        assert received.packet.sequence == packet["sequence"]
    assert sum(summary["happened"].values()) == sum("label" in line for line in written) > 0


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("--households", "3", "--days", "2", "--seed", "7", "--out", str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != b""


@pytest.mark.function("EIg")
def test_a_meter_tells_48_readings_a_day() -> None:
    result = run("--households", "50", "--seed", "1", "--kinds", "grid", "--honest")
    assert result.exit_code == 0
    assert "2400 readings in 2400 packets of 50 devices" in result.stdout


def test_ids_of_the_chain_are_read_from_a_file(tmp_path: Path) -> None:
    ids, out = tmp_path / "ids.json", tmp_path / "out"
    ids.write_text('{"h00001-grid": "device-7"}')
    result = run("--households", "1", "--seed", "1", "--kinds", "grid", "--ids", str(ids), "--out", str(out))
    assert result.exit_code == 0
    assert {line["packet"]["device"] for line in lines(out) if "packet" in line} == {"device-7"}


@pytest.mark.parametrize("text", ["{", "[]", '{"h00001-pv": 7}'])
def test_ids_that_cannot_be_used_are_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    ids = tmp_path / "ids.json"
    ids.write_text(text)
    result = run("--households", "1", "--seed", "1", "--ids", str(ids))
    assert result.exit_code == 2
    assert str(ids) in result.output


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = run("--households", "1", "--seed", "1", "--out", str(tmp_path / "none" / "x"))
    assert result.exit_code == 2
    assert "cannot be written" in result.output and "Remedy" in result.output


@pytest.mark.parametrize("kinds", ["", "pv,pv", "pv,boat"])
def test_kinds_that_do_not_exist_are_wrong_usage(kinds: str) -> None:
    assert run("--households", "1", "--seed", "1", "--kinds", kinds).exit_code == 2
