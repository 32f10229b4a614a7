"""What each accepted change does to the registry: each is one rule, and refuses by name or is done whole."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from contracts.governance import changes
from contracts.governance.changes import (
    FORMER_KEYS,
    LAST_CHANGE,
    RECOVERIES,
    Change,
    FormerKey,
    LastChange,
    Recovery,
)
from contracts.governance.reasons import GovernanceReason
from ledger import crypto, registry
from ledger.contract import MAX_SUBJECTS, Context, Result
from ledger.kv import Reader
from ledger.recovery import SEAL_PREFIX, SUBJECT
from ledger.refusal import Refused
from ledger.registry import (
    ACCOUNTS,
    CONTRACT_VERSIONS,
    MAX_VALIDATORS,
    NODES,
    ONLY,
    OPERATOR,
    OPERATORS,
    ORGANISATIONS,
    PARAMETERS,
    Account,
    ContractVersion,
    ContractVersions,
    Node,
    Organisation,
    Parameters,
    Standing,
)
from ledger.types import PublicKey
from ledger.votes import in_sync_payload

MAX_STATEMENT_AGE_BLOCKS = 1_000
"""How far a statement of being in sync may lie behind the block that admits the candidate."""
MAX_ORGANISATIONS = 200
MAX_NODES = 200
"""Of all that ever were: a removed node may come back under its id, with another key."""
MAX_OPERATORS = 16
"""Of one organisation."""


def execute(ctx: Context, chain_id: bytes, change: Change) -> None:
    """Make the change, or refuse it by name."""
    match change:
        case changes.AddOrganisation():
            _add_organisation(ctx, change)
        case changes.RemoveOrganisation():
            _remove_organisation(ctx, change)
        case changes.GrantOperator():
            _grant_operator(ctx, known_account(ctx.state, change.account))
        case changes.RevokeOperator():
            account = _operator(ctx.state, change.account)
            keep_an_operator(ctx.state, account)
            registry.put_account(ctx.state, replace(account, roles=tuple(r for r in account.roles if r != OPERATOR)))
        case changes.ReplaceOperatorKeys():
            keys = tuple(dict.fromkeys(check_new_key(key) for key in change.keys))
            registry.put_account(ctx.state, replace(_operator(ctx.state, change.account), keys=keys))
        case changes.AddNode():
            _add_node(ctx, change)
        case changes.AdmitValidator():
            _admit(ctx, chain_id, change)
        case changes.ReplaceValidator():
            _stand(ctx, _validator(ctx.state, change.leaving), "observer")
            _admit(ctx, chain_id, change)
        case changes.DemoteValidator():
            _leave(ctx, _validator(ctx.state, change.node_id), "observer")
        case changes.RemoveNode():
            _remove_node(ctx, change)
        case changes.RotateNodeKey():
            _rotate_node_key(ctx, chain_id, change)
        case changes.MoveNode():
            node = known_node(ctx.state, change.node_id)
            NODES.put(ctx.state, node.node_id, replace(node, address=change.address))
        case changes.SetParameters():
            _set_parameters(ctx, change.parameters)
        case changes.ActivateContract():
            _activate(ctx, change)
        case _:
            assert_never(change)


def subjects(change: Change) -> tuple[str, ...]:
    """The things that a change is about, for their history."""
    match change:
        case changes.AddOrganisation() | changes.RemoveOrganisation():
            return (f"organisation:{change.code}",)
        case changes.GrantOperator() | changes.RevokeOperator() | changes.ReplaceOperatorKeys():
            return (f"account:{change.account}",)
        case changes.ReplaceValidator():
            return (f"node:{change.leaving}", f"node:{change.node_id}")
        case (
            changes.AddNode()
            | changes.AdmitValidator()
            | changes.DemoteValidator()
            | changes.RemoveNode()
            | changes.RotateNodeKey()
            | changes.MoveNode()
        ):
            return (f"node:{change.node_id}",)
        case changes.SetParameters():
            return ("network:parameters",)
        case changes.ActivateContract():
            return (f"contract:{change.contract}",)
        case _:
            assert_never(change)


# -- accounts and organisations ----------------------------------------------------------------------------------------


def known_account(state: Reader, account_id: str) -> Account:
    account = ACCOUNTS.get(state, account_id)
    if account is None:
        raise Refused(GovernanceReason.NO_ACCOUNT, account=account_id)
    return account


def check_new_key(key: bytes) -> PublicKey:
    if crypto.public_key(key) is None:
        raise Refused(GovernanceReason.BAD_KEY)
    return key


def operators(state: Reader, organisation: str) -> list[Account]:
    """The accounts of an organisation that have the role operator, revoked or not."""
    rows = OPERATORS.page(state, prefix=f"{organisation}/", limit=10_000)
    return [known_account(state, row_id.split("/")[1]) for row_id, _ in rows]


def keep_an_operator(state: Reader, leaving: Account) -> None:
    """An organisation must not lose its last operator: it could never act again."""
    others = (a for a in operators(state, leaving.organisation) if a.account_id != leaving.account_id)
    if OPERATOR in leaving.roles and all(a.revoked for a in others):
        raise Refused(GovernanceReason.LAST_OPERATOR, code=leaving.organisation)


def _operator(state: Reader, account_id: str) -> Account:
    account = known_account(state, account_id)
    if OPERATOR not in account.roles:
        raise Refused(GovernanceReason.NOT_AN_OPERATOR, account=account_id)
    return account


def _grant_operator(ctx: Context, account: Account) -> None:
    if len(operators(ctx.state, account.organisation)) >= MAX_OPERATORS:
        raise Refused(GovernanceReason.TOO_MANY_OPERATORS, limit=MAX_OPERATORS)
    registry.put_account(ctx.state, replace(account, roles=tuple(sorted({*account.roles, OPERATOR}))))


def _add_organisation(ctx: Context, change: changes.AddOrganisation) -> None:
    if ORGANISATIONS.get(ctx.state, change.code) is not None:
        raise Refused(GovernanceReason.ORGANISATION_EXISTS, code=change.code)
    if ACCOUNTS.get(ctx.state, change.operator) is not None:
        raise Refused(GovernanceReason.ACCOUNT_EXISTS, account=change.operator)
    if len(ORGANISATIONS.page(ctx.state, limit=MAX_ORGANISATIONS)) == MAX_ORGANISATIONS:
        raise Refused(GovernanceReason.TOO_MANY_ORGANISATIONS, limit=MAX_ORGANISATIONS)
    key = check_new_key(change.operator_key)
    ORGANISATIONS.put(ctx.state, change.code, Organisation(change.code, change.name_ja, change.name_en))
    registry.put_account(ctx.state, Account(change.operator, change.code, (OPERATOR,), (key,), False))


def _remove_organisation(ctx: Context, change: changes.RemoveOrganisation) -> None:
    if ORGANISATIONS.get(ctx.state, change.code) is None:
        raise Refused(GovernanceReason.NO_ORGANISATION, code=change.code)
    nodes = NODES.page(ctx.state, limit=MAX_NODES)
    if any(n.organisation == change.code and n.standing != "removed" for _, n in nodes):
        raise Refused(GovernanceReason.ORGANISATION_IN_USE, code=change.code)
    if len(ORGANISATIONS.page(ctx.state, limit=2)) == 1:
        raise Refused(GovernanceReason.LAST_ORGANISATION)
    for account in operators(ctx.state, change.code):
        # If the organisation ever comes back, it is with the operator that is named then.
        registry.put_account(ctx.state, replace(account, revoked=True))
    ORGANISATIONS.delete(ctx.state, change.code)


# -- nodes -------------------------------------------------------------------------------------------------------------


def known_node(state: Reader, node_id: str) -> Node:
    node = NODES.get(state, node_id)
    if node is None:
        raise Refused(GovernanceReason.NO_NODE, node=node_id)
    return node


def _validator(state: Reader, node_id: str) -> Node:
    node = known_node(state, node_id)
    if node.standing != "validator":
        raise Refused(GovernanceReason.NOT_A_VALIDATOR, node=node_id, standing=node.standing)
    return node


def _free_key(state: Reader, key: bytes) -> PublicKey:
    """A key that no node has or ever had: a signature by it says which node it is of."""
    known = any(n.public_key == key for _, n in NODES.page(state, limit=MAX_NODES))
    if known or FORMER_KEYS.get(state, key.hex()) is not None:
        raise Refused(GovernanceReason.KEY_IN_USE)
    return check_new_key(key)


def _keep_former_key(ctx: Context, node: Node) -> None:
    FORMER_KEYS.put(ctx.state, node.public_key.hex(), FormerKey(node.node_id))


def was_key_of(state: Reader, node: Node, key: bytes) -> bool:
    """Whether `key` is or was the node's."""
    former = FORMER_KEYS.get(state, key.hex())
    return key == node.public_key or (former is not None and former.node_id == node.node_id)


def _add_node(ctx: Context, change: changes.AddNode) -> None:
    if change.node_id.startswith(SEAL_PREFIX):
        raise Refused(GovernanceReason.RESERVED_NAME, node=change.node_id)
    present = NODES.get(ctx.state, change.node_id)
    if present is not None and present.standing != "removed":
        raise Refused(GovernanceReason.NODE_EXISTS, node=change.node_id)
    if present is None and len(NODES.page(ctx.state, limit=MAX_NODES)) == MAX_NODES:
        raise Refused(GovernanceReason.TOO_MANY_NODES, limit=MAX_NODES)
    if ORGANISATIONS.get(ctx.state, change.organisation) is None:
        raise Refused(GovernanceReason.NO_ORGANISATION, code=change.organisation)
    key = _free_key(ctx.state, change.public_key)
    if present is not None:
        _keep_former_key(ctx, present)
    NODES.put(ctx.state, change.node_id, Node(change.node_id, change.organisation, key, change.address, "observer"))


def _admit(ctx: Context, chain_id: bytes, change: changes.AdmitValidator | changes.ReplaceValidator) -> None:
    """Rule 13: a candidate runs as an observer first, and says itself, signed, that it is in sync."""
    node = known_node(ctx.state, change.node_id)
    if node.standing != "observer":
        raise Refused(GovernanceReason.NOT_AN_OBSERVER, node=change.node_id, standing=node.standing)
    if not ctx.height - MAX_STATEMENT_AGE_BLOCKS <= change.height < ctx.height:
        raise Refused(GovernanceReason.NOT_IN_SYNC, height=change.height, now=ctx.height)
    payload = in_sync_payload(chain_id, change.node_id, change.height, change.block_hash)
    if not crypto.verify(node.public_key, payload, change.signature):
        raise Refused(GovernanceReason.BAD_STATEMENT)
    if len(registry.validators(ctx.state)) >= MAX_VALIDATORS:
        raise Refused(GovernanceReason.TOO_MANY_VALIDATORS, limit=MAX_VALIDATORS)
    _stand(ctx, node, "validator")
    _one_change_a_block(ctx)


def _leave(ctx: Context, node: Node, standing: Standing) -> None:
    if len(registry.validators(ctx.state)) == 1:
        raise Refused(GovernanceReason.LAST_VALIDATOR)
    _stand(ctx, node, standing)
    _one_change_a_block(ctx)


def _stand(ctx: Context, node: Node, standing: Standing) -> None:
    NODES.put(ctx.state, node.node_id, replace(node, standing=standing))


def _one_change_a_block(ctx: Context) -> None:
    """The set moves from n to n ± 1 (or replaces one) at a height, never by more."""
    last = LAST_CHANGE.get(ctx.state, ONLY)
    if last is not None and last.height == ctx.height:
        raise Refused(GovernanceReason.ONE_CHANGE_A_BLOCK)
    LAST_CHANGE.put(ctx.state, ONLY, LastChange(ctx.height))


def _remove_node(ctx: Context, change: changes.RemoveNode) -> None:
    node = known_node(ctx.state, change.node_id)
    if node.standing == "validator":
        _leave(ctx, node, "removed")
    else:
        _stand(ctx, node, "removed")


def recover(ctx: Context, validators: tuple[str, ...], reason: str) -> Result:
    """The new set votes from the next height on; validators that are not in it may no longer connect."""
    if not ctx.recovering:
        raise Refused(GovernanceReason.NOT_A_RECOVERY)
    before = registry.validators(ctx.state).ids
    for node_id in validators:
        node = known_node(ctx.state, node_id)
        if node.standing == "removed":
            raise Refused(GovernanceReason.NOT_AN_OBSERVER, node=node_id, standing=node.standing)
        _stand(ctx, node, "validator")
    for node_id in before:
        if node_id not in validators:
            _stand(ctx, known_node(ctx.state, node_id), "removed")
    LAST_CHANGE.put(ctx.state, ONLY, LastChange(ctx.height))
    after = registry.validators(ctx.state).ids
    row = Recovery(reason, before, after, ctx.height, ctx.time_ms)
    RECOVERIES.put(ctx.state, f"{ctx.height:016d}", row)
    told = [SUBJECT, *(f"node:{n}" for n in sorted({*before, *after}))]
    ctx.emit("recovered", told[:MAX_SUBJECTS], reason=reason, before=", ".join(before), after=", ".join(after))
    return {"validators": ", ".join(after)}


def _rotate_node_key(ctx: Context, chain_id: bytes, change: changes.RotateNodeKey) -> None:
    node = known_node(ctx.state, change.node_id)
    key = _free_key(ctx.state, change.public_key)
    if not ctx.height - MAX_STATEMENT_AGE_BLOCKS <= change.height < ctx.height:
        raise Refused(GovernanceReason.NOT_IN_SYNC, height=change.height, now=ctx.height)
    payload = in_sync_payload(chain_id, change.node_id, change.height, change.block_hash)
    if not crypto.verify(key, payload, change.signature):
        raise Refused(GovernanceReason.BAD_STATEMENT)
    _keep_former_key(ctx, node)
    NODES.put(ctx.state, node.node_id, replace(node, public_key=key))
    if node.standing == "validator":
        _one_change_a_block(ctx)


# -- rules in force ----------------------------------------------------------------------------------------------------


def _set_parameters(ctx: Context, parameters: Parameters) -> None:
    registry.check_parameters(parameters, lambda name: Refused(GovernanceReason.BAD_PARAMETER, name=name))
    PARAMETERS.put(ctx.state, ONLY, parameters)


def _activate(ctx: Context, change: changes.ActivateContract) -> None:
    if change.from_height <= ctx.height:
        raise Refused(GovernanceReason.HEIGHT_PASSED, height=change.from_height, now=ctx.height)
    present = CONTRACT_VERSIONS.get(ctx.state, change.contract)
    # An activation still to come is replaced; what has begun stays, so that any height can be executed again.
    begun = tuple(v for v in (present.versions if present else ()) if v.from_height <= ctx.height)
    version = ContractVersion(change.contract, change.version, change.from_height)
    CONTRACT_VERSIONS.put(ctx.state, change.contract, ContractVersions((*begun, version)))
