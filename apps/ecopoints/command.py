"""`daicho ecopoints`: the export of a period for the J-Credit committee, and what an auditor checks without a node."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from apps import serving
from apps.common.application import make_kit
from apps.common.chain import ChainUnavailable
from apps.ecopoints.export import pages
from apps.ecopoints.export.check import Checked, check_export
from apps.ecopoints.export.reading import Unreadable
from apps.ecopoints.verifying.reading_file import check_reading
from edge.console import COULD_NOT, NO_ANSWER, REFUSED, existing_file, json_option, show, with_runtime
from edge.terminal import when
from ledger.contract import Runtime
from ledger.crypto import sha256
from ledger.genesis import load_genesis
from ledger.proof import BadProof
from ledger.refusal import Refused


@click.group()
def ecopoints() -> None:
    """What `daicho ecopoints` has (`cli.py`)."""


@ecopoints.command()
@click.option("--config", type=existing_file, required=True, help="The application's TOML file.")
@click.option("--period", required=True, help="The period's number, as its page shows it.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The ZIP to write.")
@json_option
@with_runtime
def export(runtime: Runtime, config: Path, period: str, output: Path | None, as_json: bool) -> None:
    """Export a settled period for the J-Credit committee: tables, proofs and hashes in one ZIP.

    Members are pseudonyms; officers download the list with their names from the period's page. Made again, it is the
    same file to the byte.

    \b
    Example:
      daicho ecopoints export --config ecopoints.toml --period period-0a1b2c3d -o period.zip
    """
    target = output or Path(f"{pages.file_name(period)}.zip")
    loaded = serving.load(config)

    async def make() -> bytes:
        async with loaded.chain(runtime) as chain:
            kit = make_kit(loaded.site(), loaded.settings(), chain, loaded.keyring())
            try:
                return await pages.packed(kit, period)
            finally:
                kit.database.close()

    try:
        data = asyncio.run(make())
    except ChainUnavailable as error:
        show(as_json, {"ok": None, "detail": str(error)}, f"NO ANSWER: {error}")
        raise click.exceptions.Exit(NO_ANSWER) from None
    target.write_bytes(data)
    digest = sha256(data).hex()
    show(
        as_json,
        {"file": str(target), "bytes": len(data), "sha256": digest, "period": period},
        f"{target} ({len(data)} bytes), SHA-256 {digest}",
        f"Check it: daicho ecopoints check-export {target} --genesis GENESIS",
    )


@ecopoints.command("check-export")
@click.argument("file", type=existing_file)
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@json_option
def check(file: Path, genesis: Path, as_json: bool) -> None:
    """Check an export with nothing but the genesis: hashes, proofs, and every total reckoned again.

    Exit code 1: something in it is not as the chain has it, and each fault is named with its file. 2: it could not be
    read.

    \b
    Example:
      daicho ecopoints check-export period.zip --genesis genesis.json
    """
    try:
        found = check_export(file.read_bytes(), load_genesis(genesis.read_bytes()))
    except (OSError, Refused, Unreadable) as error:
        show(as_json, {"ok": None, "detail": str(error)}, f"COULD NOT BE CHECKED: {error}")
        raise click.exceptions.Exit(COULD_NOT) from None
    show(as_json, {"ok": found.ok, **asdict(found)}, *_lines(found))
    if not found.ok:
        raise click.exceptions.Exit(REFUSED)


@ecopoints.command("check-reading")
@click.argument("file", type=existing_file)
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@json_option
def check_reading_file(file: Path, genesis: Path, as_json: bool) -> None:
    """Check with nothing but the genesis that a reading is in a batch on the chain. Exit code 1: it is not; 2: unread.

    The file is downloaded from the list of a device's readings.

    \b
    Example:
      daicho ecopoints check-reading reading.json --genesis genesis.json
    """
    try:
        data, known = file.read_bytes(), load_genesis(genesis.read_bytes())
    except (OSError, Refused) as error:
        show(as_json, {"ok": None, "detail": str(error)}, f"COULD NOT BE CHECKED: {error}")
        raise click.exceptions.Exit(COULD_NOT) from None
    try:
        found = check_reading(data, known)
    except BadProof as bad:
        show(as_json, {"ok": False, "detail": bad.what}, f"NO PROOF: {bad.what}")
        raise click.exceptions.Exit(REFUSED) from None
    value = "no data" if found.value is None else found.value
    show(
        as_json,
        {"ok": True, **asdict(found)},
        f"PROVED: {found.device} {found.channel} at {when(found.interval_end_ms)}: {value}",
        f"  in {found.batch}, block {found.height} ({when(found.time_ms)})",
    )


def _lines(found: Checked) -> list[str]:
    if found.ok:
        return [
            f"RIGHT: {found.period} ({found.methodology}), {found.tonnes} t",
            f"  {found.files} files have their hashes, {found.proofs} proofs hold, and the figures of {found.devices} "
            "devices add up",
            f"  the verifier's sample: {len(found.sample)} of {found.members} members (--json names them)",
        ]
    return [f"WRONG: {len(found.faults)} faults", *(f"  {fault.file}: {fault.what}" for fault in found.faults)]
