"""A reading as a file of its own: its path to the root of its batch, and the proof that the chain has this root.

    format            daicho/reading/1
    device, channel, interval_end_ms, value     the reading; `value` null: the device had no data
    batch             the chain's id of the batch
    index, count, path                          RFC 6962: the leaf's place, how many leaves, the hashes up to the root
    proof             the proof file of the transaction that recorded the batch (`docs/proof-format.md`)

The leaf is the canonical form of (device, channel, interval_end_ms, value).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from apps.ecopoints.intake.batcher import ReadingProof, leaf_of
from apps.ecopoints.intake.planning import BATCH, CORRECTION
from apps.ecopoints.intake.tables import NO_DATA
from contracts.ecopoints.types import ECOPOINTS
from ledger import merkle
from ledger.encoding import decode
from ledger.genesis import Genesis
from ledger.light import ProvedTransaction
from ledger.proof import BadProof, check_proof

FORMAT = "daicho/reading/1"
MAX_BYTES = 2 * 1024 * 1024
MAX_PATH = 64


class ReadingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, before anything in it is believed."""

    format: str
    device: str
    channel: str
    interval_end_ms: int
    value: int | None
    batch: str
    index: int
    count: int
    path: list[str]
    proof: dict[str, object]


@dataclass(frozen=True, slots=True)
class ProvedReading:
    """What a file proves: the device's register stood there, by what the gateway recorded in this block."""

    device: str
    channel: str
    interval_end_ms: int
    value: int | None
    batch: str
    height: int
    time_ms: int


def reading_file(
    device: str, channel: str, end_ms: int, value: int, proof: ReadingProof, of_transaction: bytes
) -> bytes:
    content = ReadingFile(
        FORMAT, device, channel, end_ms, None if value == NO_DATA else value, proof.batch, proof.index, proof.count,
        [node.hex() for node in proof.path], json.loads(of_transaction),
    )  # fmt: skip
    return json.dumps(msgspec.to_builtins(content), ensure_ascii=False, indent=1).encode() + b"\n"


def check_reading(data: bytes, genesis: Genesis) -> ProvedReading:
    """`BadProof` unless the reading stands in a batch of the chain of this genesis."""
    if len(data) > MAX_BYTES:
        raise BadProof("the file is too large")
    try:
        file = msgspec.json.decode(data, type=ReadingFile)
        path = tuple(bytes.fromhex(node) for node in file.path[:MAX_PATH])
    except (ValueError, RecursionError) as error:
        raise BadProof(f"the file cannot be read: {str(error)[:200]}") from None
    if file.format != FORMAT:
        raise BadProof(f"the file is not of the form {FORMAT}")
    proof = json.dumps(file.proof, ensure_ascii=False, indent=1).encode() + b"\n"
    steps = check_proof(proof, genesis).steps
    root = _root(steps[0], file) if len(steps) == 1 else None
    if root is None:
        raise BadProof("its proof is not that of the batch of readings that it names")
    leaf = leaf_of(file.device, file.channel, file.interval_end_ms, NO_DATA if file.value is None else file.value)
    if not merkle.verify_inclusion(root, leaf, file.index, file.count, path):
        raise BadProof("the reading is not in the batch")
    header = steps[0].header
    return ProvedReading(
        file.device, file.channel, file.interval_end_ms, file.value, file.batch, header.height, header.time_ms
    )


def _root(step: ProvedTransaction, file: ReadingFile) -> bytes | None:
    """The root over the readings of the batch, if it is a batch, of that name and of so many readings."""
    body = step.transaction.body
    if body.contract != ECOPOINTS or body.method not in (BATCH, CORRECTION) or not step.receipt.done:
        return None
    arguments = decode(body.args)
    if not isinstance(arguments, dict) or step.receipt.result.get("batch") != file.batch:
        return None
    root = arguments.get("root")
    return root if isinstance(root, bytes) and arguments.get("readings") == file.count else None
