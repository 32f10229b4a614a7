"""Taking a chain away and bringing it back: `daicho export` and `daicho import`."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Literal

import click

from edge.command_line.checking import tell_fault, told_if_unchecked
from edge.console import (
    data_option,
    existing_file,
    existing_folder,
    json_option,
    language,
    show,
    token_option,
    url_option,
    with_runtime,
)
from edge.export import Source, export_archive, export_rows, of_archive, of_home, of_urls
from edge.importing import ImportReason, import_archive
from edge.localnet import urls_of
from edge.readable import Selection, moment_ms, rows
from edge.terminal import counting
from ledger.audit import Fault
from ledger.contract import Runtime
from ledger.refusal import Reason, Refused

writable_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@data_option
@url_option
@token_option
@click.option("--home", type=existing_folder, help="Of a stopped node instead.")
@click.option("--archive", type=existing_file, help="Another archive instead.")
@click.option("--to", "target", type=writable_file, required=True, help="The file to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["archive", "jsonl", "csv"]),
    default="archive",
    show_default=True,
    help="archive: the whole chain, compact. jsonl: the same in readable lines. csv, or jsonl with one of the options "
    "below: one row a transaction.",
)
@click.option("--contract", "contracts", multiple=True, help="Only what was called in this contract; repeatable.")
@click.option("--from", "from_", metavar="WHEN", help="Only blocks from this date (Japan) or ISO time on.")
@click.option("--until", metavar="WHEN", help="Only blocks up to the end of this date, or before this ISO time.")
@json_option
@with_runtime
def export(
    runtime: Runtime,
    data: Path,
    urls: tuple[str, ...],
    token: str | None,
    home: Path | None,
    archive: Path | None,
    target: Path,
    form: Literal["archive", "jsonl", "csv"],
    contracts: tuple[str, ...],
    from_: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """Write a whole chain to one checksummed file, or rows for people of some contracts and some period.

    An archive that was interrupted goes on where it was when the same command is given again.

    \b
    Examples:
      daicho export --data tama --to tama.daicho
      daicho export --home tama/nodes/hachioji --to tama.jsonl --format jsonl
      daicho export --archive tama.daicho --to june.csv --format csv --contract donations \\
          --from 2026-06-01 --until 2026-06-30
    """
    if home is not None and archive is not None:
        raise click.UsageError("name one of --home and --archive")
    is_extract = form == "csv" or bool(contracts or from_ or until)
    if is_extract and form == "archive":
        raise click.UsageError("an archive holds the whole chain: with --contract, --from or --until name --format")
    selection = Selection(contracts, _moment_ms(from_, end=False), _moment_ms(until, end=True))
    source: contextlib.AbstractContextManager[Source]
    if home is not None:
        source = of_home(home)
    elif archive is not None:
        source = of_archive(archive)
    else:
        source = of_urls(urls_of(data, urls), token)
    try:
        with told_if_unchecked(as_json, Reason), source as chain, counting(as_json) as progress:
            if is_extract:
                found = rows(chain.blocks(0), selection, runtime)
                count = export_rows(found, target, "csv" if form == "csv" else "jsonl")
                counts, said = {"transactions": count}, f"{count} transactions"
            else:
                done = export_archive(chain, target, "jsonl" if form == "jsonl" else "archive", progress)
                counts = {"blocks": done.blocks, "kept": done.kept}
                kept = f" ({done.kept} of them from before the interruption)" if done.kept else ""
                said = f"{done.blocks} blocks{kept}"
    except Fault as fault:
        tell_fault(fault, as_json)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = target.stat().st_size
    check = (
        "daicho prove TRANSACTION, for each row"
        if is_extract
        else f"daicho verify --archive {target} --genesis GENESIS"
    )
    show(
        as_json,
        {"file": str(target), "bytes": size, "sha256": digest, **counts},
        f"{said} in {target} ({size} bytes, SHA-256 {digest})",
        f"Check it: {check}",
    )


def _moment_ms(text: str | None, *, end: bool) -> int | None:
    try:
        return None if text is None else moment_ms(text, end=end)
    except Refused as refused:
        raise click.BadParameter(refused.reason.text(language(), refused.params)) from None


@click.command("import")
@click.argument("archive", type=existing_file)
@click.option("--home", type=existing_folder, required=True, help="The folder of a new node, with its node.toml.")
@click.option("--genesis", type=existing_file, required=True, help="The one that you were given, not from the archive.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Processes: one executes, the others check signatures.",
)
@json_option
@with_runtime
def import_(runtime: Runtime, archive: Path, home: Path, genesis: Path, parallel: int, as_json: bool) -> None:
    """Fill the data of a new node from an archive, checking every block as `daicho verify` does.

    Interrupted, it goes on where it was when the same command is given again. The node then observes until it is past
    everything that it may have signed in an earlier life, and votes again by itself.

    \b
    Examples:
      daicho import tama.daicho --home tama/nodes/hachioji --genesis genesis.json
    """
    with told_if_unchecked(as_json, ImportReason):
        try:
            with counting(as_json) as progress:
                done = import_archive(archive, home, genesis, runtime, parallel=parallel, progress=progress)
        except Fault as fault:
            tell_fault(fault, as_json)
    began = f", going on after block {done.found}" if done.found else ""
    show(
        as_json,
        {"height": done.height, "head_hash": done.head_hash, "blocks": done.blocks, "found_height": done.found},
        f"{done.blocks} blocks with {done.transactions} transactions checked and written{began}",
        f"The home stands at height {done.height} ({done.head_hash[:16]}…). It observes first, then votes by itself:",
        f"  daicho node run --home {home}",
    )
