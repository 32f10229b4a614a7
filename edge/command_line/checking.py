"""Checking a chain and taking it away: `daicho verify` and `daicho export`."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict
from pathlib import Path

import click

import edge.verify
from edge.archive import Form
from edge.config import load_config
from edge.console import (
    REFUSED,
    data_option,
    existing_file,
    existing_folder,
    json_option,
    show,
    url_option,
    with_runtime,
)
from edge.export import export_home, export_url
from edge.init import CONFIG_NAME
from edge.localnet import urls_of
from edge.terminal import audit_lines, audit_progress
from ledger.audit import Fault
from ledger.contract import Runtime
from ledger.genesis import load_genesis


@click.command()
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@click.option("--home", type=existing_folder, help="The folder of a stopped node.")
@click.option("--archive", type=existing_file, help="A file that `daicho export` made.")
@click.option("--url", "urls", multiple=True, help="A running node; with several, they must show the same blocks.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@json_option
@with_runtime
def verify(
    runtime: Runtime,
    genesis: Path,
    home: Path | None,
    archive: Path | None,
    urls: tuple[str, ...],
    jobs: int,
    as_json: bool,
) -> None:
    """Execute a chain again from the genesis and check every signature, certificate, root, receipt and time.

    \b
    Examples:
      daicho verify --genesis genesis.json --home tama/nodes/hachioji
      daicho verify --genesis genesis.json --archive tama.daicho
      daicho verify --genesis genesis.json --url http://127.0.0.1:27701
    """
    if sum((home is not None, archive is not None, bool(urls))) != 1:
        raise click.UsageError("name exactly one of --home, --archive and --url")
    known = load_genesis(genesis.read_bytes())
    started = time.monotonic()
    try:
        with audit_progress(as_json) as progress:
            if home is not None:
                store = load_config(home / CONFIG_NAME).store
                report = edge.verify.verify_store(store, known, runtime, progress=progress, jobs=jobs)
            elif archive is not None:
                report = edge.verify.verify_archive(archive, known, runtime, progress=progress, jobs=jobs)
            else:
                report = edge.verify.verify_urls(urls, known, runtime, progress=progress, jobs=jobs)
    except Fault as fault:
        found = {
            "ok": False,
            "rule": fault.rule,
            "detail": fault.detail,
            "height": fault.height,
            "index": fault.index,
            "transaction": fault.transaction or None,
        }
        show(as_json, found, f"FAULT: {fault}")
        raise click.exceptions.Exit(REFUSED) from None
    seconds = time.monotonic() - started
    show(
        as_json,
        {"ok": True, "seconds": round(seconds, 3), **asdict(report)},
        *audit_lines(report, seconds),
    )


@click.command()
@data_option
@url_option
@click.option("--home", type=existing_folder, help="Of a stopped node instead.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option("--format", "form", type=click.Choice(["archive", "jsonl"]), default="archive", show_default=True)
@json_option
def export(data: Path, urls: tuple[str, ...], home: Path | None, target: Path, form: Form, as_json: bool) -> None:
    """Write a whole chain to one checksummed file: msgpack (archive), or JSON Lines with readable transactions.

    \b
    Examples:
      daicho export --data tama --to tama.daicho
      daicho export --home tama/nodes/hachioji --to tama.jsonl --format jsonl
    """
    count = export_home(home, target, form) if home else export_url(urls_of(data, urls), target, form)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    show(
        as_json,
        {"file": str(target), "blocks": count, "bytes": target.stat().st_size, "sha256": digest},
        f"{count} blocks in {target} ({target.stat().st_size} bytes, SHA-256 {digest})",
        f"Check it: daicho verify --archive {target} --genesis GENESIS",
    )
