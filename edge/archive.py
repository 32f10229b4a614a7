"""Archives: a whole chain in one file, from which everything else can be computed again, for auditors and backups.

Two forms of the same records. The binary one is a stream of msgpack values: a head, one record a block, an end. The
text one has the same as JSON Lines, with each block also in readable words. In both, each record carries its own
SHA-256 and the end that of all before it, so that a damaged or cut file is known at once, and at which block. What the
records say is proved by `daicho verify`, not by these sums. A block that changed the validator set comes with the set,
so that a reader who executes nothing can check the certificates after it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, cast

import msgpack

from ledger.audit import StoredBlock
from ledger.chain import Chain
from ledger.encoding import decode, unpack
from ledger.refusal import Reason, Refused, Text
from ledger.rules import MAX_BLOCK_BYTES
from ledger.schema import to_plain
from ledger.types import Block, Certificate, Receipt, Transaction

FORMAT = "daicho-archive/1"
MAX_RECORD_BYTES = 4 * MAX_BLOCK_BYTES
_SUM = ',"sha256":"'

Form = Literal["archive", "jsonl"]


class ArchiveReason(Reason):
    NO_FILE = Text("{path} を開けません: {detail}", "{path} cannot be opened: {detail}")
    NOT_AN_ARCHIVE = Text("{path} は台帳の書き出しではありません", "{path} is not an archive of a chain")
    DAMAGED = Text(
        "{path} のブロック {height} の記録が壊れています: {detail}",
        "{path} is damaged at the record of block {height}: {detail}",
    )
    CUT_SHORT = Text(
        "{path} はブロック {height} の後で途切れています", "{path} is cut short after block {height}: it has no end"
    )


def blocks_of(chain: Chain, from_height: int = 0) -> Iterator[StoredBlock]:
    """The blocks of a chain, as far as they are there."""
    height = from_height
    while (raw := chain.raw_block(height)) is not None:
        receipts, validators = chain.raw_receipts(height), chain.raw_validators(height)
        yield StoredBlock(height, raw, chain.raw_certificate(height), receipts, validators)
        height += 1


# -- writing -----------------------------------------------------------------------------------------------------------


def write_archive(path: Path, form: Form, chain_id: bytes, blocks: Iterable[StoredBlock]) -> int:
    """Write an archive, whole or not at all; how many blocks it holds."""
    building = path.with_name(path.name + ".tmp")
    records = _binary_records if form == "archive" else _text_records
    total = hashlib.sha256()
    count = 0
    with building.open("wb") as file:
        for record in records(chain_id, blocks):
            file.write(record)
            total.update(record)
            count += 1
        file.write(
            _binary_end(count - 1, total.digest()) if form == "archive" else _text_end(count - 1, total.digest())
        )
    building.replace(path)
    return count - 1


def _binary_records(chain_id: bytes, blocks: Iterable[StoredBlock]) -> Iterator[bytes]:
    yield _pack({"format": FORMAT, "chain_id": chain_id})
    for b in blocks:
        payload = _pack([b.height, b.raw, b.certificate, list(b.receipts or ()), b.validators])
        yield _pack([payload, hashlib.sha256(payload).digest()])


def _binary_end(count: int, total: bytes) -> bytes:
    return _pack({"blocks": count, "sha256": total})


def _pack(value: object) -> bytes:
    return cast(bytes, msgpack.packb(value, use_bin_type=True))


def _text_records(chain_id: bytes, blocks: Iterable[StoredBlock]) -> Iterator[bytes]:
    yield _line({"format": FORMAT, "chain_id": chain_id.hex()})
    for b in blocks:
        yield _line(
            {
                "height": b.height,
                "block": b.raw.hex(),
                "certificate": None if b.certificate is None else b.certificate.hex(),
                "receipts": [r.hex() for r in b.receipts or ()],
                "validators": None if b.validators is None else b.validators.hex(),
                "readable": readable(b),
            }
        )


def _text_end(count: int, total: bytes) -> bytes:
    return _line({"blocks": count, "sha256_of_all": total.hex()})


def _line(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:-1]
    return f'{text}{_SUM}{hashlib.sha256(text.encode()).hexdigest()}"}}\n'.encode()


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


# -- reading -----------------------------------------------------------------------------------------------------------


class ArchiveReader:
    """Reads an archive of either form. `Refused(ArchiveReason)` names the block at which it is damaged or cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._is_text = file.read(1) == b"{"
        except OSError as error:
            raise Refused(ArchiveReason.NO_FILE, path=str(path), detail=error.strerror) from None

    def count(self) -> int | None:
        """How many blocks there are, if the end says so; for the progress bar."""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - 256))
            tail = file.read()
        try:
            if self._is_text:
                return int(json.loads(tail.splitlines()[-1])["blocks"])
            at = tail.rindex(b"\x82\xa6blocks")
            return int(msgpack.unpackb(tail[at:])["blocks"])
        except (ValueError, KeyError, TypeError, IndexError, msgpack.UnpackException):
            return None

    def blocks(self) -> Iterator[StoredBlock]:
        """The blocks in their order; the end and its sum are checked when the last is taken."""
        yield from self._text_blocks() if self._is_text else self._binary_blocks()

    def _damaged(self, height: int, detail: str) -> Refused:
        return Refused(ArchiveReason.DAMAGED, path=str(self._path), height=height, detail=detail)

    def _binary_blocks(self) -> Iterator[StoredBlock]:
        total, height, begun = hashlib.sha256(), 0, False
        with self._path.open("rb") as file:
            stream = msgpack.Unpacker(file, raw=False, max_buffer_size=MAX_RECORD_BYTES)
            while True:
                try:
                    value = stream.unpack()
                except msgpack.OutOfData:
                    raise Refused(ArchiveReason.CUT_SHORT, path=str(self._path), height=height - 1) from None
                except (ValueError, msgpack.UnpackException) as error:
                    raise self._damaged(height, f"not msgpack: {str(error)[:80]}") from None
                if not begun:
                    if not isinstance(value, dict) or value.get("format") != FORMAT:
                        raise Refused(ArchiveReason.NOT_AN_ARCHIVE, path=str(self._path))
                    begun = True
                elif isinstance(value, dict):
                    self._check_end(value.get("blocks"), value.get("sha256"), height, total.digest())
                    if file.read(1) or stream.tell() != self._path.stat().st_size:
                        raise self._damaged(height, "there is something after the end")
                    return
                else:
                    yield self._binary_block(value, height)
                    height += 1
                total.update(_pack(value))

    def _binary_block(self, value: object, height: int) -> StoredBlock:
        match value:
            case [bytes() as payload, bytes() as digest]:
                if hashlib.sha256(payload).digest() != digest:
                    raise self._damaged(height, "its checksum does not fit")
                try:
                    fields = msgpack.unpackb(payload, raw=False)
                except (ValueError, msgpack.UnpackException):
                    raise self._damaged(height, "it is not a block's record") from None
                return self._block(fields, height)
            case _:
                raise self._damaged(height, "it is not a block's record")

    def _block(self, fields: object, height: int) -> StoredBlock:
        match fields:
            case [
                int() as number,
                bytes() as block,
                (bytes() | None) as certificate,
                list() as receipts,
                (bytes() | None) as validators,
            ] if number == height and all(isinstance(r, bytes) for r in receipts):
                return StoredBlock(number, block, certificate, tuple(receipts), validators)
            case _:
                raise self._damaged(height, "it is not the record of this block")

    def _text_blocks(self) -> Iterator[StoredBlock]:
        total, height, begun = hashlib.sha256(), 0, False
        with self._path.open("rb") as file:
            while line := file.readline(MAX_RECORD_BYTES):
                fields = self._text_record(line, height)
                if not begun:
                    if fields.get("format") != FORMAT:
                        raise Refused(ArchiveReason.NOT_AN_ARCHIVE, path=str(self._path))
                    begun = True
                elif "blocks" in fields:
                    self._check_end(
                        fields["blocks"], bytes.fromhex(str(fields.get("sha256_of_all"))), height, total.digest()
                    )
                    if file.read(1):
                        raise self._damaged(height, "there is something after the end")
                    return
                else:
                    yield self._text_block(fields, height)
                    height += 1
                total.update(line)
        raise Refused(ArchiveReason.CUT_SHORT, path=str(self._path), height=height - 1)

    def _text_record(self, line: bytes, height: int) -> dict[str, object]:
        try:
            text, _, rest = line.decode().rpartition(_SUM)
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise self._damaged(height, "it is not a line of JSON") from None
        if rest != f'{hashlib.sha256(text.encode()).hexdigest()}"}}\n' or not isinstance(fields, dict):
            raise self._damaged(height, "its checksum does not fit")
        return fields

    def _text_block(self, fields: dict[str, object], height: int) -> StoredBlock:
        try:
            certificate, validators = fields["certificate"], fields["validators"]
            record = [
                fields["height"],
                bytes.fromhex(str(fields["block"])),
                None if certificate is None else bytes.fromhex(str(certificate)),
                [bytes.fromhex(r) for r in cast("list[str]", fields["receipts"])],
                None if validators is None else bytes.fromhex(str(validators)),
            ]
        except (KeyError, ValueError, TypeError):
            raise self._damaged(height, "it is not a block's record") from None
        block = self._block(record, height)
        if fields.get("readable") != json.loads(json.dumps(readable(block))):
            raise self._damaged(height, "its readable part is not what its bytes say")
        return block

    def _check_end(self, count: object, digest: object, height: int, total: bytes) -> None:
        if count != height:
            raise self._damaged(height, f"the end says that there are {count} blocks")
        if digest != total:
            raise self._damaged(height, "the sum over the whole file does not fit")
