"""`daicho simulate-devices`: the packets of simulated households, as a file for the intake, tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from apps.ecopoints.devices.faults import HONEST
from apps.ecopoints.devices.households import KINDS, SLOTS, Kind
from apps.ecopoints.devices.simulator import Arrival, Simulator
from edge.console import COULD_NOT, Failure, json_option, show
from edge.terminal import TerminalProgress

MAX_HOUSEHOLDS = 100_000
MAX_DAYS = 400
SHOWN_EVERY = 1_000


def read_kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[Kind, ...]:
    """`pv,ev`: kinds of devices, each once; none where nothing is said."""
    asked = value.split(",") if value is not None else []
    found = tuple(kind for kind in KINDS if kind in asked)
    if len(found) != len(asked):
        raise click.BadParameter(f"{value!r} is not a list of {', '.join(KINDS)}, each once", context, parameter)
    return found


@click.command("simulate-devices")
@click.option("--households", type=click.IntRange(1, MAX_HOUSEHOLDS), required=True, help="How many.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=1, show_default=True, help="From 2 April 2026 on.")
@click.option("--seed", type=int, required=True, help="Which run: the same seed is the same stream, to the byte.")
@click.option(
    "--kinds",
    callback=read_kinds,
    default="pv,ev",
    show_default=True,
    help="Of pv, ev, phv, grid: each household has a plant and a meter, each third an EV, each tenth a PHV.",
)
@click.option("--honest", is_flag=True, help="Nothing goes wrong: no gaps, no late packets, no lies.")
@click.option(
    "--per-packet",
    type=click.IntRange(1, SLOTS),
    default=1,
    show_default=True,
    help="Half hours that a device gathers before it sends.",
)
@click.option(
    "--ids",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON: from the simulated device's label to the id under which it is registered.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write devices, packets and labels, a line each."
)
@json_option
def simulate_devices(
    households: int,
    days: int,
    seed: int,
    kinds: tuple[Kind, ...],
    honest: bool,
    per_packet: int,
    ids: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Households with solar plants, cars and meters: what their devices send, late, doubled and lying.

    The file has one JSON object a line: `device` lines (what to register), `packet` lines in the order of arrival, and
    at last `label` lines: everything that went wrong, and every lie that must be found.

    \b
    Examples:
      daicho simulate-devices --households 300 --days 30 --seed 1 --out readings.jsonl
      daicho simulate-devices --households 10000 --seed 1 --kinds grid --honest --json
    """
    simulator = Simulator(
        seed=seed,
        households=households,
        days=days,
        kinds=kinds,
        rates=HONEST if honest else None,
        per_packet=per_packet,
        ids=None if ids is None else _ids(ids, as_json=as_json),
    )
    packets = 0
    with TerminalProgress(quiet=as_json) as progress, _writer(out, as_json=as_json) as file:
        progress.stage(f"{len(simulator.devices)} devices of {households} households, {days} days")
        for line in _devices(simulator):
            _write(file, line)
        for arrival in simulator.stream():
            packets += 1
            _write(file, {"packet": _packet(arrival)})
            if packets % SHOWN_EVERY == 0:
                progress.done(simulator.slots_done, simulator.slots)
        progress.done(simulator.slots, simulator.slots)
        for label in simulator.labels:
            found = {"kind": label.kind, "device": label.device, "channel": label.channel, "end_ms": label.end_ms}
            _write(file, {"label": found})
    happened = dict(sorted(Counter(label.kind for label in simulator.labels).items()))
    summary = {
        "seed": seed,
        "households": households,
        "days": days,
        "devices": len(simulator.devices),
        "packets": packets,
        "readings": simulator.readings,
        "happened": happened,
        "out": None if out is None else str(out),
    }
    show(
        as_json, summary,
        f"{simulator.readings} readings in {packets} packets of {len(simulator.devices)} devices",
        *(f"  {kind:<14} {count}" for kind, count in happened.items()),
        *([] if out is None else [f"written to {out}"]),
    )  # fmt: skip


def _devices(simulator: Simulator) -> Iterator[dict[str, object]]:
    for device in simulator.devices:
        yield {
            "device": {
                "label": device.label, "kind": device.kind, "methodology": device.methodology,
                "parameters": dict(device.parameters), "key": device.key.public_key.hex(), "serial": device.serial,
                "place": device.place,
            }
        }  # fmt: skip


def _packet(arrival: Arrival) -> dict[str, object]:
    return {
        "arrives_ms": arrival.at_ms,
        "device": arrival.packet.device,
        "sequence": arrival.packet.sequence,
        "readings": [[r.channel, r.end_ms, r.value] for r in arrival.packet.readings],
        "payload": arrival.signed.payload.hex(),
        "signature": arrival.signed.signature.hex(),
    }


class _Unusable(Failure):
    """A file of the caller's that cannot be read or written."""

    exit_code = COULD_NOT


def _ids(path: Path, *, as_json: bool) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _Unusable(
            "bad_ids",
            f'{path} を読めません。対処: 機器のラベルから ID への JSON にしてください(例: {{"h00001-pv": "ID"}})',
            f'{path} cannot be used. Remedy: a JSON object from labels to ids, as in {{"h00001-pv": "ID"}}',
            {"path": str(path)},
            as_json=as_json,
        )
    return found


@contextlib.contextmanager
def _writer(out: Path | None, *, as_json: bool) -> Iterator[TextIO | None]:
    if out is None:
        yield None
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise _Unusable(
            "not_written",
            f"{out} に書き込めません({error.strerror})。対処: 存在するフォルダのファイルを指定してください",
            f"{out} cannot be written: {error.strerror}. Remedy: name a file in a folder that exists",
            {"path": str(out)},
            as_json=as_json,
        ) from None


def _write(file: TextIO | None, line: dict[str, object]) -> None:
    if file is not None:
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
