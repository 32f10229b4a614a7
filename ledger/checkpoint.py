"""A checkpoint: all that an audit needs to go on from a block that it has checked, without what came before. Pure.

It is the auditor's own: what it says was checked is believed, so it is kept like the notes of an audit. Its rows are
checked against the state root of its block when it is taken up, so that rows and block fit each other. The ids of the
transactions that could still be sent again (they live an hour at most) come with it: the state does not hold them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger import layout, statetree
from ledger.chain import Chain, header_of
from ledger.crypto import tagged_hash
from ledger.encoding import Wire, pack, unpack
from ledger.genesis import Genesis
from ledger.kv import KeyValue, Reader, after_prefix
from ledger.refusal import Reason, Refused, Text
from ledger.types import MAX_LIFETIME_MS, Hash, Height, TimeMs, Transaction, ValidatorSet

FORMAT = "daicho-checkpoint/1"
_TAG = b"daicho/checkpoint/1"
MAX_CHECKPOINT_BYTES = 2**31
"""No checkpoint is read beyond this."""


class CheckpointReason(Reason):
    NOT_A_CHECKPOINT = Text(
        "検証の途中経過のファイルではないか、壊れています: {detail}",
        "this is not a checkpoint, or it is damaged: {detail}. Audit from the genesis, or from another checkpoint",
    )
    OTHER_CHAIN = Text(
        "別の genesis の台帳の途中経過です({found})",
        "the checkpoint belongs to the chain of another genesis ({found}); the given genesis is that of {given}",
    )


class Row(Wire, frozen=True):
    key: bytes
    value: bytes


class Recent(Wire, frozen=True):
    """A committed transaction that has not expired at the checkpoint: a second copy of it must be refused."""

    transaction_id: Hash
    height: Height
    index: int
    expires_at_ms: TimeMs


class Checkpoint(Wire, frozen=True):
    chain_id: Hash
    height: Height
    block: bytes
    """The whole block at `height`; its header's hash is what the chain must still show there."""
    validators: ValidatorSet
    """Who votes at the next height."""
    rows: tuple[Row, ...]
    recent: tuple[Recent, ...]


class _File(Wire, frozen=True):
    format: str
    checkpoint: bytes
    checksum: Hash


def take(chain: Chain, kv: Reader, start: Checkpoint | None = None) -> Checkpoint:
    """The checkpoint of an audit that stands at the head of `chain` in `kv` and began at `start`."""
    raw = chain.raw_block(chain.height)
    rows = kv.scan(layout.STATE, after_prefix(layout.STATE))
    return Checkpoint(
        chain.chain_id,
        chain.height,
        raw or b"",
        chain.validators,
        tuple(Row(key[1:], value) for key, value in rows),
        tuple(_recent(chain, start)),
    )


def _recent(chain: Chain, start: Checkpoint | None) -> Iterator[Recent]:
    now_ms = chain.head.time_ms
    if start is not None:
        yield from (r for r in start.recent if r.expires_at_ms > now_ms)
    height = chain.height
    while height > (0 if start is None else start.height):
        block = chain.block(height)
        if block is None or block.header.time_ms + MAX_LIFETIME_MS < now_ms:
            return
        for index, raw in enumerate(block.transactions):
            transaction = Transaction.parse(raw)
            if transaction.body.expires_at_ms > now_ms:
                yield Recent(transaction.id, height, index, transaction.body.expires_at_ms)
        height -= 1


def restore(checkpoint: Checkpoint, genesis: Genesis, kv: KeyValue) -> None:
    """Fill the empty `kv` so that a chain stands at the checkpoint in it.

    `Refused(CheckpointReason)` if it is another chain's, or if its parts do not fit each other.
    """
    if checkpoint.chain_id != genesis.chain_id:
        found, given = checkpoint.chain_id.hex()[:16], genesis.chain_id.hex()[:16]
        raise Refused(CheckpointReason.OTHER_CHAIN, found=found, given=given)
    header = header_of(checkpoint.block)
    rows = {row.key: row.value for row in checkpoint.rows}
    tree = statetree.update(lambda path: None, rows)
    fits = (
        header.height == checkpoint.height
        and header.chain_id == checkpoint.chain_id
        and header.next_validators_hash == checkpoint.validators.hash
        and header.state_root == tree.root
    )
    if not fits:
        raise Refused(CheckpointReason.NOT_A_CHECKPOINT, detail="block, state and validators do not fit each other")
    batch: dict[bytes, bytes | None] = {
        layout.HEAD: checkpoint.height.to_bytes(8, "big"),
        layout.GENESIS: pack(genesis),
        layout.of_height(layout.BLOCK, checkpoint.height): checkpoint.block,
    }
    batch.update({layout.STATE + key: value for key, value in rows.items()})
    batch.update({layout.NODE + path: node for path, node in tree.writes.items()})
    batch.update({layout.TRANSACTION + r.transaction_id: layout.position(r.height, r.index) for r in checkpoint.recent})
    kv.write(batch)


def dump_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as a file holds it."""
    body = pack(checkpoint)
    return pack(_File(FORMAT, body, tagged_hash(_TAG, body)))


def load_checkpoint(data: bytes) -> Checkpoint:
    """`Refused(CheckpointReason)` if `data` is not what `dump_checkpoint` gives."""
    try:
        file = unpack(_File, data, MAX_CHECKPOINT_BYTES)
        if file.format != FORMAT:
            raise Refused(CheckpointReason.NOT_A_CHECKPOINT, detail=f"the format is not {FORMAT}")
        if tagged_hash(_TAG, file.checkpoint) != file.checksum:
            raise Refused(CheckpointReason.NOT_A_CHECKPOINT, detail="its checksum does not fit")
        return unpack(Checkpoint, file.checkpoint, MAX_CHECKPOINT_BYTES)
    except Refused as refused:
        if isinstance(refused.reason, CheckpointReason):
            raise
        raise Refused(CheckpointReason.NOT_A_CHECKPOINT, detail=str(refused)[:200]) from None
