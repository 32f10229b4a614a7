"""A node: the parts wired together, started, and stopped cleanly. Everything that does something is below this."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

import uvloop

import contracts
from consensus.state import Config
from edge.config import LoadedConfig, load_config
from edge.http.start import start_http
from edge.journal import FileJournal
from edge.mempool import PoolLimits
from edge.peers import Peers
from edge.reloading import Reload, identities, scheme_of
from edge.replica import Replica
from edge.runtime import NodeRuntime
from edge.service import Service
from edge.stopped import leave_mark, take_mark_away
from ledger.chain import Chain
from ledger.genesis import Genesis, load_genesis
from ledger.store import LevelDb

log = logging.getLogger("daicho.node")


def run_node(config_path: Path) -> None:
    """Run a node until it is told to stop. `Refused` if it cannot start; any other exception is a broken invariant."""
    config = load_config(config_path)
    logging.basicConfig(level=config.values.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(config))


async def _run(config: LoadedConfig) -> None:
    values = config.values
    genesis = load_genesis(config.path(values.genesis).read_bytes())
    config.data_dir.mkdir(parents=True, exist_ok=True)
    store = LevelDb(config.store)
    take_mark_away(config.store)
    journal = FileJournal(config.journal)
    try:
        chain = Chain.open(store, genesis)
        runtime = contracts.runtime()
        node = NodeRuntime(store, chain)
        keys = identities(config)
        scheme = scheme_of(keys)
        peers = Peers(
            values.node_id,
            keys,
            values.peer_listen,
            values.peers,
            node,
        )
        limits = PoolLimits(values.pool_transactions, max_account_count=values.pool_transactions_per_account)
        consensus = Config(
            values.node_id,
            chain.chain_id,
            scheme,
            request_timeout_ms=values.request_timeout_ms,
            round_timeout_ms=values.round_timeout_ms,
        )
        replica = Replica(consensus, chain, runtime, journal, node, node, pool_limits=limits)
        node.wire(replica, peers)
        await node.start()
        _greet(config, genesis, chain)
        stop_http = await start_http(node, runtime, config)
        service = Service()
        told = _told_to_end(node)
        reload = Reload(service, config, scheme, peers)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        watching = asyncio.create_task(service.watch(lambda: _status(node)))
        service.ready(_status(node))
        try:
            await told.wait()
            if node.fatal.done():
                node.fatal.result()
        finally:
            service.stopping()
            watching.cancel()
            await stop_http()
            await node.stop()
            leave_mark(config.store, chain.height, chain.head.hash)
    finally:
        journal.close()
        store.close()


def _greet(config: LoadedConfig, genesis: Genesis, chain: Chain) -> None:
    n = len(chain.validators)
    log.info(
        "node %s of %s: height %s, peers at %s, API at %s",
        config.values.node_id,
        genesis.network,
        chain.height,
        config.values.peer_listen,
        config.values.http_listen,
    )
    log.info(
        "%s validators, quorum %s: survives %s crashed and %s lying",
        n,
        chain.validators.quorum,
        n - chain.validators.quorum,
        chain.validators.faults,
    )
    if n < 4:
        log.warning("fewer than four validators cannot survive a lying one: four is the least for production")


def _status(node: NodeRuntime) -> str:
    halted = node.replica.halted
    return f"height {node.chain.height}" + ("" if halted is None else f", halted: {halted.detail}")


def _told_to_end(node: NodeRuntime) -> asyncio.Event:
    """Set by SIGTERM, by SIGINT, or when the node cannot go on."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    node.fatal.add_done_callback(lambda _: told.set())
    return told
