"""What the HTTP API answers, as types: the answers are encoded from them, and so are the schemas of the document.

In JSON, bytes are hexadecimal text and a struct is an object of its fields (`ledger/schema.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ledger.encoding import Wire
from ledger.light import Inclusion, ValidatorChange
from ledger.refusal import Scalar
from ledger.types import Certificate, Event, Hash, Header, Validator

FRAME_LENGTH_BYTES = 4
MAX_SUBMITTED = 256
"""Transactions in one submission."""


class BlockFrame(Wire, frozen=True):
    """One block of a range: its bytes, its certificate's (empty for the genesis), and its receipts.

    `validators`: the set that votes after the block, where the block changed it; else empty.
    """

    block: bytes
    certificate: bytes
    receipts: tuple[bytes, ...]
    validators: bytes


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    """Stable; programs decide by it."""
    message: str
    """For people, in English; it may be improved."""
    message_ja: str
    params: dict[str, Scalar]
    request_id: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """What every error looks like."""

    error: ErrorBody


class TransactionView(msgspec.Struct, frozen=True):
    """What a sender signed."""

    chain_id: bytes
    sender: str
    public_key: bytes
    contract: str
    method: str
    arguments: Any
    """The arguments as plain values; null if they are not the canonical form of any."""
    args: bytes
    nonce: bytes
    expires_at_ms: int
    signature: bytes


class ReceiptView(msgspec.Struct, frozen=True):
    """What became of it. `reason` is empty if it was done, else the code of the refusal."""

    done: bool
    reason: str
    text: str
    """The refusal as a sentence, in English; empty if it was done."""
    text_ja: str
    params: dict[str, Scalar]
    events: tuple[Event, ...]
    result: dict[str, Scalar]


class TransactionAnswer(msgspec.Struct, frozen=True):
    """A transaction and how far it has come."""

    id: bytes
    status: Literal["accepted", "committed", "everywhere"]
    """`accepted`: waits for a block; `committed`: in a certified block; `everywhere`: on all live validators' disks."""
    height: int | None = None
    index: int | None = None
    time_ms: int | None = None
    block_hash: bytes | None = None
    transaction: TransactionView | None = None
    receipt: ReceiptView | None = None
    proof: Inclusion | None = None
    on_disk_at: tuple[str, ...] = ()
    """The validators known to have the block on disk."""


class SummaryView(msgspec.Struct, frozen=True):
    """A transaction of a block in one line; the rest is at `/v1/transactions/{id}`."""

    id: bytes
    sender: str
    contract: str
    method: str
    reason: str
    """Empty if it was done, else the code of the refusal."""


class BlockView(msgspec.Struct, frozen=True):
    hash: bytes
    header: Header
    certificate: Certificate | None
    size_bytes: int
    transactions: tuple[SummaryView, ...]


class HeaderView(msgspec.Struct, frozen=True):
    hash: bytes
    header: Header


class HeaderPage(msgspec.Struct, frozen=True):
    headers: tuple[HeaderView, ...]
    next: int | None
    """The `from` of the following page; null at the end."""


class CertificateView(msgspec.Struct, frozen=True):
    header: Header
    certificate: Certificate


class ValidatorsView(msgspec.Struct, frozen=True):
    """The set that votes at `height`, the one after the head."""

    height: int
    quorum: int
    faults_survived: int
    """Lying validators."""
    members: tuple[Validator, ...]


class ValidatorChanges(msgspec.Struct, frozen=True):
    changes: tuple[ValidatorChange, ...]
    next: int | None
    """The `after` of the following page; null at the end."""


class StateView(msgspec.Struct, frozen=True):
    """A row, or proof of its absence (`value` null), under the state root of a certified header.

    `proof` are the nodes from the root towards the row.
    """

    key: bytes
    value: bytes | None
    header: Header
    certificate: Certificate | None
    proof: tuple[bytes, ...]


class RowView(msgspec.Struct, frozen=True):
    key: bytes
    value: bytes


class RowPage(msgspec.Struct, frozen=True):
    height: int
    rows: tuple[RowView, ...]
    next: bytes | None
    """The `after` of the following page; null at the end."""


class QueryView(msgspec.Struct, frozen=True):
    height: int
    """The head at which the query was answered."""
    time_ms: int
    result: Any


class HistoryView(msgspec.Struct, frozen=True):
    """One step in a subject's history."""

    cursor: str
    height: int
    index: int
    number: int
    """Which of the transaction's events."""
    time_ms: int
    transaction_id: bytes
    event: Event


class HistoryPage(msgspec.Struct, frozen=True):
    height: int
    entries: tuple[HistoryView, ...]
    next: str | None
    """The `after` of the following page; null at the end."""


class PeerView(msgspec.Struct, frozen=True):
    node_id: str
    connected: bool
    height: int | None


class StatusView(msgspec.Struct, frozen=True):
    """A node at this moment."""

    node_id: str
    network: str
    chain_id: bytes
    height: int
    head_hash: bytes
    head_time_ms: int
    round: int
    leader: str
    votes: bool
    halted: str | None
    refused_block: str | None
    """Why it gave a proposal at the current height no vote."""
    observe_through_height: int
    best_height: int
    in_sync: bool
    validators: tuple[str, ...]
    reachable: tuple[str, ...]
    quorum: int
    quorum_reachable: bool
    peers: tuple[PeerView, ...]
    pool_transactions: int
    pool_bytes: int
    pool_oldest_wait_ms: int
    equivocations: int
    misbehaved: int
    certificate_hours_left: int | None
    """Until the peer certificate expires."""
    contracts: dict[str, int]
    """The newest version of each contract in this build."""
    advice: tuple[AdviceView, ...]
    """What is wrong and what to do; empty if nothing is."""


class AdviceView(msgspec.Struct, frozen=True):
    code: str
    text: str
    text_ja: str


class EvidenceView(msgspec.Struct, frozen=True):
    """Two conflicting votes of one validator, in the byte form in which governance takes them."""

    first: bytes
    second: bytes


class EvidenceList(msgspec.Struct, frozen=True):
    evidence: tuple[EvidenceView, ...]


class LiveView(msgspec.Struct, frozen=True):
    live: bool
    node_id: str


class ReadyView(msgspec.Struct, frozen=True):
    ready: bool
    node_id: str
    height: int
    in_sync: bool
    quorum_reachable: bool
    reasons: tuple[AdviceView, ...]
    error: ErrorBody | None
    """The same in the shape of every error; null if it is ready."""


class MethodView(msgspec.Struct, frozen=True):
    name: str
    kind: Literal["call", "query"]
    about: str
    roles: tuple[str, ...]
    """A call needs one of these; `*`: every account."""
    arguments: Any
    """JSON Schema."""
    result: Any
    """JSON Schema."""


class ContractView(msgspec.Struct, frozen=True):
    name: str
    version: int
    methods: tuple[MethodView, ...]


class ContractList(msgspec.Struct, frozen=True):
    contracts: tuple[ContractView, ...]


class SubmitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    transaction: str
    """The canonical bytes of the signed transaction, in base64."""


class SubmitManyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    transactions: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_SUBMITTED)]
    """The canonical bytes of signed transactions, each in base64."""


class SubmittedTransactions(Wire, frozen=True):
    """Several signed transactions in the byte form of a submission."""

    items: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=MAX_SUBMITTED)]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one of several transactions; its receipt is at `/v1/transactions/{id}`."""

    id: Hash | None
    """None if the bytes are no transaction."""
    status: Literal["committed", "everywhere", "accepted", "refused"]
    """`refused`: it is not taken, and `error` says why. A contract's refusal is `committed` and not `done`."""
    height: int | None = None
    index: int | None = None
    done: bool | None = None
    reason: str = ""
    """The code of the contract's refusal."""
    error: ErrorBody | None = None


class Outcomes(msgspec.Struct, frozen=True):
    results: tuple[Outcome, ...]
    """One for each transaction, in the order in which they were handed in."""


class StreamEvent(msgspec.Struct, frozen=True):
    """The data of `event: event`; its id is `height.index.number`."""

    height: int
    index: int
    number: int
    time_ms: int
    transaction_id: Hash
    event: Event


class StreamBlock(msgspec.Struct, frozen=True):
    """The data of `event: block`: everything up to the end of this block has been sent; its id is the height."""

    height: int
    time_ms: int
    hash: Hash
