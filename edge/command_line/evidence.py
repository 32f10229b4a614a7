"""Evidence against a validator that signed two different votes: `daicho evidence`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from edge.client import Committed, DaichoClient
from edge.commands import Network
from edge.console import REFUSED, existing_file, json_option, language, network_options, show, with_runtime
from edge.evidence import Conflict, conflicts, kind_of, record
from edge.keys import read_key
from ledger.contract import Runtime


@click.group()
def evidence() -> None:
    """Two different signed votes of one node for one step (rule 12): what the nodes have seen, and putting it on the
    chain."""


@evidence.command("list")
@network_options
@json_option
def evidence_list(net: Network, as_json: bool) -> None:
    """What the nodes have seen, and what of it the chain has. Exit code 1 if there is any that it has not.

    \b
    Example:
      daicho evidence list --data tama
    """
    found = asyncio.run(_read(net))
    show(as_json, {"evidence": [_plain(c) for c in found]}, *_lines(found))
    if any(not c.recorded for c in found):
        raise click.exceptions.Exit(REFUSED)


@evidence.command("record")
@network_options
@click.option("--key", type=existing_file, required=True, help="An operator's key file.")
@click.option("--account", help="The operator's account; without it, the key file's name without .key.")
@json_option
@with_runtime
def evidence_record(runtime: Runtime, net: Network, key: Path, account: str | None, as_json: bool) -> None:
    """Put on the chain what the nodes have seen and the chain has not, for everybody to check.

    The chain judges it by its two signatures. Whether the node is then removed is for the organisations to agree on:
    `daicho tx submit … governance propose_node_removal node_id=NODE`.

    \b
    Example:
      daicho evidence record --data tama --key tama/accounts/operator.132012.key
    """
    done = asyncio.run(_record(net, key, account or key.name.removesuffix(".key")))
    rows, lines, well = [], [], True
    for conflict, committed in done:
        receipt = committed.receipt
        reason = runtime.reason_text(receipt.reason, receipt.params, language()) if receipt.reason else ""
        well = well and receipt.done
        rows.append({**_plain(conflict), "done": receipt.done, "height": committed.height, "text": reason})
        told = f"recorded in block {committed.height}" if receipt.done else f"REFUSED: {reason}"
        lines.append(f"  {conflict.evidence_id}: {told}")
    show(as_json, {"evidence": rows}, *(lines or ["There is no evidence that the chain has not."]))
    if not well:
        raise click.exceptions.Exit(REFUSED)


async def _read(net: Network) -> list[Conflict]:
    async with DaichoClient(net.urls, net.genesis) as client:
        return await conflicts(client, net.urls)


async def _record(net: Network, key: Path, account: str) -> list[tuple[Conflict, Committed]]:
    signer = read_key(key)
    async with DaichoClient(net.urls, net.genesis) as client:
        todo = [c for c in await conflicts(client, net.urls) if not c.recorded]
        return [(conflict, await record(client, conflict, signer, account)) for conflict in todo]


def _plain(conflict: Conflict) -> dict[str, object]:
    vote = conflict.first
    return {
        "evidence_id": conflict.evidence_id,
        "node_id": vote.node_id,
        "kind": kind_of(vote),
        "height": vote.height,
        "round": vote.round,
        "recorded": conflict.recorded,
    }


def _lines(found: Sequence[Conflict]) -> list[str]:
    if not found:
        return ["No node that answers has seen two different votes of one validator for one step."]
    return [
        f"  {c.first.node_id:<14} {kind_of(c.first):<12} height {c.first.height}, round {c.first.round}: "
        f"{'on the chain' if c.recorded else 'NOT on the chain yet: daicho evidence record'}"
        for c in found
    ]
