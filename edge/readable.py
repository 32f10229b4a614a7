"""Blocks in plain values for people and spreadsheets: whole, or a row a transaction, by contract and period.

Rows prove nothing by themselves: each names its block and transaction, which `daicho prove` proves.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Literal

from ledger.audit import StoredBlock
from ledger.contract import Runtime
from ledger.encoding import decode, unpack
from ledger.refusal import Reason, Refused, Text
from ledger.schema import to_plain
from ledger.types import Block, Certificate, Receipt, Transaction

JST = timezone(timedelta(hours=9))
COLUMNS = (
    "height",
    "index",
    "time_jst",
    "time_ms",
    "transaction",
    "sender",
    "contract",
    "method",
    "outcome",
    "reason",
    "reason_ja",
    "reason_en",
    "arguments",
    "result",
    "events",
)
"""Of an extract, in this order; columns may be added at the end, none is moved or renamed."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, object]
RowForm = Literal["jsonl", "csv"]


class ReadableReason(Reason):
    BAD_TIME = Text(
        "{text} は日付でも日時でもありません(例: 2026-06-01、2026-06-01T09:00+09:00)",
        "{text} is neither a date nor a time. Examples: 2026-06-01 (Japan time), 2026-06-01T09:00+09:00",
    )


def readable(block: StoredBlock) -> dict[str, object]:
    """The block in plain values: header, certificate, transactions with their arguments and receipts."""
    whole = unpack(Block, block.raw, len(block.raw))
    certificate = None if block.certificate is None else unpack(Certificate, block.certificate)
    receipts = [unpack(Receipt, raw, len(raw)) for raw in block.receipts or ()]
    transactions = [Transaction.parse(raw) for raw in whole.transactions]
    return {
        "hash": whole.header.hash.hex(),
        "header": to_plain(whole.header),
        "certificate": to_plain(certificate),
        "transactions": [readable_transaction(t, r) for t, r in zip(transactions, receipts, strict=True)],
    }


def readable_transaction(transaction: Transaction, receipt: Receipt) -> dict[str, object]:
    """Who called what with which arguments, and what became of it."""
    body = transaction.body
    return {
        "id": transaction.id.hex(),
        "sender": body.sender,
        "contract": body.contract,
        "method": body.method,
        "args": _arguments(body.args),
        "expires_at_ms": body.expires_at_ms,
        "receipt": to_plain(receipt),
    }


def _arguments(args: bytes) -> object:
    try:
        return to_plain(decode(args))
    except Refused:
        return args.hex()


# -- rows --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """Which transactions: of these contracts (all, if none is named), in blocks of from_ms <= time < until_ms."""

    contracts: tuple[str, ...] = ()
    from_ms: int | None = None
    until_ms: int | None = None


def moment_ms(text: str, *, end: bool) -> int:
    """A date (all of that day in Japan) or an ISO time (in Japan, if it names no zone), in ms since 1970.

    `end`: the moment after it: of a date, the next day's beginning. `Refused(BAD_TIME)` for anything else.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(ReadableReason.BAD_TIME, text=text[:40]) from None
        return round((time if time.tzinfo else time.replace(tzinfo=JST)).timestamp() * 1000)
    midnight = datetime(day.year, day.month, day.day, tzinfo=JST)
    return round((midnight + timedelta(days=end)).timestamp() * 1000)


def rows(blocks: Iterable[StoredBlock], selection: Selection, runtime: Runtime) -> Iterator[Row]:
    """A row for each transaction of the selection, in the chain's order. `Refused` if a block cannot be read."""
    for block in blocks:
        whole = unpack(Block, block.raw, len(block.raw))
        time_ms = whole.header.time_ms
        if selection.until_ms is not None and time_ms >= selection.until_ms:
            return  # no block's time is before its parent's
        if selection.from_ms is not None and time_ms < selection.from_ms:
            continue
        for index, (raw, receipt) in enumerate(zip(whole.transactions, block.receipts or (), strict=False)):
            transaction = Transaction.parse(raw)
            if not selection.contracts or transaction.body.contract in selection.contracts:
                place = {"height": block.height, "index": index, "time_ms": time_ms}
                yield _row(place, transaction, unpack(Receipt, receipt, len(receipt)), runtime)


def _row(place: Mapping[str, int], transaction: Transaction, receipt: Receipt, runtime: Runtime) -> Row:
    body = transaction.body
    found = {
        **place,
        "time_jst": datetime.fromtimestamp(place["time_ms"] / 1000, JST).isoformat(timespec="milliseconds"),
        "transaction": transaction.id.hex(),
        "sender": body.sender,
        "contract": body.contract,
        "method": body.method,
        "outcome": "done" if receipt.done else "refused",
        "reason": receipt.reason,
        "reason_ja": "" if receipt.done else runtime.reason_text(receipt.reason, receipt.params, "ja"),
        "reason_en": "" if receipt.done else runtime.reason_text(receipt.reason, receipt.params, "en"),
        "arguments": _arguments(body.args),
        "result": to_plain(receipt.result),
        "events": to_plain(receipt.events),
    }
    return {column: found[column] for column in COLUMNS}


def row_lines(found: Iterable[Row], form: RowForm) -> Iterator[bytes]:
    """The rows as a file's lines: JSON Lines, or CSV that a spreadsheet program opens right with a double click."""
    if form == "jsonl":
        for row in found:
            yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        return
    yield _csv_line(COLUMNS).encode("utf-8-sig")
    for row in found:
        yield _csv_line([_cell(row[column]) for column in COLUMNS]).encode()


def _cell(value: object) -> str | int:
    match value:
        case int():
            return value
        case str():
            # A spreadsheet program must not run what somebody has written as a formula.
            return f"'{value}" if value.startswith(FORMULA_STARTS) else value
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _csv_line(cells: Iterable[str | int]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue()
