"""A node's configuration: one TOML file, about fifteen keys, every error with its key and remedy.

What all nodes must agree on is not here: it is in the genesis and in governance.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ledger.refusal import Reason, Refused, Text
from ledger.types import NodeId

ListenAddress = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:\[\]-]{1,255}:[0-9]{1,5}$")]
Milliseconds = Annotated[int, msgspec.Meta(ge=20, le=60_000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class ConfigReason(Reason):
    NO_CONFIG = Text("設定ファイル {path} がありません", "there is no configuration file {path}")
    NOT_TOML = Text("設定ファイル {path} を読めません: {detail}", "{path} is not valid TOML: {detail}")
    BAD_CONFIG = Text(
        "設定ファイル {path}: {detail}", "{path}: {detail}. The keys are described in docs/operator-guide.md"
    )
    BAD_KEY = Text(
        "設定ファイル {path} の {line} 行目、{key}: {detail}。{remedy}",
        "{path}, line {line}, {key}: {detail}. Remedy: {remedy}",
    )
    NO_KEY = Text(
        "設定ファイル {path} に {key} がありません。例: {example}",
        "{path}: {key} is missing. Remedy: add a line such as {example}",
    )


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Paths are relative to the file."""

    node_id: NodeId
    genesis: str = "genesis.json"
    data_dir: str = "data"
    node_key: str = "node.key"
    next_node_key: str = ""
    """While the node's key is rotated: the key that governance will list next."""
    peer_listen: ListenAddress
    http_listen: ListenAddress
    peers: dict[NodeId, ListenAddress] = {}
    """Addresses that differ from those in the registry, by node."""
    read_access: Literal["loopback", "everybody", "tokens"] = "loopback"
    tokens_file: str = "tokens.toml"
    pool_transactions: Count = 20_000
    pool_transactions_per_account: Count = 10_000
    requests_per_second: Count = 2_000
    """Of one address beyond loopback."""
    request_timeout_ms: Milliseconds = 800
    round_timeout_ms: Milliseconds = 800
    log_level: Literal["debug", "info", "warning", "error"] = "info"


_FIELDS = NodeConfig.__struct_fields__


class LoadedConfig(msgspec.Struct, frozen=True):
    """A configuration and the folder that its paths are relative to."""

    values: NodeConfig
    home: Path

    def path(self, name: str) -> Path:
        return self.home / name

    @property
    def data_dir(self) -> Path:
        return self.path(self.values.data_dir)

    @property
    def journal(self) -> Path:
        return self.data_dir / "votes.journal"

    @property
    def store(self) -> Path:
        return self.data_dir / "ledger"


def load_config(path: Path) -> LoadedConfig:
    """`Refused(ConfigReason)` names the file, the key and what it must be."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Refused(ConfigReason.NO_CONFIG, path=str(path)) from None
    except OSError as error:
        raise Refused(ConfigReason.NOT_TOML, path=str(path), detail=str(error)) from None
    try:
        value = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(ConfigReason.NOT_TOML, path=str(path), detail=str(error)) from None
    try:
        return LoadedConfig(msgspec.convert(value, NodeConfig), path.resolve().parent)
    except msgspec.ValidationError as error:
        raise _refusal(path, raw.decode(), str(error)) from None


_EXAMPLES = {
    "node_id": 'node_id = "hachioji"',
    "peer_listen": 'peer_listen = "0.0.0.0:27700"',
    "http_listen": 'http_listen = "127.0.0.1:27701"',
}
_REMEDIES = {
    "node_id": "the node's name as the genesis or governance has it, in small letters",
    "peer_listen": "host:port",
    "http_listen": "host:port",
    "peers": 'one line a node: oshima = "10.20.4.5:27700"',
    "read_access": 'one of "loopback", "tokens", "everybody"',
    "log_level": 'one of "debug", "info", "warning", "error"',
    "request_timeout_ms": "milliseconds as a whole number, 20 to 60000, without quotes",
    "round_timeout_ms": "milliseconds as a whole number, 20 to 60000, without quotes",
}


def _refusal(path: Path, text: str, said: str) -> Refused:
    """The library's message as file, line, key and remedy."""
    if missing := re.search(r"missing required field `(\w+)`", said):
        key = missing[1]
        return Refused(ConfigReason.NO_KEY, path=str(path), key=key, example=_EXAMPLES.get(key, f"{key} = ..."))
    if unknown := re.search(r"unknown field `([^`]+)`", said):
        key = unknown[1]
        meant = difflib.get_close_matches(key, _FIELDS, n=1)
        remedy = f"did you mean {meant[0]}?" if meant else f"remove it; the keys are {', '.join(_FIELDS)}"
        return _bad_key(path, text, key, "there is no such key", remedy)
    if placed := re.search(r"^(.*) - at `(?:key in )?\$\.(\w+)", said):
        key = placed[2]
        remedy = _REMEDIES.get(key, "a whole number, 1 to 10000000, without quotes")
        return _bad_key(path, text, key, placed[1], remedy)
    return Refused(ConfigReason.BAD_CONFIG, path=str(path), detail=said)


def _bad_key(path: Path, text: str, key: str, detail: str, remedy: str) -> Refused:
    line = line_of(text, key)
    return Refused(ConfigReason.BAD_KEY, path=str(path), line=line, key=key, detail=detail, remedy=remedy)


def line_of(text: str, key: str) -> int:
    """The line where a key, or the table of that name, stands; 1 if it cannot be found."""
    pattern = re.compile(rf"^\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[\]=.]")
    return next((n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def split_address(address: str) -> tuple[str, int]:
    """`host:port` as host and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
