"""A running node takes keys and addresses again; a slip of the pen in its files stops nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.config import load_config
from edge.keys import create_key
from edge.peers import Peers
from edge.reloading import Reload, identities, scheme_of
from edge.service import Service
from ledger.registry import Node


class Nobody:
    def on_connected(self, peer: str) -> None: ...

    def on_frame(self, peer: str, payload: bytes) -> None: ...

    def on_lost(self, peer: str) -> None: ...


async def settled(reload: Reload) -> None:
    before = asyncio.all_tasks()
    reload()
    await asyncio.gather(*(asyncio.all_tasks() - before))


async def test_a_next_key_is_held_at_once_and_what_cannot_be_read_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "node.toml"
    text = 'node_id = "a"\npeer_listen = "127.0.0.1:1"\nhttp_listen = "127.0.0.1:2"\n'
    path.write_text(text, encoding="utf-8")
    old = create_key(tmp_path / "node.key")
    config = load_config(path)
    keys = identities(config)
    scheme = scheme_of(keys)
    peers = Peers("a", keys, config.values.peer_listen, {}, Nobody())
    peers.set_nodes([Node("a", "132012", old.public_key, "127.0.0.1:1", "validator")])
    reload = Reload(Service(), config, scheme, peers)

    new = create_key(tmp_path / "next.key")
    assert scheme.sign(new.public_key, b"vote") is None
    path.write_text(text + 'next_node_key = "next.key"\n', encoding="utf-8")
    await settled(reload)
    assert scheme.sign(new.public_key, b"vote") is not None and scheme.sign(old.public_key, b"vote") is not None

    for wrong in ("node_id = ", text + 'next_node_key = "nowhere.key"\n'):
        path.write_text(wrong, encoding="utf-8")
        await settled(reload)
        assert scheme.sign(new.public_key, b"vote") is not None
        assert "all stays as it was" in caplog.text
        caplog.clear()

    # The organisations have agreed: the next key is the key.
    peers.set_nodes([Node("a", "132012", new.public_key, "127.0.0.1:1", "validator")])
    (tmp_path / "next.key").replace(tmp_path / "node.key")
    path.write_text(text.replace("127.0.0.1:1", "127.0.0.1:9"), encoding="utf-8")
    await settled(reload)
    assert scheme.sign(old.public_key, b"vote") is None and scheme.sign(new.public_key, b"vote") is not None
    assert "only the next start takes up: peer_listen" in caplog.text
