"""The ceremony: every organisation makes its own keys, and only public parts travel.

1. Each organisation: `join` makes its node's home with all keys in it, and `request.json` with the public parts, signed
   by each of the keys.
2. One of them: `found` collects the requests into `genesis.json`.
3. Each organisation: `accept` compares the genesis with its own request and with the chain id that was read out, and
   only then puts it into its home.

A node that comes later begins with the same request; governance lists it instead of the genesis (`described`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.config import LoadedConfig, NodeConfig
from edge.init import CONFIG_NAME, config_text
from edge.journal import FileJournal
from edge.keys import create_key
from edge.municipalities import Municipality, check_code
from ledger import crypto
from ledger.encoding import Wire, pack
from ledger.genesis import Genesis, check_genesis, dump_genesis, load_genesis
from ledger.refusal import Reason, Refused, Text
from ledger.registry import (
    DEFAULT_PARAMETERS,
    OPERATOR,
    Account,
    ContractVersion,
    Node,
    Organisation,
    RecoveryKeys,
)
from ledger.schema import from_plain, to_plain
from ledger.types import PublicKey, Signature

REQUEST_NAME = "request.json"
GENESIS_NAME = "genesis.json"
PROOF_TAG = b"daicho/join-request/1\x00"


class CeremonyReason(Reason):
    HOME_EXISTS = Text(
        "{path} は既にあり、空ではありません。別のフォルダーを指定してください",
        "{path} is there and not empty: name another folder with --join",
    )
    NOT_A_REQUEST = Text("{path} は参加申請ではありません: {detail}", "{path} is no request to join: {detail}")
    BAD_PROOF = Text(
        "{path}: {key} の署名が正しくありません。申請は途中で変更されています",
        "{path}: the signature by the {key} key is wrong: the request was changed on its way, ask for it again",
    )
    GENESIS_EXISTS = Text("{path} は既にあります。上書きしません", "{path} is there already: it is not written over")
    NODE_ONLY = Text(
        "{path} はノードだけの申請です。最初のネットワークには運用者と復旧鍵も必要です",
        "{path} is for a node alone: a founding organisation needs its operator and recovery keys, too",
    )
    OTHER_CHAIN_ID = Text(
        "genesis のチェーン ID は {found} です。読み上げられたもの({said})と違います。使わないでください",
        "the chain id of this genesis is {found}, not the {said} that was read out: do not use it",
    )
    CHANGED_IN_GENESIS = Text(
        "genesis の {what} が自団体の申請と違います。使わないでください",
        "the {what} in the genesis is not what this home asked for in its request: do not use it",
    )
    NOT_IN_GENESIS = Text(
        "genesis にこのノード {node} がありません。後から参加するノードなら --later を付けてください",
        "the genesis does not have this node ({node}). If it joins a running network, say --later",
    )


class Request(Wire, frozen=True):
    """The public parts of an organisation that joins, or of one more node of an organisation that is there."""

    organisation: Organisation
    node: Node
    operator: Account | None
    recovery_key: PublicKey | None


class SignedRequest(Wire, frozen=True):
    """`signatures`: by each key that the request names: `node`, `operator`, `recovery`."""

    request: Request
    signatures: dict[str, Signature]


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """A home to be made. `peer` is where the other nodes reach this one; `http` where its API listens."""

    home: Path
    municipality: Municipality
    node_id: str
    peer: str
    http: str
    node_only: bool = False
    passphrase: str | None = None


def join(plan: JoinPlan) -> SignedRequest:
    """Make the home, whole or not at all, with its keys and its request."""
    check_code(plan.municipality.code)
    if plan.home.exists() and (not plan.home.is_dir() or any(plan.home.iterdir())):
        raise Refused(CeremonyReason.HOME_EXISTS, path=str(plan.home))
    plan.home.parent.mkdir(parents=True, exist_ok=True)
    building = plan.home.parent / f".{plan.home.name}.building"
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(mode=0o700)
    try:
        made = _make_home(plan, building)
        if plan.home.exists():
            plan.home.rmdir()
        building.rename(plan.home)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return made


def _make_home(plan: JoinPlan, home: Path) -> SignedRequest:
    values = NodeConfig(node_id=plan.node_id, peer_listen=plan.peer, http_listen=plan.http)
    (home / CONFIG_NAME).write_text(config_text(values), encoding="utf-8")
    config = LoadedConfig(values, home)
    config.data_dir.mkdir(mode=0o700)
    FileJournal.create(config.journal)
    code = plan.municipality.code
    keys = {"node": create_key(home / values.node_key, plan.passphrase)}
    operator: Account | None = None
    if not plan.node_only:
        account = f"operator.{code}"
        keys["operator"] = create_key(home / f"{account}.key", plan.passphrase)
        keys["recovery"] = create_key(home / f"recovery.{code}.key", plan.passphrase)
        operator = Account(account, code, (OPERATOR,), (keys["operator"].public_key,), False)
    request = Request(
        Organisation(code, plan.municipality.name_ja, plan.municipality.name_en),
        Node(plan.node_id, code, keys["node"].public_key, plan.peer, "validator"),
        operator,
        keys["recovery"].public_key if "recovery" in keys else None,
    )
    signed = SignedRequest(request, {name: key.sign(PROOF_TAG + pack(request)) for name, key in keys.items()})
    text = msgspec.json.format(msgspec.json.encode(to_plain(signed)), indent=2)
    (home / REQUEST_NAME).write_bytes(text + b"\n")
    return signed


def read_request(path: Path) -> Request:
    """A request whose every key has signed it; `Refused(CeremonyReason)` otherwise."""
    try:
        signed = from_plain(SignedRequest, msgspec.json.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError, ValueError, TypeError, AttributeError) as error:
        raise Refused(CeremonyReason.NOT_A_REQUEST, path=str(path), detail=str(error)[:120]) from None
    request = signed.request
    check_code(request.organisation.code)
    keys: dict[str, bytes] = {"node": request.node.public_key}
    if request.operator is not None:
        keys["operator"] = request.operator.keys[0] if len(request.operator.keys) == 1 else b""
    if request.recovery_key is not None:
        keys["recovery"] = request.recovery_key
    for name, key in keys.items():
        if not crypto.verify(key, PROOF_TAG + pack(request), signed.signatures.get(name, b"")):
            raise Refused(CeremonyReason.BAD_PROOF, path=str(path), key=name)
    return request


def found(
    requests: Sequence[Path], network: str, contract_versions: Mapping[str, int], time_ms: int, target: Path
) -> Genesis:
    """The genesis of those who asked to join, written to `target`. More than half of their recovery keys are needed."""
    if target.exists():
        raise Refused(CeremonyReason.GENESIS_EXISTS, path=str(target))
    organisations: list[Organisation] = []
    operators: list[Account] = []
    nodes: list[Node] = []
    recovery: list[PublicKey] = []
    for path in requests:
        request = read_request(path)
        if request.operator is None or request.recovery_key is None:
            raise Refused(CeremonyReason.NODE_ONLY, path=str(path))
        organisations.append(request.organisation)
        operators.append(request.operator)
        nodes.append(request.node)
        recovery.append(request.recovery_key)
    genesis = Genesis(
        network=network,
        time_ms=time_ms,
        organisations=tuple(organisations),
        accounts=tuple(operators),
        nodes=tuple(nodes),
        parameters=DEFAULT_PARAMETERS,
        contracts=tuple(ContractVersion(name, version, 0) for name, version in sorted(contract_versions.items())),
        recovery=RecoveryKeys(len(recovery) // 2 + 1, tuple(recovery)),
    )
    check_genesis(genesis)
    _write_new(target, dump_genesis(genesis))
    return genesis


def accept(home: Path, genesis_file: Path, chain_id: str, *, later: bool) -> Genesis:
    """Put the genesis into the home if it is the one that was read out and has what this home asked for, unchanged.

    `later`: the node joins a network that runs, so the genesis need not have it.
    """
    text = genesis_file.read_text(encoding="utf-8")
    genesis = load_genesis(text)
    said = "".join(chain_id.split()).lower()
    if genesis.chain_id.hex() != said:
        raise Refused(CeremonyReason.OTHER_CHAIN_ID, found=genesis.chain_id.hex(), said=said[:64])
    if not later:
        _check_own(genesis, read_request(home / REQUEST_NAME))
    target = home / GENESIS_NAME
    if target.exists() and load_genesis(target.read_text(encoding="utf-8")) != genesis:
        raise Refused(CeremonyReason.GENESIS_EXISTS, path=str(target))
    if not target.exists():
        _write_new(target, text)
    return genesis


def _check_own(genesis: Genesis, own: Request) -> None:
    if own.node.node_id not in {n.node_id for n in genesis.nodes}:
        raise Refused(CeremonyReason.NOT_IN_GENESIS, node=own.node.node_id)
    if own.node not in genesis.nodes:
        raise Refused(CeremonyReason.CHANGED_IN_GENESIS, what=f"node {own.node.node_id}")
    code = own.organisation.code
    if own.organisation not in genesis.organisations:
        raise Refused(CeremonyReason.CHANGED_IN_GENESIS, what=f"organisation {code}")
    # No second operator may speak for this organisation, and its own must be there.
    operators = [a for a in genesis.accounts if a.organisation == code and OPERATOR in a.roles]
    if own.operator is not None and operators != [own.operator]:
        raise Refused(CeremonyReason.CHANGED_IN_GENESIS, what=f"operators of {code}")
    if own.recovery_key is not None and own.recovery_key not in genesis.recovery.keys:
        raise Refused(CeremonyReason.CHANGED_IN_GENESIS, what=f"recovery key of {code}")


def described(path: Path, *, organisation: bool) -> dict[str, object]:
    """What governance is asked to list, from a request: the node, or the organisation with its first operator."""
    request = read_request(path)
    node, named = request.node, request.organisation
    if not organisation:
        return {
            "node_id": node.node_id,
            "organisation": node.organisation,
            "public_key": node.public_key.hex(),
            "address": node.address,
        }
    if request.operator is None:
        raise Refused(CeremonyReason.NODE_ONLY, path=str(path))
    return {
        "code": named.code,
        "name_ja": named.name_ja,
        "name_en": named.name_en,
        "operator": request.operator.account_id,
        "operator_key": request.operator.keys[0].hex(),
    }


def told(genesis: Genesis) -> list[str]:
    """What is compared on paper and by telephone."""
    return [
        f"network {genesis.network}: {len(genesis.nodes)} nodes of {len(genesis.organisations)} organisations, "
        f"{genesis.recovery.threshold} of {len(genesis.recovery.keys)} recovery keys start it again",
        *(f"  {n.node_id:<14} {n.organisation}  {n.address:<22} key {n.public_key.hex()[:16]}…" for n in genesis.nodes),
        f"Chain id: {genesis.chain_id.hex()}",
    ]


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
