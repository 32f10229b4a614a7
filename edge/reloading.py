"""A running node takes keys, addresses and its log level from its files again: SIGHUP, or `systemctl reload`."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.config import LoadedConfig, NodeConfig, load_config
from edge.init import CONFIG_NAME
from edge.keys import NodeScheme, read_private_key
from edge.peers import Peers
from edge.service import Service
from ledger.crypto import SigningKey
from ledger.refusal import Refused

log = logging.getLogger("daicho.node")

RELOADABLE = frozenset({"node_key", "next_node_key", "peers", "log_level"})
"""The rest begins with the next start: ports, folders, the size of the pool."""


def identities(config: LoadedConfig) -> list[Ed25519PrivateKey]:
    """The node's key and, while it is rotated, the next one."""
    names = (config.values.node_key, config.values.next_node_key)
    return [read_private_key(config.path(name)) for name in names if name]


def scheme_of(keys: list[Ed25519PrivateKey]) -> NodeScheme:
    return NodeScheme(_signing(keys))


def _signing(keys: list[Ed25519PrivateKey]) -> list[SigningKey]:
    return [SigningKey(key.private_bytes_raw()) for key in keys]


class Reload:
    """Called on SIGHUP. What cannot be read leaves all as it was: a slip of the pen stops no node."""

    def __init__(self, service: Service, started_with: LoadedConfig, scheme: NodeScheme, peers: Peers) -> None:
        self._service = service
        self._started_with = started_with
        self._scheme = scheme
        self._peers = peers
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        self._service.reloading()
        try:
            # In a thread: to open a sealed key takes a fifth of a second and more, and votes do not wait.
            config, keys = await asyncio.to_thread(self._read)
        except Refused as refused:
            log.error("not reloaded, all stays as it was: %s", refused)
            self._service.ready("not reloaded: see the log")
            return
        if waiting := later(self._started_with.values, config.values):
            log.warning("only the next start takes up: %s", ", ".join(waiting))
        self._scheme.hold(_signing(keys))
        self._peers.reload(keys, config.values.peers)
        logging.getLogger().setLevel(config.values.log_level.upper())
        log.info("configuration, keys and certificate are loaded again")
        self._service.ready("reloaded")

    def _read(self) -> tuple[LoadedConfig, list[Ed25519PrivateKey]]:
        config = load_config(self._started_with.home / CONFIG_NAME)
        return config, identities(config)


def later(before: NodeConfig, after: NodeConfig) -> list[str]:
    """The changed keys that a running node does not take up."""
    names = [field.name for field in msgspec.structs.fields(NodeConfig)]
    return [n for n in names if n not in RELOADABLE and getattr(before, n) != getattr(after, n)]
