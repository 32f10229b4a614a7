"""What can be proposed, and the rows that governance keeps beside those of `ledger/registry.py`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ledger.encoding import Wire
from ledger.registry import MAX_KEYS, Parameters
from ledger.table import Table
from ledger.types import AccountId, Hash, Height, MunicipalCode, Name, NodeId, PublicKey, Signature, TimeMs, whole
from ledger.votes import VoteKind

Address = Annotated[str, whole(r"[A-Za-z0-9._:\[\]-]{1,255}:[0-9]{1,5}")]
"""`host:port` of a node's peer port."""
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class AddOrganisation(Wire, frozen=True, tag="add_organisation"):
    """A new organisation with its first operator."""

    code: MunicipalCode
    name_ja: Label
    name_en: Label
    operator: AccountId
    operator_key: PublicKey


class RemoveOrganisation(Wire, frozen=True, tag="remove_organisation"):
    """The organisation loses its say, its operators are revoked, and nothing that its accounts sign enters a block."""

    code: MunicipalCode


class GrantOperator(Wire, frozen=True, tag="grant_operator"):
    account: AccountId


class RevokeOperator(Wire, frozen=True, tag="revoke_operator"):
    account: AccountId


class ReplaceOperatorKeys(Wire, frozen=True, tag="replace_operator_keys"):
    """Other keys for an operator whose own are lost, so that its organisation can act again."""

    account: AccountId
    keys: Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]


class AddNode(Wire, frozen=True, tag="add_node"):
    """A node that may connect and observe."""

    node_id: NodeId
    organisation: MunicipalCode
    public_key: PublicKey
    address: Address


class AdmitValidator(Wire, frozen=True, tag="admit_validator"):
    """An observer votes from now on. Rule 13: it carries the candidate's own signed statement that it is in sync."""

    node_id: NodeId
    height: Height
    block_hash: Hash
    signature: Signature


class ReplaceValidator(Wire, frozen=True, tag="replace_validator"):
    """One validator out and an observer in, in one step."""

    leaving: NodeId
    node_id: NodeId
    height: Height
    block_hash: Hash
    signature: Signature


class DemoteValidator(Wire, frozen=True, tag="demote_validator"):
    """A validator stops voting and goes on as an observer."""

    node_id: NodeId


class RemoveNode(Wire, frozen=True, tag="remove_node"):
    """A node may no longer connect, and does not vote."""

    node_id: NodeId


class RotateNodeKey(Wire, frozen=True, tag="rotate_node_key"):
    """Another key for a node, without leaving the set. `signature`: by the new key, over the same statement."""

    node_id: NodeId
    public_key: PublicKey
    height: Height
    block_hash: Hash
    signature: Signature


class MoveNode(Wire, frozen=True, tag="move_node"):
    node_id: NodeId
    address: Address


class SetParameters(Wire, frozen=True, tag="set_parameters"):
    parameters: Parameters


class ActivateContract(Wire, frozen=True, tag="activate_contract"):
    """From a height still to come, a contract runs in another version."""

    contract: Name
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    from_height: Height


Change = (
    AddOrganisation
    | RemoveOrganisation
    | GrantOperator
    | RevokeOperator
    | ReplaceOperatorKeys
    | AddNode
    | AdmitValidator
    | ReplaceValidator
    | DemoteValidator
    | RemoveNode
    | RotateNodeKey
    | MoveNode
    | SetParameters
    | ActivateContract
)

Status = Literal["open", "done", "withdrawn", "expired"]


class Proposal(Wire, frozen=True):
    """A change on its way: who proposed it, who approved, until when it can be approved."""

    change: Change
    proposer: MunicipalCode
    approvals: tuple[MunicipalCode, ...]
    proposed_ms: TimeMs
    expires_ms: TimeMs
    status: Status


class OpenCount(Wire, frozen=True):
    """How many open proposals an organisation has."""

    count: int


class LastChange(Wire, frozen=True):
    """The height of the last change of the validator set."""

    height: Height


class FormerKey(Wire, frozen=True):
    """The node that a key belonged to before it got another: what it signed then still binds it."""

    node_id: NodeId


class Evidence(Wire, frozen=True):
    """Two different votes of one node for one step, with their signatures: anybody can check them."""

    node_id: NodeId
    kind: VoteKind
    height: Height
    round: int
    public_key: PublicKey
    first_body: bytes
    first_signature: Signature
    second_body: bytes
    second_signature: Signature
    recorded_ms: TimeMs


class Recovery(Wire, frozen=True):
    """The quorum was lost for good, and the recovery keys named another set: from which to which, and why."""

    reason: str
    before: tuple[NodeId, ...]
    after: tuple[NodeId, ...]
    height: Height
    recovered_ms: TimeMs


RECOVERIES = Table("governance", "recovery", Recovery)
PROPOSALS = Table("governance", "proposal", Proposal)
OPEN_COUNTS = Table("governance", "open", OpenCount)
LAST_CHANGE = Table("governance", "last_change", LastChange)
FORMER_KEYS = Table("governance", "former_key", FormerKey)
"""Hexadecimal key -> the node that it was of."""
EVIDENCE = Table("governance", "evidence", Evidence)
