"""The genesis: what everybody agrees on before the first block. Its hash is the chain's id.

An auditor receives it on paper's word; everything else is proved from it. `genesis.json` is for people; the hash is
over the canonical bytes, so white space and the order of keys in the file do not matter.
"""

from __future__ import annotations

import json
from typing import Annotated

import msgspec

from ledger import crypto, merkle, registry, statetree
from ledger.encoding import Wire, pack
from ledger.kv import MemoryKeyValue
from ledger.overlay import Overlay
from ledger.recovery import SEAL_PREFIX
from ledger.refusal import Reason, Refused, Text
from ledger.registry import (
    CONTRACT_VERSIONS,
    GENESIS_FACT,
    MAX_KEYS,
    MAX_VALIDATORS,
    NODES,
    ONLY,
    ORGANISATIONS,
    PARAMETERS,
    Account,
    ContractVersion,
    ContractVersions,
    GenesisFact,
    Node,
    Organisation,
    Parameters,
    RecoveryKeys,
)
from ledger.rules import ExecutedBlock
from ledger.schema import from_plain, to_plain
from ledger.types import ZERO_HASH, Block, Header, TimeMs


class GenesisReason(Reason):
    NOT_JSON = Text("genesis.json を読めません: {detail}", "the genesis is not readable JSON: {detail}")
    BAD_FIELD = Text("genesis の内容が正しくありません: {detail}", "the genesis is not valid: {detail}")
    NO_VALIDATOR = Text("検証者がありません", "the genesis names no validator")
    TWICE = Text("{what} {id} が重複しています", "the {what} {id} is there twice")
    UNKNOWN_ORGANISATION = Text(
        "{what} {id} の団体 {code} が登録されていません",
        "the {what} {id} belongs to organisation {code}, which is not listed",
    )
    BAD_KEY = Text("{what} {id} の公開鍵が正しくありません", "the {what} {id} has a public key that may not sign")
    BAD_THRESHOLD = Text(
        "復旧鍵のしきい値 {threshold} が正しくありません(鍵 {count} 個)",
        "the recovery threshold is {threshold} with {count} keys: it must be at least 1 and more than half",
    )
    BAD_PARAMETER = Text("パラメーター {name} が正しくありません", "the parameter {name} is out of its range")
    OTHER_GENESIS = Text(
        "この台帳は別の genesis から作られています",
        "the data was made from another genesis ({found}) than the one given ({given})",
    )


Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Genesis(Wire, frozen=True):
    """The first facts: organisations, accounts, nodes, parameters, contracts, and the keys for the worst day."""

    network: Label
    time_ms: TimeMs
    organisations: tuple[Organisation, ...]
    accounts: tuple[Account, ...]
    nodes: tuple[Node, ...]
    parameters: Parameters
    contracts: tuple[ContractVersion, ...]
    recovery: RecoveryKeys

    @property
    def chain_id(self) -> bytes:
        return crypto.tagged_hash(b"daicho/genesis/1", pack(self))


def dump_genesis(genesis: Genesis) -> str:
    """The genesis as `genesis.json`."""
    return json.dumps(to_plain(genesis), ensure_ascii=False, indent=2) + "\n"


def load_genesis(text: str | bytes) -> Genesis:
    """The genesis that a `genesis.json` holds; `Refused(GenesisReason)` names what is wrong."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(GenesisReason.NOT_JSON, detail=str(error)[:200]) from None
    if not isinstance(value, dict):
        raise Refused(GenesisReason.NOT_JSON, detail="the file holds no JSON object")
    try:
        genesis = from_plain(Genesis, value)
    except (msgspec.ValidationError, ValueError, TypeError, AttributeError) as error:
        raise Refused(GenesisReason.BAD_FIELD, detail=str(error)[:200]) from None
    check_genesis(genesis)
    return genesis


def check_genesis(genesis: Genesis) -> None:
    """`Refused(GenesisReason)` if the parts do not fit each other."""
    codes = _distinct("organisation", [o.code for o in genesis.organisations])
    _distinct("account", [a.account_id for a in genesis.accounts])
    _distinct("node", [n.node_id for n in genesis.nodes])
    _distinct("node key", [n.public_key.hex() for n in genesis.nodes])
    _distinct("contract", [c.contract for c in genesis.contracts])
    _distinct("recovery key", [k.hex() for k in genesis.recovery.keys])
    for account in genesis.accounts:
        if account.organisation not in codes:
            raise Refused(
                GenesisReason.UNKNOWN_ORGANISATION, what="account", id=account.account_id, code=account.organisation
            )
        if not 0 < len(account.keys) <= MAX_KEYS or any(crypto.public_key(k) is None for k in account.keys):
            raise Refused(GenesisReason.BAD_KEY, what="account", id=account.account_id)
    for node in genesis.nodes:
        if node.organisation not in codes:
            raise Refused(GenesisReason.UNKNOWN_ORGANISATION, what="node", id=node.node_id, code=node.organisation)
        if crypto.public_key(node.public_key) is None or node.node_id.startswith(SEAL_PREFIX):
            raise Refused(GenesisReason.BAD_KEY, what="node", id=node.node_id)
    if not 1 <= sum(n.standing == "validator" for n in genesis.nodes) <= MAX_VALIDATORS:
        raise Refused(GenesisReason.NO_VALIDATOR)
    keys = genesis.recovery.keys
    if any(crypto.public_key(k) is None for k in keys):
        raise Refused(GenesisReason.BAD_KEY, what="recovery", id="key")
    if keys and not len(keys) < 2 * genesis.recovery.threshold <= 2 * len(keys):
        raise Refused(GenesisReason.BAD_THRESHOLD, threshold=genesis.recovery.threshold, count=len(keys))
    registry.check_parameters(genesis.parameters, lambda name: Refused(GenesisReason.BAD_PARAMETER, name=name))


def _distinct(what: str, ids: list[str]) -> frozenset[str]:
    seen: set[str] = set()
    for item in ids:
        if item in seen:
            raise Refused(GenesisReason.TWICE, what=what, id=item)
        seen.add(item)
    return frozenset(seen)


def genesis_block(genesis: Genesis) -> ExecutedBlock:
    """Height 0: the state that the genesis describes. It has no certificate, no proposer and no transactions."""
    state = Overlay(MemoryKeyValue())
    for organisation in genesis.organisations:
        ORGANISATIONS.put(state, organisation.code, organisation)
    for account in genesis.accounts:
        registry.put_account(state, account)
    for node in genesis.nodes:
        NODES.put(state, node.node_id, node)
    for version in genesis.contracts:
        CONTRACT_VERSIONS.put(state, version.contract, ContractVersions((version,)))
    PARAMETERS.put(state, ONLY, genesis.parameters)
    GENESIS_FACT.put(state, ONLY, GenesisFact(genesis.network, genesis.time_ms, genesis.recovery))
    state.keep()
    tree = statetree.update(lambda path: None, state.writes)
    validators = registry.validators(state)
    header = Header(
        chain_id=genesis.chain_id,
        height=0,
        parent_hash=ZERO_HASH,
        time_ms=genesis.time_ms,
        proposer="",
        transaction_count=0,
        transactions_root=merkle.EMPTY_ROOT,
        receipts_root=merkle.EMPTY_ROOT,
        state_root=tree.root,
        validators_hash=validators.hash,
        next_validators_hash=validators.hash,
    )
    block = Block(header, ())
    return ExecutedBlock(block, pack(block), header.hash, (), (), (), state.writes, tree.writes, validators)
