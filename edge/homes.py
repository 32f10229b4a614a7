"""A node's home looked over before its start, and the statements that governance wants of its node."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge.config import LoadedConfig, load_config, split_address
from edge.http.start import settings_of
from edge.init import CONFIG_NAME
from edge.keys import read_key
from edge.watch import NodeState
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, load_genesis
from ledger.refusal import Reason, Refused, Text
from ledger.votes import in_sync_payload

ANSWER_WITHIN_S = 5.0
SYNC_WITHIN_S = 30.0
POLL_S = 0.2
MAX_PORT = 65_535
FEW_BYTES_FREE = 2 * 1024**3


class HomeReason(Reason):
    NO_GENESIS = Text(
        "{path} がありません。daicho genesis accept で受け入れてください",
        "there is no {path}. Remedy: daicho genesis accept FILE --home HOME --chain-id ID",
    )
    SAME_PORT = Text(
        "peer_listen と http_listen が同じです: {address}", "peer_listen and http_listen are the same: {address}"
    )
    BAD_PORT = Text("{key} のポート {port} は使えません", "{key}: there is no port {port}; it is 1 to 65535")
    OTHER_KEY = Text(
        "{key_file} の鍵は genesis のノード {node} の鍵と違います",
        "the key in {key_file} is not that of {node} in the genesis. If it was rotated since, this is well; "
        "if not, node_key or node_id is wrong",
    )
    NOT_IN_GENESIS = Text(
        "ノード {node} は genesis にありません(後から参加するノード)",
        "{node} is not in the genesis: governance lists it, or node_id is wrong",
    )
    UNKNOWN_PEER = Text(
        "[peers] の {node} は genesis にありません", "[peers]: {node} is not in the genesis; check the name"
    )
    NOT_WRITABLE = Text(
        "{path} に書き込めません。所有者を確認してください",
        "{path} cannot be written by this user. Remedy: chown it to the user that runs the node",
    )
    NO_JOURNAL = Text(
        "投票の記録 {path} がありません。ノードは安全になるまで投票しません",
        "there is no votes journal {path}: the node observes until it is safe to vote",
    )
    NO_PASSPHRASE = Text(
        "{key_file} にはパスフレーズがありません",
        "{key_file} has no passphrase. Remedy: daicho keys passphrase {key_file}",
    )
    OPEN_HTTP = Text(
        "API が {address} で暗号化なしに公開されます。TLS のプロキシの後ろに置いてください",
        "the API listens at {address} without TLS: put the municipality's TLS proxy before it, or listen on loopback",
    )
    LITTLE_ROOM = Text(
        "{path} の空きが {free_mib} MiB しかありません",
        "{path} has only {free_mib} MiB free: a node wants 2 GiB at least",
    )
    NO_ANSWER = Text(
        "ノード {url} が応答しません。起動してください: {detail}",
        "the node does not answer at {url}: start it first ({detail})",
    )
    NOT_IN_SYNC = Text(
        "ノード {node} は同期中です(高さ {height}、最新 {best})。追いついてからもう一度",
        "{node} is catching up (height {height} of {best}): wait, and do this again",
    )
    OTHER_NODE = Text(
        "{url} で応答したのはノード {found} です({node} ではありません)",
        "the node that answers at {url} is {found}, not {node}",
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a look at the home found: an error keeps the node from starting or working as it should."""

    severity: Literal["error", "warning"]
    code: str
    ja: str
    en: str


def check_home(home: Path) -> list[Finding]:
    """All that is wrong with a home, not only the first. A `node.toml` that cannot be read ends the look at once."""
    try:
        config = load_config(home / CONFIG_NAME)
    except Refused as refused:
        return [_finding("error", refused)]
    return list(_findings(config))


def _findings(config: LoadedConfig) -> Iterator[Finding]:
    values = config.values
    genesis: Genesis | None = None
    try:
        genesis = _genesis(config)
    except Refused as refused:
        yield _finding("error", refused)
    yield from _addresses(config, genesis)
    for name in (values.node_key, values.next_node_key):
        if not name:
            continue
        try:
            key = read_key(config.path(name))
        except Refused as refused:
            yield _finding("error", refused)
            continue
        if genesis is not None and name == values.node_key:
            yield from _listed(config, genesis, key)
        text = config.path(name).read_bytes()
        if b"SEALED" not in text and b"ENCRYPTED" not in text:
            yield _finding("warning", Refused(HomeReason.NO_PASSPHRASE, key_file=str(config.path(name))))
    try:
        settings_of(config)
    except Refused as refused:
        yield _finding("error", refused)
    yield from _disk(config)


def _genesis(config: LoadedConfig) -> Genesis:
    path = config.path(config.values.genesis)
    try:
        return load_genesis(path.read_bytes())
    except OSError:
        raise Refused(HomeReason.NO_GENESIS, path=str(path)) from None


def _addresses(config: LoadedConfig, genesis: Genesis | None) -> Iterator[Finding]:
    values = config.values
    for key, address in (("peer_listen", values.peer_listen), ("http_listen", values.http_listen)):
        if not 1 <= split_address(address)[1] <= MAX_PORT:
            yield _finding("error", Refused(HomeReason.BAD_PORT, key=key, port=split_address(address)[1]))
    if values.peer_listen == values.http_listen:
        yield _finding("error", Refused(HomeReason.SAME_PORT, address=values.http_listen))
    host = split_address(values.http_listen)[0]
    if not (host == "localhost" or host.startswith("127.") or host == "::1"):
        yield _finding("warning", Refused(HomeReason.OPEN_HTTP, address=values.http_listen))
    known = set() if genesis is None else {n.node_id for n in genesis.nodes}
    for node_id in values.peers if genesis is not None else ():
        if node_id not in known:
            yield _finding("warning", Refused(HomeReason.UNKNOWN_PEER, node=node_id))


def _listed(config: LoadedConfig, genesis: Genesis, key: SigningKey) -> Iterator[Finding]:
    values = config.values
    own = next((n for n in genesis.nodes if n.node_id == values.node_id), None)
    if own is None:
        yield _finding("warning", Refused(HomeReason.NOT_IN_GENESIS, node=values.node_id))
    elif own.public_key != key.public_key:
        found = Refused(HomeReason.OTHER_KEY, key_file=str(config.path(values.node_key)), node=values.node_id)
        yield _finding("warning", found)


def _disk(config: LoadedConfig) -> Iterator[Finding]:
    folder = config.data_dir if config.data_dir.exists() else config.home
    if not os.access(folder, os.W_OK):
        yield _finding("error", Refused(HomeReason.NOT_WRITABLE, path=str(folder)))
    elif not config.journal.exists():
        yield _finding("warning", Refused(HomeReason.NO_JOURNAL, path=str(config.journal)))
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    if free < FEW_BYTES_FREE:
        yield _finding("warning", Refused(HomeReason.LITTLE_ROOM, path=str(folder), free_mib=free // 2**20))


def _finding(severity: Literal["error", "warning"], refused: Refused) -> Finding:
    reason, params = refused.reason, refused.params
    return Finding(severity, reason.code, reason.text("ja", params), reason.text("en", params))


# -- statements for governance -----------------------------------------------------------------------------------------


def statement(home: Path, *, new_key: Path | None = None, leaving: str | None = None) -> dict[str, object]:
    """Rule 13: the node's own signed statement that it is in sync, as the arguments of a proposal.

    With `new_key`, signed by that key, for another key of the node; with `leaving`, for taking that validator's place.
    The node must run: it is asked where it stands.
    """
    config = load_config(home / CONFIG_NAME)
    node_id = config.values.node_id
    state = _until_in_sync(config)
    key = read_key(new_key or config.path(config.values.node_key))
    block_hash = bytes.fromhex(state.head_hash)
    signature = key.sign(in_sync_payload(bytes.fromhex(state.chain_id), node_id, state.height, block_hash))
    return {
        **({"leaving": leaving} if leaving else {}),
        "node_id": node_id,
        **({"public_key": key.public_key.hex()} if new_key else {}),
        "height": state.height,
        "block_hash": block_hash.hex(),
        "signature": signature.hex(),
    }


def _until_in_sync(config: LoadedConfig) -> NodeState:
    """The node's state once it has heard of the others' heads and stands there; else `Refused(NOT_IN_SYNC)`."""
    deadline = time.monotonic() + SYNC_WITHIN_S
    while True:
        state = _state(config)
        # A node that has only just started knows of no better head than its own.
        if state.in_sync and state.reaches_quorum and state.best_height > 0:
            return state
        if time.monotonic() > deadline:
            raise Refused(HomeReason.NOT_IN_SYNC, node=state.node_id, height=state.height, best=state.best_height)
        time.sleep(POLL_S)


def _state(config: LoadedConfig) -> NodeState:
    """What the home's own node says of itself."""
    host, port = split_address(config.values.http_listen)
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    url = f"http://{here}:{port}"
    try:
        with urllib.request.urlopen(f"{url}/v1/status", timeout=ANSWER_WITHIN_S) as answer:
            state = msgspec.json.decode(answer.read(), type=NodeState)
    except (urllib.error.URLError, OSError, msgspec.DecodeError) as error:
        raise Refused(HomeReason.NO_ANSWER, url=url, detail=str(error)[:120]) from None
    if state.node_id != config.values.node_id:
        raise Refused(HomeReason.OTHER_NODE, url=url, found=state.node_id, node=config.values.node_id)
    return state
