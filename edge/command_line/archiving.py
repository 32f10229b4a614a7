"""Taking a chain away: `daicho export`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from edge.archive import Form
from edge.console import (
    data_option,
    existing_folder,
    json_option,
    show,
    url_option,
)
from edge.export import export_home, export_url
from edge.localnet import urls_of


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
