"""The governance contract: an organisation's own accounts, and what only a quorum of the organisations may change."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec.structs import replace

from contracts.governance import changes, execution
from contracts.governance.changes import (
    EVIDENCE,
    OPEN_COUNTS,
    PROPOSALS,
    RECOVERIES,
    Change,
    Evidence,
    OpenCount,
    Proposal,
    Recovery,
)
from contracts.governance.execution import check_new_key, keep_an_operator, known_account, known_node
from contracts.governance.reasons import GovernanceReason
from contracts.paging import After, Limit
from ledger import crypto, registry
from ledger.contract import ANYBODY, Context, Contract, QueryContext, Result, call, query
from ledger.encoding import unpack
from ledger.kv import Reader
from ledger.refusal import Refused
from ledger.registry import (
    ACCOUNTS,
    CONTRACT_VERSIONS,
    MAX_KEYS,
    MAX_ROLES,
    NODES,
    OPERATOR,
    ORGANISATIONS,
    Account,
    ContractVersions,
    Node,
    Organisation,
    Parameters,
    Role,
)
from ledger.types import AccountId, Hash, Height, MunicipalCode, Name, NodeId, PublicKey, Signature, ValidatorSet, whole
from ledger.votes import RoundChangeStep, Step, VoteKind, payload

PROPOSAL_LIFETIME_MS = 14 * 24 * 60 * 60 * 1000
MAX_OPEN_PROPOSALS = 20
"""Open proposals of one organisation at a time."""

Roles = Annotated[tuple[Role, ...], msgspec.Meta(max_length=MAX_ROLES)]
Keys = Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]
Body = Annotated[bytes, msgspec.Meta(max_length=512)]
NodeIds = Annotated[tuple[NodeId, ...], msgspec.Meta(min_length=1, max_length=registry.MAX_VALIDATORS)]
ReasonCode = Annotated[str, whole(r"[a-z][a-z_]{0,47}")]
"""Why, as a code (`sites_destroyed`, `keys_lost` …); words stay in the minutes of those who signed."""


class ProposalView(msgspec.Struct, frozen=True):
    proposal_id: str
    kind: str
    proposal: Proposal
    approvals_needed: int


class EvidenceView(msgspec.Struct, frozen=True):
    evidence_id: str
    evidence: Evidence


def organisations_quorum(state: Reader) -> int:
    """How many organisations must approve a change: with n of them, floor((n + floor((n - 1) / 3)) / 2) + 1."""
    n = len(ORGANISATIONS.page(state, limit=execution.MAX_ORGANISATIONS))
    return (n + (n - 1) // 3) // 2 + 1


def _own_account(ctx: Context, account_id: str) -> Account:
    account = known_account(ctx.state, account_id)
    if account.organisation != ctx.sender.organisation:
        raise Refused(GovernanceReason.OTHER_ORGANISATION, code=account.organisation)
    return account


def _save(ctx: Context, account: Account, event: str) -> None:
    registry.put_account(ctx.state, account)
    ctx.emit(event, [f"account:{account.account_id}"], organisation=account.organisation)


def _ordinary(roles: tuple[str, ...]) -> tuple[str, ...]:
    if OPERATOR in roles:
        raise Refused(GovernanceReason.OPERATOR_ROLE)
    return tuple(sorted(set(roles)))


class Governance(Contract):
    name = "governance"
    version = 1
    reasons = (GovernanceReason,)

    # -- an organisation's own accounts --------------------------------------------------------------------------------

    @call(roles=[OPERATOR])
    def create_account(self, ctx: Context, account: AccountId, roles: Roles, keys: Keys) -> Result:
        """An operator registers an account of its own organisation, with any role but operator."""
        if ACCOUNTS.get(ctx.state, account) is not None:
            raise Refused(GovernanceReason.ACCOUNT_EXISTS, account=account)
        keys = tuple(dict.fromkeys(check_new_key(k) for k in keys))
        _save(ctx, Account(account, ctx.sender.organisation, _ordinary(roles), keys, False), "account_created")
        return {"account": account}

    @call(roles=[OPERATOR])
    def set_roles(self, ctx: Context, account: AccountId, roles: Roles) -> Result:
        """An operator changes the roles of an account of its own organisation; the role operator stays as it is."""
        a = _own_account(ctx, account)
        kept = (OPERATOR,) if OPERATOR in a.roles else ()
        roles = tuple(sorted({*_ordinary(roles), *kept}))
        _save(ctx, replace(a, roles=roles), "roles_changed")
        return None

    @call(roles=[OPERATOR])
    def revoke_account(self, ctx: Context, account: AccountId) -> Result:
        """An operator stops an account of its own organisation: nothing it signs enters a block any more."""
        a = _own_account(ctx, account)
        keep_an_operator(ctx.state, a)
        _save(ctx, replace(a, revoked=True), "account_revoked")
        return None

    @call(roles=[OPERATOR])
    def restore_account(self, ctx: Context, account: AccountId) -> Result:
        """An operator lets a revoked account of its own organisation sign again."""
        a = _own_account(ctx, account)
        _save(ctx, replace(a, revoked=False), "account_restored")
        return None

    @call(roles=[OPERATOR])
    def replace_keys(self, ctx: Context, account: AccountId, keys: Keys) -> Result:
        """An operator gives an account of its own organisation other keys, for instance after a loss."""
        a = _own_account(ctx, account)
        if OPERATOR in a.roles and a.account_id != ctx.sender.account_id:
            raise Refused(GovernanceReason.OPERATOR_ROLE)
        keys = tuple(dict.fromkeys(check_new_key(k) for k in keys))
        _save(ctx, replace(a, keys=keys), "keys_replaced")
        return None

    @call(roles=[ANYBODY])
    def add_key(self, ctx: Context, key: PublicKey) -> Result:
        """An account adds a key to itself: the first half of rotating one."""
        a = ctx.sender
        if key in a.keys:
            raise Refused(GovernanceReason.KEY_IN_USE)
        if len(a.keys) == MAX_KEYS:
            raise Refused(GovernanceReason.TOO_MANY_KEYS, limit=MAX_KEYS)
        keys = (*a.keys, check_new_key(key))
        _save(ctx, replace(a, keys=keys), "key_added")
        return None

    @call(roles=[ANYBODY])
    def remove_key(self, ctx: Context, key: PublicKey) -> Result:
        """An account drops one of its keys: the second half of rotating one."""
        a = ctx.sender
        if key not in a.keys:
            raise Refused(GovernanceReason.NO_KEY)
        keys = tuple(k for k in a.keys if k != key)
        if not keys:
            raise Refused(GovernanceReason.LAST_KEY)
        _save(ctx, replace(a, keys=keys), "key_removed")
        return None

    # -- what a quorum of the organisations changes --------------------------------------------------------------------

    @call(roles=[OPERATOR])
    def propose_organisation(
        self, ctx: Context, code: MunicipalCode, name_ja: changes.Label, name_en: changes.Label,
        operator: AccountId, operator_key: PublicKey,
    ) -> Result:  # fmt: skip
        """Propose a new organisation with its first operator."""
        return self._propose(ctx, changes.AddOrganisation(code, name_ja, name_en, operator, operator_key))

    @call(roles=[OPERATOR])
    def propose_organisation_removal(self, ctx: Context, code: MunicipalCode) -> Result:
        """Propose that an organisation without nodes loses its say."""
        return self._propose(ctx, changes.RemoveOrganisation(code))

    @call(roles=[OPERATOR])
    def propose_operator(self, ctx: Context, account: AccountId) -> Result:
        """Propose that an account becomes an operator of its organisation."""
        return self._propose(ctx, changes.GrantOperator(account))

    @call(roles=[OPERATOR])
    def propose_operator_removal(self, ctx: Context, account: AccountId) -> Result:
        """Propose that an account is no operator any more."""
        return self._propose(ctx, changes.RevokeOperator(account))

    @call(roles=[OPERATOR])
    def propose_operator_keys(self, ctx: Context, account: AccountId, keys: Keys) -> Result:
        """Propose other keys for an operator that has lost its own."""
        return self._propose(ctx, changes.ReplaceOperatorKeys(account, keys))

    @call(roles=[OPERATOR])
    def propose_node(
        self, ctx: Context, node_id: NodeId, organisation: MunicipalCode, public_key: PublicKey,
        address: changes.Address,
    ) -> Result:  # fmt: skip
        """Propose a node that may connect and observe."""
        return self._propose(ctx, changes.AddNode(node_id, organisation, public_key, address))

    @call(roles=[OPERATOR])
    def propose_validator(
        self, ctx: Context, node_id: NodeId, height: Height, block_hash: Hash, signature: Signature
    ) -> Result:
        """Propose that an observer votes, with its signed statement that it holds the chain up to `height`."""
        return self._propose(ctx, changes.AdmitValidator(node_id, height, block_hash, signature))

    @call(roles=[OPERATOR])
    def propose_replacement(
        self, ctx: Context, leaving: NodeId, node_id: NodeId, height: Height, block_hash: Hash, signature: Signature
    ) -> Result:
        """Propose that an observer votes in the place of a validator, in one step."""
        return self._propose(ctx, changes.ReplaceValidator(leaving, node_id, height, block_hash, signature))

    @call(roles=[OPERATOR])
    def propose_demotion(self, ctx: Context, node_id: NodeId) -> Result:
        """Propose that a validator goes on as an observer."""
        return self._propose(ctx, changes.DemoteValidator(node_id))

    @call(roles=[OPERATOR])
    def propose_node_removal(self, ctx: Context, node_id: NodeId) -> Result:
        """Propose that a node may neither vote nor connect, for instance after evidence against it."""
        return self._propose(ctx, changes.RemoveNode(node_id))

    @call(roles=[OPERATOR])
    def propose_node_key(
        self, ctx: Context, node_id: NodeId, public_key: PublicKey, height: Height, block_hash: Hash,
        signature: Signature,
    ) -> Result:  # fmt: skip
        """Propose another key for a node; `signature` by the new key over the statement of being in sync."""
        return self._propose(ctx, changes.RotateNodeKey(node_id, public_key, height, block_hash, signature))

    @call(roles=[OPERATOR])
    def propose_node_address(self, ctx: Context, node_id: NodeId, address: changes.Address) -> Result:
        """Propose another address for a node."""
        return self._propose(ctx, changes.MoveNode(node_id, address))

    @call(roles=[OPERATOR])
    def propose_parameters(
        self, ctx: Context, leader_term_blocks: int, max_block_transactions: int, max_block_bytes: int,
        heartbeat_ms: int,
    ) -> Result:  # fmt: skip
        """Propose other parameters of the network."""
        parameters = Parameters(leader_term_blocks, max_block_transactions, max_block_bytes, heartbeat_ms)
        return self._propose(ctx, changes.SetParameters(parameters))

    @call(roles=[OPERATOR])
    def propose_contract(self, ctx: Context, contract: Name, version: int, from_height: Height) -> Result:
        """Propose that a contract runs in another version from a height still to come."""
        return self._propose(ctx, changes.ActivateContract(contract, version, from_height))

    @call(roles=[OPERATOR])
    def approve(self, ctx: Context, proposal: AccountId) -> Result:
        """An organisation approves. With the last approval needed the change is made in this very transaction."""
        found = self._open(ctx, proposal)
        code = ctx.sender.organisation
        if code in found.approvals:
            raise Refused(GovernanceReason.ALREADY_APPROVED, code=code)
        return self._settle(ctx, proposal, replace(found, approvals=(*found.approvals, code)))

    @call(roles=[OPERATOR])
    def withdraw(self, ctx: Context, proposal: AccountId) -> Result:
        """The organisation that proposed takes its proposal back."""
        found = self._open(ctx, proposal)
        if found.proposer != ctx.sender.organisation:
            raise Refused(GovernanceReason.NOT_THE_PROPOSER)
        self._close(ctx, proposal, replace(found, status="withdrawn"))
        ctx.emit("proposal_withdrawn", [f"proposal:{proposal}", *execution.subjects(found.change)])
        return None

    @call(roles=[OPERATOR])
    def sweep(self, ctx: Context, proposal: AccountId) -> Result:
        """Close a proposal whose time has passed, so that its organisation can make another."""
        found = self._proposal(ctx, proposal)
        if found.status != "open" or ctx.time_ms < found.expires_ms:
            raise Refused(GovernanceReason.PROPOSAL_CLOSED, proposal=proposal, status=found.status)
        self._close(ctx, proposal, replace(found, status="expired"))
        ctx.emit("proposal_expired", [f"proposal:{proposal}", *execution.subjects(found.change)])
        return None

    def _propose(self, ctx: Context, change: Change) -> Result:
        code = ctx.sender.organisation
        opened = OPEN_COUNTS.get(ctx.state, code) or OpenCount(0)
        if opened.count >= MAX_OPEN_PROPOSALS:
            raise Refused(GovernanceReason.TOO_MANY_PROPOSALS, code=code, limit=MAX_OPEN_PROPOSALS)
        OPEN_COUNTS.put(ctx.state, code, OpenCount(opened.count + 1))
        proposal_id = ctx.new_id("proposal")
        proposal = Proposal(change, code, (code,), ctx.time_ms, ctx.time_ms + PROPOSAL_LIFETIME_MS, "open")
        ctx.emit("proposed", [f"proposal:{proposal_id}", *execution.subjects(change)], organisation=code)
        return self._settle(ctx, proposal_id, proposal)

    def _settle(self, ctx: Context, proposal_id: str, proposal: Proposal) -> Result:
        """Make the change if enough organisations, still members today, have approved."""
        members = {code for code, _ in ORGANISATIONS.page(ctx.state, limit=execution.MAX_ORGANISATIONS)}
        approvals = sum(code in members for code in proposal.approvals)
        subjects = [f"proposal:{proposal_id}", *execution.subjects(proposal.change)]
        ctx.emit("approved", subjects, organisation=ctx.sender.organisation, approvals=approvals)
        if approvals < organisations_quorum(ctx.state):
            PROPOSALS.put(ctx.state, proposal_id, proposal)
            return {"proposal": proposal_id, "status": "open", "approvals": approvals}
        execution.execute(ctx, ctx.chain_id, proposal.change)
        self._close(ctx, proposal_id, replace(proposal, status="done"))
        ctx.emit(kind_of(proposal.change), subjects)
        return {"proposal": proposal_id, "status": "done", "approvals": approvals}

    def _close(self, ctx: Context, proposal_id: str, proposal: Proposal) -> None:
        PROPOSALS.put(ctx.state, proposal_id, proposal)
        opened = OPEN_COUNTS.get(ctx.state, proposal.proposer) or OpenCount(1)
        OPEN_COUNTS.put(ctx.state, proposal.proposer, OpenCount(max(0, opened.count - 1)))

    def _proposal(self, ctx: Context, proposal_id: str) -> Proposal:
        found = PROPOSALS.get(ctx.state, proposal_id)
        if found is None:
            raise Refused(GovernanceReason.NO_PROPOSAL, proposal=proposal_id)
        return found

    def _open(self, ctx: Context, proposal_id: str) -> Proposal:
        found = self._proposal(ctx, proposal_id)
        status = "expired" if found.status == "open" and ctx.time_ms >= found.expires_ms else found.status
        if status != "open":
            raise Refused(GovernanceReason.PROPOSAL_CLOSED, proposal=proposal_id, status=status)
        return found

    # -- the worst day -------------------------------------------------------------------------------------------------

    @call(roles=[OPERATOR])
    def recover(self, ctx: Context, validators: NodeIds, reason: ReasonCode) -> Result:
        """Name a new validator set after the quorum is lost for good; only in a block of the recovery keys.

        Validators that are not named may no longer connect: what is found of them later is compared, not counted.
        """
        return execution.recover(ctx, validators, reason)

    # -- evidence ------------------------------------------------------------------------------------------------------

    @call(roles=[OPERATOR])
    def record_evidence(
        self, ctx: Context, node_id: NodeId, kind: VoteKind, first_body: Body, first_signature: Signature,
        second_body: Body, second_signature: Signature, public_key: PublicKey | None = None,
    ) -> Result:  # fmt: skip
        """Rule 12: two different signed votes of one node for one step are kept on the chain for everybody to check.

        `public_key`: the node's key at that time, if it has another today. Whether the node is then demoted or removed
        is for the organisations to agree on.
        """
        node = known_node(ctx.state, node_id)
        key = node.public_key if public_key is None else public_key
        if not execution.was_key_of(ctx.state, node, key):
            raise Refused(GovernanceReason.NOT_EVIDENCE, detail="the key never was the node's")
        first, second = _body(kind, first_body), _body(kind, second_body)
        if first.chain_id != ctx.chain_id or second.chain_id != ctx.chain_id:
            raise Refused(GovernanceReason.NOT_EVIDENCE, detail="the votes belong to another chain")
        if (first.height, first.round) != (second.height, second.round) or first == second:
            raise Refused(GovernanceReason.NOT_EVIDENCE, detail="the votes are not two different ones for one step")
        for body, signature in ((first_body, first_signature), (second_body, second_signature)):
            if not crypto.verify(key, payload(kind, body), signature):
                raise Refused(GovernanceReason.NOT_EVIDENCE, detail="a signature is not the node's")
        evidence_id = f"{node_id}/{kind}/{first.height}/{first.round}"
        if EVIDENCE.get(ctx.state, evidence_id) is not None:
            raise Refused(GovernanceReason.EVIDENCE_EXISTS)
        row = Evidence(
            node_id, kind, first.height, first.round, key, first_body, first_signature, second_body, second_signature,
            ctx.time_ms,
        )  # fmt: skip
        EVIDENCE.put(ctx.state, evidence_id, row)
        ctx.emit("evidence_recorded", [f"node:{node_id}"], kind=kind, height=first.height, round=first.round)
        return {"evidence": evidence_id}

    # -- queries -------------------------------------------------------------------------------------------------------

    @query
    def organisations(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Organisation]:
        """The member organisations by municipal code."""
        return [row for _, row in ORGANISATIONS.page(ctx.state, after=after, limit=limit)]

    @query
    def accounts(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Account]:
        """Accounts by id."""
        return [row for _, row in ACCOUNTS.page(ctx.state, after=after, limit=limit)]

    @query
    def account(self, ctx: QueryContext, account: AccountId) -> Account | None:
        """One account."""
        return ACCOUNTS.get(ctx.state, account)

    @query
    def nodes(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Node]:
        """All nodes that ever were, with their standing."""
        return [row for _, row in NODES.page(ctx.state, after=after, limit=limit)]

    @query
    def validators(self, ctx: QueryContext) -> ValidatorSet:
        """The set that votes at the next height."""
        return registry.validators(ctx.state)

    @query
    def proposals(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[ProposalView]:
        """Proposals by id, whatever their status."""
        needed = organisations_quorum(ctx.state)
        rows = PROPOSALS.page(ctx.state, after=after, limit=limit)
        return [ProposalView(i, kind_of(p.change), p, needed) for i, p in rows]

    @query
    def recoveries(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[Recovery]:
        """Every time that the recovery keys were used."""
        return [row for _, row in RECOVERIES.page(ctx.state, after=after, limit=limit)]

    @query
    def evidence(self, ctx: QueryContext, after: After = "", limit: Limit = 100) -> list[EvidenceView]:
        """Conflicting votes that were recorded."""
        return [EvidenceView(i, e) for i, e in EVIDENCE.page(ctx.state, after=after, limit=limit)]

    @query
    def parameters(self, ctx: QueryContext) -> Parameters:
        """What all nodes agree on."""
        return registry.parameters(ctx.state)

    @query
    def contracts(self, ctx: QueryContext) -> list[ContractVersions]:
        """Which contract runs in which version from which height."""
        return [row for _, row in CONTRACT_VERSIONS.page(ctx.state, limit=1_000)]


def kind_of(change: Change) -> str:
    """The name of a change, as it stands in events."""
    tag = change.__struct_config__.tag
    return str(tag)


def _body(kind: VoteKind, body: bytes) -> Step | RoundChangeStep:
    try:
        return unpack(RoundChangeStep, body) if kind == "round-change" else unpack(Step, body)
    except Refused:
        raise Refused(GovernanceReason.NOT_EVIDENCE, detail="a body is not that of a vote") from None
