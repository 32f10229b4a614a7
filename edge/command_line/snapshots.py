"""Snapshots: `daicho snapshot create` and `daicho snapshot restore`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from edge.console import existing_file, existing_folder, json_option, show
from edge.snapshot import create_from_home, create_from_url, open_url
from edge.snapshot import restore as restore_home
from edge.terminal import counting
from ledger.genesis import load_genesis

KIB = 1024
to_option = click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True)


@click.group()
def snapshot() -> None:
    """The state at a certified height, from which a new node begins."""


@snapshot.command()
@click.option("--home", type=existing_folder, help="The folder of a stopped node.")
@click.option("--url", help="A running node instead; it goes on meanwhile.")
@to_option
@json_option
def create(home: Path | None, url: str | None, output: Path, as_json: bool) -> None:
    """Write a node's state, and the last hour's blocks, to one checksummed file.

    \b
    Examples:
      daicho snapshot create --url http://127.0.0.1:27701 -o tama.snapshot
      daicho snapshot create --home tama/nodes/hachioji -o tama.snapshot
    """
    if (home is None) == (url is None):
        raise click.UsageError("name exactly one of --home and --url")
    with counting(as_json) as told:
        written = (
            create_from_home(home, output)
            if home is not None
            else create_from_url(url or "", output, lambda size: told(size // KIB, None))
        )
    show(
        as_json,
        {"file": str(output), **asdict(written)},
        f"{written.records} records in {output} ({written.bytes} bytes, SHA-256 {written.sha256})",
        f"A new node begins with it: daicho snapshot restore {output} --home HOME --genesis GENESIS",
    )


@snapshot.command()
@click.argument("file", type=existing_file, required=False)
@click.option("--url", help="A running node instead of a file.")
@click.option("--home", type=existing_folder, required=True, help="The new node's folder: no ledger yet.")
@click.option("--genesis", type=existing_file, required=True, help="Your own copy: the snapshot is proved with it.")
@json_option
def restore(file: Path | None, url: str | None, home: Path, genesis: Path, as_json: bool) -> None:
    """Make a new node's ledger from a snapshot. Nothing is used before its root is that of a certified header.

    The node then observes until it can know that it signs nothing twice, and votes again by itself. What happened
    before the snapshot it cannot show: it begins at the height that is printed.

    \b
    Examples:
      daicho snapshot restore tama.snapshot --home tama/nodes/oshima --genesis genesis.json
      daicho snapshot restore --url http://127.0.0.1:27701 --home tama/nodes/oshima --genesis genesis.json
    """
    if (file is None) == (url is None):
        raise click.UsageError("name exactly one of FILE and --url")
    known, started = load_genesis(genesis.read_bytes()), time.monotonic()
    name = str(file) if file is not None else str(url)
    last = None if file is None else file.stat().st_size // KIB
    with counting(as_json) as told, file.open("rb") if file is not None else open_url(url or "") as source:
        restored = restore_home(source, name, home, known, lambda size: told(size // KIB, last))
    seconds = time.monotonic() - started
    show(
        as_json,
        {"seconds": round(seconds, 3), **asdict(restored)},
        f"{restored.rows} rows as of block {restored.height}, blocks from {restored.first_height} on, {seconds:.1f} s",
        f"Start it: daicho node run --home {home}",
    )
