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
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, cast

import msgpack

from edge.readable import readable
from ledger.audit import StoredBlock
from ledger.chain import Chain
from ledger.refusal import Reason, Refused, Text
from ledger.rules import MAX_BLOCK_BYTES

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
        "{path} はブロック {height} の前で途切れています", "{path} is cut short before block {height}: it has no end"
    )
    OTHER_CHAIN = Text(
        "{path} は別の台帳の書き出しです({found}、genesis は {given})",
        "{path} is the archive of another chain ({found}) than that of the genesis ({given})",
    )
    OTHER_PART = Text(
        "途中の書き出し {path} は、この台帳とブロック {height} で異なります。取り除いてからやり直してください",
        "the part of an export in {path} differs from this chain at block {height}: remove that file and begin again",
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
    """Write an archive from its beginning, whole or not at all; how many blocks it holds."""
    part_of(path).unlink(missing_ok=True)
    with ArchiveWriter(path, form, chain_id) as writer:
        for block in blocks:
            writer.add(block)
        return writer.finish()


def part_of(path: Path) -> Path:
    """Where an archive is written until it is whole."""
    return path.with_name(path.name + ".part")


class ArchiveWriter:
    """An archive being written to `<path>.part`, moved to `path` when it is finished.

    What an interrupted export has left there is kept up to its last whole record: `count` blocks, of which `last` is
    the last. `Refused(ArchiveReason)` if it is the part of another chain.
    """

    def __init__(self, path: Path, form: Form, chain_id: bytes) -> None:
        self._path, self._form = path, form
        self._total = hashlib.sha256()
        self.count = 0
        self.last: StoredBlock | None = None
        part = part_of(path)
        kept = self._take_up(part, chain_id) if part.exists() else 0
        self._file = part.open("r+b" if kept else "wb")
        self._file.truncate(kept)
        self._file.seek(kept)
        if not kept:
            self._write(_binary_head(chain_id) if form == "archive" else _text_head(chain_id))

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, block: StoredBlock) -> None:
        self._write(_binary_record(block) if self._form == "archive" else _text_record(block))
        self.count += 1

    def finish(self) -> int:
        """Write the end and put the file in its place; how many blocks it holds."""
        end = _binary_end if self._form == "archive" else _text_end
        self._file.write(end(self.count, self._total.digest()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        part_of(self._path).replace(self._path)
        return self.count

    def _write(self, record: bytes) -> None:
        self._file.write(record)
        self._total.update(record)

    def _take_up(self, part: Path, chain_id: bytes) -> int:
        """Read what is whole of an earlier attempt; how many bytes that is."""
        reader = ArchiveReader(part)
        if reader.is_text != (self._form == "jsonl"):
            return 0
        kept = 0
        try:
            for record in reader.records():
                if record.block is None:
                    if record.chain_id is None:
                        break
                    if record.chain_id != chain_id:
                        raise Refused(ArchiveReason.OTHER_PART, path=str(part), height=0)
                else:
                    self.count, self.last = self.count + 1, record.block
                self._total.update(record.raw)
                kept += len(record.raw)
        except Refused as refused:
            if refused.reason is ArchiveReason.OTHER_PART:
                raise
        return kept


def _pack(value: object) -> bytes:
    return cast(bytes, msgpack.packb(value, use_bin_type=True))


def _binary_head(chain_id: bytes) -> bytes:
    return _pack({"format": FORMAT, "chain_id": chain_id})


def _binary_record(b: StoredBlock) -> bytes:
    payload = _pack([b.height, b.raw, b.certificate, list(b.receipts or ()), b.validators])
    return _pack([payload, hashlib.sha256(payload).digest()])


def _binary_end(count: int, total: bytes) -> bytes:
    return _pack({"blocks": count, "sha256": total})


def _text_head(chain_id: bytes) -> bytes:
    return _line({"format": FORMAT, "chain_id": chain_id.hex()})


def _text_record(b: StoredBlock) -> bytes:
    return _line(
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


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read: the head has a `chain_id`, a block's record a `block`, the end neither."""

    raw: bytes
    chain_id: bytes | None = None
    block: StoredBlock | None = None
    blocks: object = None
    total: object = None


class _Malformed(Exception):
    """What is wrong with a record."""


class ArchiveReader:
    """Reads an archive of either form. `Refused(ArchiveReason)` names the block at which it is damaged or cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self.is_text = file.read(1) == b"{"
        except OSError as error:
            raise Refused(ArchiveReason.NO_FILE, path=str(path), detail=error.strerror) from None

    def count(self) -> int | None:
        """How many blocks there are, if the end says so; for the progress bar."""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - 256))
            tail = file.read()
        try:
            if self.is_text:
                return int(json.loads(tail.splitlines()[-1])["blocks"])
            at = tail.rindex(b"\x82\xa6blocks")
            return int(msgpack.unpackb(tail[at:])["blocks"])
        except (ValueError, KeyError, TypeError, IndexError, RecursionError, msgpack.UnpackException):
            return None

    def chain_id(self) -> bytes:
        """The chain that the head names."""
        return next(self.records()).chain_id or b""

    def check_chain(self, chain_id: bytes) -> None:
        """`Refused(OTHER_CHAIN)` unless the head names this chain."""
        found = self.chain_id()
        if found != chain_id:
            params = {"path": str(self._path), "found": found.hex()[:16], "given": chain_id.hex()[:16]}
            raise Refused(ArchiveReason.OTHER_CHAIN, height=0, **params)

    def blocks(self) -> Iterator[StoredBlock]:
        """The blocks in their order; the end and its sum are checked when the last is taken."""
        for record in self.records():
            if record.block is not None:
                yield record.block

    def records(self) -> Iterator[Record]:
        """Head, blocks and end. Each record's own sum is checked when it is read, that of the file at the end."""
        total, size, height = hashlib.sha256(), 0, 0
        values = self._text_values() if self.is_text else self._binary_values()
        while True:
            try:
                found = next(values, None)
                if found is None:
                    raise Refused(ArchiveReason.CUT_SHORT, path=str(self._path), height=height)
                value, raw = found
                record = self._record(value, raw, size == 0, height)
                if record.chain_id is None and record.block is None:
                    self._check_end(record, height, total.digest(), size + len(raw))
                    yield record
                    return
            except _Malformed as malformed:
                if not size:
                    raise Refused(ArchiveReason.NOT_AN_ARCHIVE, path=str(self._path), height=0) from None
                detail = str(malformed)
                raise Refused(ArchiveReason.DAMAGED, path=str(self._path), height=height, detail=detail) from None
            yield record
            height += record.block is not None
            total.update(raw)
            size += len(raw)

    def _check_end(self, end: Record, height: int, total: bytes, size: int) -> None:
        if end.blocks != height:
            raise _Malformed(f"the end says that there are {end.blocks!s:.20} blocks")
        if end.total != total:
            raise _Malformed("the sum over the whole file does not fit")
        if size != self._path.stat().st_size:
            raise _Malformed("there is something after the end")

    def _record(self, value: object, raw: bytes, is_first: bool, height: int) -> Record:
        if is_first:
            chain_id = value.get("chain_id") if isinstance(value, dict) and value.get("format") == FORMAT else None
            if self.is_text and isinstance(chain_id, str):
                chain_id = _bytes(chain_id)
            if not isinstance(chain_id, bytes):
                raise _Malformed("it has no head")
            return Record(raw, chain_id=chain_id)
        match value:
            case {"blocks": count, "sha256_of_all": str() as total} if self.is_text:
                return Record(raw, blocks=count, total=_bytes(total))
            case {"blocks": count, "sha256": total} if not self.is_text:
                return Record(raw, blocks=count, total=total)
            case dict() if self.is_text:
                return Record(raw, block=_text_block(value, height))
            case [bytes() as payload, bytes() as digest]:
                return Record(raw, block=_binary_block(payload, digest, height))
            case _:
                raise _Malformed("it is not a block's record")

    def _binary_values(self) -> Iterator[tuple[object, bytes]]:
        """Each msgpack value of the file with its bytes."""
        with self._path.open("rb") as file, self._path.open("rb") as again:
            stream = msgpack.Unpacker(file, raw=False, max_buffer_size=MAX_RECORD_BYTES)
            at = 0
            while True:
                try:
                    value = stream.unpack()
                except msgpack.OutOfData:
                    return
                except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
                    raise _Malformed(f"not msgpack: {str(error)[:80]}") from None
                yield value, again.read(stream.tell() - at)
                at = stream.tell()

    def _text_values(self) -> Iterator[tuple[object, bytes]]:
        """Each line of the file, as JSON, whose own sum is right."""
        with self._path.open("rb") as file:
            while line := file.readline(MAX_RECORD_BYTES):
                if not line.endswith(b"\n"):
                    return
                try:
                    text, _, rest = line.decode().rpartition(_SUM)
                    fields = json.loads(line)
                except (ValueError, RecursionError):
                    raise _Malformed("it is not a line of JSON") from None
                if rest != f'{hashlib.sha256(text.encode()).hexdigest()}"}}\n':
                    raise _Malformed("its checksum does not fit")
                yield fields, line


def _bytes(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        raise _Malformed("it has digits that are not hexadecimal") from None


def _binary_block(payload: bytes, digest: bytes, height: int) -> StoredBlock:
    if hashlib.sha256(payload).digest() != digest:
        raise _Malformed("its checksum does not fit")
    try:
        fields = msgpack.unpackb(payload, raw=False)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
        raise _Malformed("it is not a block's record") from None
    return _block(fields, height)


def _block(fields: object, height: int) -> StoredBlock:
    match fields:
        case [
            int() as number,
            bytes() as block,
            (bytes() | None) as certificate,
            list() as receipts,
            (bytes() | None) as validators,
        ] if number == height and all(isinstance(r, bytes) for r in receipts):
            return StoredBlock(number, block, certificate, tuple(receipts), validators)
        case [int() as number, *_]:
            raise _Malformed(f"it is the record of block {number!s:.20}")
        case _:
            raise _Malformed("it is not a block's record")


def _text_block(fields: dict[str, object], height: int) -> StoredBlock:
    try:
        certificate, validators = fields["certificate"], fields["validators"]
        record = [
            fields["height"],
            _bytes(fields["block"]),
            None if certificate is None else _bytes(certificate),
            [_bytes(r) for r in cast("list[str]", fields["receipts"])],
            None if validators is None else _bytes(validators),
        ]
    except (KeyError, TypeError):
        raise _Malformed("it is not a block's record") from None
    block = _block(record, height)
    try:
        same = fields.get("readable") == json.loads(json.dumps(readable(block)))
    except (Refused, ValueError) as error:
        raise _Malformed(f"it cannot be made readable: {str(error)[:100]}") from None
    if not same:
        raise _Malformed("its readable part is not what its bytes say")
    return block
