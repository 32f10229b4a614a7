"""Asking a network: `daicho status`, `tx`, `query`, `history` and `block`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
import msgspec

from edge import commands
from edge.commands import Network
from edge.console import (
    NO_ANSWER,
    REFUSED,
    data_option,
    existing_file,
    json_option,
    language,
    network_options,
    show,
    url_option,
    with_runtime,
)
from edge.localnet import urls_of
from edge.terminal import block_lines, status_lines
from edge.watch import Reading, Watch, has_quorum, leader, quorum, states
from ledger.contract import Runtime
from ledger.schema import to_plain


@click.command()
@data_option
@url_option
@json_option
def status(data: Path, urls: tuple[str, ...], as_json: bool) -> None:
    """Each node as it is now, and whether there is a quorum. Exit code 0 only if there is and no node has halted.

    \b
    Examples:
      daicho status --data tama
      daicho status --url http://10.0.1.5:27701 --url http://10.0.2.5:27701
    """

    async def read() -> list[Reading]:
        async with Watch(urls_of(data, urls)) as watch:
            return await watch.read()

    readings = asyncio.run(read())
    reachable, needed = quorum(readings)
    well = has_quorum(readings) and not any(s.halted for s in states(readings))
    show(
        as_json,
        {
            "ok": well,
            "reachable": reachable,
            "quorum": needed,
            "leader": leader(readings),
            "nodes": [
                {"url": r.url, "failure": r.failure or None, "state": r.state and msgspec.to_builtins(r.state)}
                for r in readings
            ],
        },
        *status_lines(readings, language()),
    )
    if not well:
        raise click.exceptions.Exit(NO_ANSWER)


@click.group()
def tx() -> None:
    """Transactions."""


@tx.command("submit")
@network_options
@click.option("--key", type=existing_file, required=True, help="The account's key file.")
@click.option("--account", help="The account; without it, the key file's name without .key.")
@click.argument("contract")
@click.argument("method")
@click.argument("args", nargs=-1)
@json_option
@with_runtime
def tx_submit(
    runtime: Runtime,
    net: Network,
    key: Path,
    account: str | None,
    contract: str,
    method: str,
    args: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sign a call, send it, and wait until it is proved to be in the chain. ARGS: a JSON object, or name=value.

    Exit code 1 if the contract refuses it; the refusal is in the chain, too.

    \b
    Examples:
      daicho tx submit --data tama --key tama/accounts/operator.132012.key governance revoke_account account=old.key
      daicho tx submit --data tama --key shelter.key donations register_need \\
        '{"shelter": "hachioji-01", "item": "blanket", "quantity": 40, "priority": "urgent"}'
    """
    sender = account or key.name.removesuffix(".key")
    done = asyncio.run(commands.submit(net, runtime, key, sender, contract, method, commands.arguments(args)))
    receipt = done.receipt
    reason = runtime.reason_text(receipt.reason, receipt.params, language()) if receipt.reason else ""
    show(
        as_json,
        {
            "id": done.transaction.id.hex(),
            "height": done.height,
            "index": done.index,
            "done": receipt.done,
            "reason": receipt.reason,
            "text": reason,
            "result": to_plain(receipt.result),
            "events": to_plain(receipt.events),
        },
        f"{'done' if receipt.done else 'REFUSED'} in block {done.height}, transaction {done.transaction.id.hex()}",
        *([f"  {receipt.reason}: {reason}"] if reason else []),
        *(f"  {name}: {value}" for name, value in receipt.result.items()),
    )
    if not receipt.done:
        raise click.exceptions.Exit(REFUSED)


@click.command()
@network_options
@click.argument("contract")
@click.argument("method")
@click.argument("args", nargs=-1)
@json_option
def query(
    net: Network,
    contract: str,
    method: str,
    args: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask a contract. ARGS: a JSON object, or name=value.

    \b
    Examples:
      daicho query --data tama governance organisations
      daicho query --data tama donations needs municipality=132012 priority=urgent limit=10
    """
    answer = asyncio.run(commands.query(net, contract, method, commands.arguments(args)))
    show(as_json, answer, f"at height {answer['height']}:", json.dumps(answer["result"], ensure_ascii=False, indent=2))


@click.group()
def block() -> None:
    """Blocks."""


@block.command("show")
@network_options
@click.argument("height", required=False, type=click.IntRange(min=0))
@json_option
def block_show(net: Network, height: int | None, as_json: bool) -> None:
    """A block, proved: its header and its transactions with what became of them. Without HEIGHT, the last.

    \b
    Examples:
      daicho block show --data tama 1
      daicho block show --data tama --json
    """
    found = asyncio.run(commands.block(net, height))
    show(as_json, found, *block_lines(found))
