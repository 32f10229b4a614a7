"""The values of the ledger: transactions, headers, blocks, certificates, receipts, validators. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import msgspec

from ledger import crypto
from ledger.encoding import Wire, pack, unpack
from ledger.refusal import Reason, Refused, Scalar, Text


def whole(pattern: str) -> msgspec.Meta:
    """Text that is `pattern` from its first to its last character.

    A `$` alone also matches before a last line break, so that two ids could differ in nothing that can be seen.
    """
    return msgspec.Meta(pattern=f"^{pattern}$(?!\\n)")


Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Nonce = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Name = Annotated[str, whole(r"[a-z][a-z0-9_]{0,47}")]
"""A contract or method name."""
NodeId = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,31}")]
AccountId = Annotated[str, whole(r"[a-z0-9][a-z0-9.-]{0,63}")]
MunicipalCode = Annotated[str, whole(r"[0-9]{6}")]
"""全国地方公共団体コード, six digits with its check digit."""
TimeMs = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Height = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Round = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]

MAX_TRANSACTION_BYTES = 64 * 1024
MAX_LIFETIME_MS = 60 * 60 * 1000
ZERO_HASH = bytes(32)


class TransactionReason(Reason):
    """Why a transaction never enters a block."""

    FOREIGN_CHAIN = Text("別の台帳に宛てた取引です", "the transaction is addressed to another chain")
    BAD_SIGNATURE = Text("取引の署名が正しくありません", "the transaction's signature is not valid")
    EXPIRED = Text(
        "取引の有効期限({expires_at_ms})を過ぎています", "the transaction expired at {expires_at_ms} (now {now_ms})"
    )
    EXPIRES_TOO_LATE = Text(
        "有効期限は1時間以内にしてください",
        "the transaction expires more than an hour ahead ({expires_at_ms}, now {now_ms})",
    )
    DUPLICATE = Text(
        "この取引は既に台帳に記録されています", "the transaction is already in the chain, at height {height}"
    )
    UNKNOWN_ACCOUNT = Text("アカウント {account} は登録されていません", "there is no account {account}")
    REVOKED_ACCOUNT = Text("アカウント {account} は停止されています", "the account {account} is revoked")
    UNKNOWN_KEY = Text("この鍵はアカウント {account} のものではありません", "the key is not one of account {account}")


class TransactionBody(Wire, frozen=True):
    """What a sender signs. `args` is the canonical form of a map; the contract's method gives its types."""

    chain_id: Hash
    sender: AccountId
    public_key: PublicKey
    contract: Name
    method: Name
    args: bytes
    nonce: Nonce
    expires_at_ms: TimeMs


class SignedTransaction(Wire, frozen=True):
    """A transaction as it travels: the body's bytes as they were signed, never encoded again on the way."""

    body: bytes
    signature: Signature


TRANSACTION_TAG = b"daicho/transaction/1"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that was read: its bytes, its parts, and its id (the hash of the signed body)."""

    raw: bytes
    signing_payload: bytes
    body: TransactionBody
    signature: bytes
    id: bytes

    @staticmethod
    def parse(raw: bytes) -> Transaction:
        """`Refused(EncodingReason | TransactionReason)` if `raw` is not the canonical form of a transaction.

        The signature is not checked here: see `is_signed`.
        """
        signed = unpack(SignedTransaction, raw, MAX_TRANSACTION_BYTES)
        body = unpack(TransactionBody, signed.body, MAX_TRANSACTION_BYTES)
        return Transaction(
            raw, TRANSACTION_TAG + b"\x00" + signed.body, body, signed.signature, transaction_id(signed.body)
        )

    @staticmethod
    def sign(body: TransactionBody, key: crypto.SigningKey) -> Transaction:
        if key.public_key != body.public_key:
            raise Refused(TransactionReason.UNKNOWN_KEY, account=body.sender)
        body_bytes = pack(body)
        payload = TRANSACTION_TAG + b"\x00" + body_bytes
        signature = key.sign(payload)
        raw = pack(SignedTransaction(body_bytes, signature))
        return Transaction(raw, payload, body, signature, transaction_id(body_bytes))

    def is_signed(self) -> bool:
        """Whether the signature is that of the body's own public key. About 100 µs: check once a node."""
        return crypto.verify(self.body.public_key, self.signing_payload, self.signature)


def transaction_id(body: bytes) -> bytes:
    return crypto.tagged_hash(TRANSACTION_TAG, body)


class Event(Wire, frozen=True):
    """Something that happened, with the things it happened to (`need:…`, `account:…`), for the history index."""

    name: Name
    subjects: tuple[str, ...]
    data: dict[str, Scalar]


class Receipt(Wire, frozen=True):
    """What became of a transaction in a block. `reason` is empty if it was done, else the code of the refusal.

    A refused transaction changed nothing: it has no events and no result, only `params` that fill the reason's text.
    """

    transaction_id: Hash
    reason: str
    params: dict[str, Scalar]
    events: tuple[Event, ...]
    result: dict[str, Scalar]

    @property
    def done(self) -> bool:
        return self.reason == ""


class Validator(Wire, frozen=True):
    node_id: NodeId
    organisation: MunicipalCode
    public_key: PublicKey


class ValidatorSet(Wire, frozen=True, dict=True):
    """The nodes that vote at a height, sorted by id. What follows from the members is worked out once for each set."""

    members: tuple[Validator, ...]

    def find(self, node_id: str) -> Validator | None:
        return self._by_id.get(node_id)

    @cached_property
    def _by_id(self) -> dict[str, Validator]:
        return {v.node_id: v for v in self.members}

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(v.node_id for v in self.members)

    @cached_property
    def hash(self) -> bytes:
        return crypto.tagged_hash(b"daicho/validators/1", pack(self))

    @property
    def faults(self) -> int:
        """f: how many lying validators are survived, floor((n - 1) / 3)."""
        return (len(self.members) - 1) // 3

    @property
    def quorum(self) -> int:
        """q = floor((n + f) / 2) + 1: any two quorums share more than f validators."""
        return (len(self.members) + self.faults) // 2 + 1

    @staticmethod
    def of(members: Sequence[Validator]) -> ValidatorSet:
        return ValidatorSet(tuple(sorted(members, key=lambda v: v.node_id)))


class Header(Wire, frozen=True):
    """A block's header. Its hash names the block, whatever the round in which it was decided."""

    chain_id: Hash
    height: Height
    parent_hash: Hash
    time_ms: TimeMs
    proposer: str
    transaction_count: int
    transactions_root: Hash
    receipts_root: Hash
    state_root: Hash
    validators_hash: Hash
    next_validators_hash: Hash

    @property
    def hash(self) -> bytes:
        return crypto.tagged_hash(b"daicho/header/1", pack(self))


class Block(Wire, frozen=True):
    """A header and the transactions it commits to, as their senders' bytes."""

    header: Header
    transactions: tuple[bytes, ...]


class Seal(Wire, frozen=True):
    """One validator's signed COMMIT: `signature` is over `ledger.votes.commit_payload`."""

    node_id: NodeId
    signature: Signature


class Certificate(Wire, frozen=True):
    """The proof that a quorum decided a block: COMMITs of distinct validators of that height's set."""

    height: Height
    round: Round
    block_hash: Hash
    seals: tuple[Seal, ...]
