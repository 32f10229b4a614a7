"""Proofs to keep and hand on: `daicho prove` and `daicho check-proof`, and the story of a record: `daicho history`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from edge import commands
from edge.client import DaichoClient
from edge.commands import Network
from edge.console import COULD_NOT, REFUSED, existing_file, json_option, network_options, show, with_runtime
from edge.proving import prove as make_proof
from edge.terminal import story_lines, when
from ledger.contract import Runtime
from ledger.encoding import decode
from ledger.genesis import load_genesis
from ledger.proof import BadProof, Proved, check_proof
from ledger.refusal import Refused
from ledger.schema import to_plain


@click.command()
@network_options
@click.argument("what")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@json_option
def prove(net: Network, what: str, output: Path, as_json: bool) -> None:
    """Write the proof of WHAT to a file that anybody can check with the genesis alone, without a node.

    WHAT is a transaction's id, a subject (need:…, shipment:…, account:…), or a row of the state
    (contract/table/id). A row that is not there gives the proof that it is not.

    \b
    Examples:
      daicho prove --data tama account:officer.132012 -o story.json
      daicho prove --data tama governance/account/nobody -o absent.json
      daicho check-proof story.json --genesis tama/genesis.json
    """

    async def ask() -> bytes:
        async with DaichoClient(net.urls, net.genesis) as client:
            return await make_proof(client, what)

    data = asyncio.run(ask())
    output.write_bytes(data)
    proved = check_proof(data, net.genesis)
    show(
        as_json,
        {"file": str(output), "bytes": len(data), **_found(proved)},
        f"{output} ({len(data)} bytes) proves, as of block {proved.height}:",
        *_lines(proved),
        f"Check it: daicho check-proof {output} --genesis GENESIS",
    )


@click.command("check-proof")
@click.argument("proof", type=existing_file)
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@json_option
@with_runtime
def check(runtime: Runtime, proof: Path, genesis: Path, as_json: bool) -> None:
    """Check a proof file with nothing but the genesis. Exit code 1: it proves nothing; 2: it could not be read.

    \b
    Example:
      daicho check-proof proof.json --genesis genesis.json
    """
    try:
        data, known = proof.read_bytes(), load_genesis(genesis.read_bytes())
    except (OSError, Refused) as error:
        show(as_json, {"ok": None, "detail": str(error)}, f"COULD NOT BE CHECKED: {error}")
        raise click.exceptions.Exit(COULD_NOT) from None
    try:
        proved = check_proof(data, known)
    except BadProof as bad:
        show(as_json, {"ok": False, "detail": bad.what}, f"NO PROOF: {bad.what}")
        raise click.exceptions.Exit(REFUSED) from None
    show(
        as_json,
        {"ok": True, "chain_id": known.chain_id.hex(), **_found(proved)},
        f"PROVED on chain {known.chain_id.hex()[:16]}…, as of block {proved.height} ({when(proved.time_ms)}):",
        *_lines(proved),
    )


def _found(proved: Proved) -> dict[str, object]:
    """What is proved, for machines."""
    row = proved.row
    return {
        "kind": proved.kind,
        "about": proved.about,
        "height": proved.height,
        "time_ms": proved.time_ms,
        "steps": [
            {
                "height": step.header.height,
                "index": step.index,
                "time_ms": step.header.time_ms,
                "transaction": step.transaction.id.hex(),
                "sender": step.transaction.body.sender,
                "contract": step.transaction.body.contract,
                "method": step.transaction.body.method,
                "receipt": to_plain(step.receipt),
            }
            for step in proved.steps
        ],
        "row": None
        if row is None
        else {"present": row.value is not None, "value": None if row.value is None else to_plain(decode(row.value))},
    }


def _lines(proved: Proved) -> list[str]:
    row = proved.row
    if row is not None:
        if row.value is None:
            return [f"  {proved.about}: there is no such row in the state"]
        return [f"  {proved.about}: {to_plain(decode(row.value))}"]
    lines: list[str] = []
    for step in proved.steps:
        body = step.transaction.body
        outcome = f"REFUSED {step.receipt.reason}" if step.receipt.reason else "done"
        lines.append(
            f"  {when(step.header.time_ms)}  block {step.header.height}.{step.index}  {body.sender} called "
            f"{body.contract}.{body.method}: {outcome}"
        )
        lines += [f"      {event.name} {dict(event.data)}" for event in step.receipt.events]
    return lines


@click.command()
@network_options
@click.argument("subject")
@click.option("--after", default="", help="A cursor: go on after it.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option(
    "--proof", "output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the proof of every step."
)
@json_option
def history(net: Network, subject: str, after: str, limit: int, output: Path | None, as_json: bool) -> None:
    """What happened to a subject (need:…, shipment:…, account:…, node:…), in order, and who did it in which role.

    Each step's transaction and receipt are proved before they are shown.

    \b
    Examples:
      daicho history --data tama shelter:hachioji-01
      daicho history --data tama account:officer.132012 --proof story.json
    """

    async def ask() -> tuple[Sequence[dict[str, object]], str, bytes | None]:
        async with DaichoClient(net.urls, net.genesis) as client:
            steps, following = await commands.story(client, subject, after, limit)
            return steps, following, await make_proof(client, subject) if output is not None and steps else None

    steps, following, data = asyncio.run(ask())
    if output is not None and data is not None:
        output.write_bytes(data)
    show(
        as_json,
        {"subject": subject, "entries": steps, "next": following or None, "proof": str(output) if data else None},
        *story_lines(steps),
        *([f"more: --after {following}"] if following else []),
        *([f"proof of every step: {output}"] if data else []),
    )
