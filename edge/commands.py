"""What the command line asks of a network through the client: writes, queries, histories, blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.client import Committed, DaichoClient, Unavailable
from edge.keys import read_key
from edge.localnet import Localnet
from edge.readable import readable_transaction
from ledger.contract import Runtime, RuntimeReason
from ledger.encoding import Value
from ledger.genesis import Genesis, load_genesis
from ledger.refusal import BrokenInvariant, Reason, Refused, Text
from ledger.schema import to_plain


class AskReason(Reason):
    BAD_ARGUMENTS = Text(
        "引数 {given} が正しくありません。JSON オブジェクトか name=value で指定してください",
        "the argument {given} is neither a JSON object nor name=value",
    )
    WRONG_TYPES = Text(
        "{contract}.{method} の引数が正しくありません: {detail}",
        "the arguments of {contract}.{method} do not fit: {detail}. They are: {known}",
    )
    NO_BLOCK = Text("ブロック {height} はまだありません", "there is no block {height} yet; the head is {head}")


@dataclass(frozen=True, slots=True)
class Network:
    """Which nodes are asked, and the genesis that their answers are proved against."""

    urls: list[str]
    genesis: Genesis


def network(data: Path, urls: Sequence[str], genesis: Path | None) -> Network:
    """From the options: addresses and genesis as named, else those of the folder `data`."""
    known = None if urls and genesis else Localnet(data)
    path = genesis or (known.genesis_path if known else data)
    return Network(list(urls) or (known.urls if known else []), load_genesis(path.read_bytes()))


def arguments(given: Sequence[str]) -> dict[str, object]:
    """Arguments from the command line: one JSON object, or `name=value` any number of times."""
    found: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if text.lstrip().startswith("{"):
                found.update(json.loads(text))
            elif equals and name.isidentifier():
                found[name] = json.loads(value) if value.startswith(("[", "{")) else value
            else:
                raise Refused(AskReason.BAD_ARGUMENTS, given=text[:80])
        except ValueError:
            raise Refused(AskReason.BAD_ARGUMENTS, given=text[:80]) from None
    return found


def typed(runtime: Runtime, contract: str, method: str, given: Mapping[str, object]) -> dict[str, Value]:
    """The arguments of a call in the method's own types: bytes from hexadecimal text, numbers from text."""
    spec = runtime.spec(contract, method)
    if spec is None or spec.kind != "call":
        raise Refused(RuntimeReason.UNKNOWN_METHOD, contract=contract, method=method)
    try:
        struct = runtime.convert(spec, given)
    except Refused as refused:
        detail = str(refused.params.get("detail"))
        known = ", ".join(spec.arguments.__struct_fields__)
        raise Refused(AskReason.WRONG_TYPES, contract=contract, method=method, detail=detail, known=known) from None
    return {name: getattr(struct, name) for name in given}


async def submit(
    net: Network, runtime: Runtime, key_file: Path, sender: str, contract: str, method: str, given: Mapping[str, object]
) -> Committed:
    """Sign, send to one node after the other until it is committed, and prove that it is."""
    key = read_key(key_file)
    async with DaichoClient(net.urls, net.genesis) as client:
        transaction = client.sign(key, sender, contract, method, typed(runtime, contract, method, given))
        committed = await client.submit(transaction)
        if committed is None:
            raise Unavailable(
                f"transaction {transaction.id.hex()} was taken, but not committed in time: there may be no quorum. "
                "It is committed once there is, unless it expires first"
            )
        return committed


async def query(net: Network, contract: str, method: str, given: Mapping[str, object]) -> dict[str, object]:
    async with DaichoClient(net.urls, net.genesis) as client:
        answer = await client.query(contract, method, given)
        return {"height": answer.height, "time_ms": answer.time_ms, "result": answer.result}


async def story(client: DaichoClient, subject: str, after: str, limit: int) -> tuple[list[dict[str, object]], str]:
    """A page of what happened to a subject, each step with its proved transaction, and where the next page begins.

    The roles are those that the sender's account has now, as the node asked says.
    """
    page = await client.history(subject, after=after, limit=limit)
    roles: dict[str, list[str]] = {}
    steps: list[dict[str, object]] = []
    for entry in page.entries:
        found = await client.find(entry.transaction_id, min_height=entry.height)
        if found is None or entry.event not in found.receipt.events:
            raise Unavailable(f"the node asked tells of block {entry.height} what its transaction does not say")
        sender = found.transaction.body.sender
        if sender not in roles:
            answer = await client.query("governance", "account", {"account": sender})
            roles[sender] = list(answer.result["roles"]) if answer.result else []
        steps.append(
            {
                "height": found.height,
                "index": found.index,
                "time_ms": found.time_ms,
                "transaction": entry.transaction_id.hex(),
                "sender": sender,
                "roles": roles[sender],
                "method": f"{found.transaction.body.contract}.{found.transaction.body.method}",
                "receipt": to_plain(found.receipt),
                "event": to_plain(entry.event),
            }
        )
    return steps, page.next or ""


async def block(net: Network, height: int | None) -> dict[str, Any]:
    """A block (the last one without a height), whole and proved: header, transactions with arguments and receipts."""
    async with DaichoClient(net.urls, net.genesis) as client:
        head = await client.head()
        wanted = head.height if height is None else height
        if wanted > head.height:
            raise Refused(AskReason.NO_BLOCK, height=wanted, head=head.height)
        async for found in client.follow(wanted - 1):
            return {
                "hash": found.header.hash.hex(),
                "header": to_plain(found.header),
                "transactions": [
                    readable_transaction(t, r) for t, r in zip(found.transactions, found.receipts, strict=True)
                ],
            }
        raise BrokenInvariant("following a chain ended")
