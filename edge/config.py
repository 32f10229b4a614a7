"""A node's configuration: one TOML file, about fifteen keys, every error with its key and remedy.

What all nodes must agree on is not here: it is in the genesis and in governance.
"""

from __future__ import annotations

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
        raise Refused(ConfigReason.BAD_CONFIG, path=str(path), detail=str(error)) from None


def split_address(address: str) -> tuple[str, int]:
    """`host:port` as host and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
