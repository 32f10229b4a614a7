"""The seam to the chain over real HTTP, with real chains and contracts behind it; some of the nodes lie or are away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from apps.common.chain import ChainUnavailable, Keyring, NotAdmitted
from apps.common.database import Database
from apps.common.language import system_clock
from apps.common.node_chain import NodeChain
from apps.common.outbox import Call, Outbox
from apps.common.tables import Write
from contracts import runtime
from edge.http.app import make_app
from edge.http.server import serve
from edge.http.settings import HttpSettings
from ledger.proof import BadProof, check_proof
from tests.apps.common.harness import database_url
from tests.http.harness import OPERATOR, Network, key_of, make_genesis


@asynccontextmanager
async def connected(network: Network, *, away: int = 0) -> AsyncIterator[NodeChain]:
    async with AsyncExitStack() as stack:
        urls = [f"http://127.0.0.1:{1 + i}" for i in range(away)]
        for node in network.nodes:
            server = await serve(make_app(node, HttpSettings()), HttpSettings(), "127.0.0.1", 0)
            stack.push_async_callback(server.close)
            urls.append(f"http://127.0.0.1:{server.port}")
        yield await stack.enter_async_context(NodeChain(urls, network.genesis, runtime()))


async def test_a_write_is_committed_proved_and_found_again() -> None:
    network = Network(served=4)
    async with connected(network) as chain:
        transaction = network.account("hachioji.clerk2")
        committed = await chain.submit(transaction.raw)
        assert committed is not None and committed.receipt.done and committed.height == 1
        assert await chain.submit(transaction.raw) == committed
        assert await chain.find(transaction.id) == committed
        assert await chain.find(b"\x00" * 32) is None
        head = await chain.head()
        assert (head.height, head.time_ms) == (1, committed.time_ms)


async def test_its_proof_is_checked_with_the_genesis_alone() -> None:
    network = Network(served=1)
    async with connected(network) as chain:
        transaction = network.account("hachioji.clerk2")
        await chain.submit(transaction.raw)
        data = await chain.proof(transaction.id)
        with pytest.raises(KeyError):
            await chain.proof(b"\x00" * 32)
        row = check_proof(await chain.row_proof(b"governance/account/hachioji.clerk2"), network.genesis).row
        assert row is not None and row.value is not None
        nothing = check_proof(await chain.row_proof(b"governance/account/nobody"), network.genesis).row
        assert nothing is not None and nothing.value is None
    proved = check_proof(data, network.genesis)
    (step,) = proved.steps
    assert proved.about == transaction.id.hex() and step.transaction.id == transaction.id and step.receipt.done
    with pytest.raises(BadProof):
        check_proof(data, make_genesis(1))
    for at in range(0, len(data), max(1, len(data) // 150)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            still = check_proof(changed, network.genesis)
        except BadProof:
            continue
        assert still == proved and changed.rstrip() == data.rstrip(), "only blanks at the end may differ"


async def test_a_refusal_has_its_words_and_history_its_steps() -> None:
    network = Network(served=1)
    async with connected(network) as chain:
        await chain.submit(network.account("hachioji.clerk2").raw)
        again = await chain.submit(network.account("hachioji.clerk2").raw)
        assert again is not None and again.receipt.reason == "governance.account_exists"
        assert "hachioji.clerk2" in chain.reason_text(again.receipt.reason, again.receipt.params, "ja")
        steps, more = await chain.history("account:hachioji.clerk2")
        assert [s.event.name for s in steps] == ["account_created"] and more == ""
        assert await chain.history("account:nobody") == ([], "")


async def test_what_no_node_takes_is_named() -> None:
    network = Network(served=2)
    async with connected(network) as chain:
        with pytest.raises(NotAdmitted) as refused:
            await chain.submit(network.sign("governance", "create_account", sender="hachioji.gone").raw)
    assert refused.value.code == "revoked_account"


@pytest.mark.function("X3")
async def test_with_a_node_away_the_others_do() -> None:
    network = Network(served=3)
    async with connected(network, away=1) as chain:
        transaction = network.account("hachioji.clerk2")
        assert await chain.submit(transaction.raw) is not None
        assert await chain.find(b"\x00" * 32) is None


async def test_one_nodes_word_is_not_enough_that_a_transaction_is_not_there() -> None:
    network = Network(served=1)
    async with connected(network, away=3) as chain:
        with pytest.raises(ChainUnavailable):
            await chain.find(b"\x00" * 32)


async def test_events_come_block_by_block_from_a_height_on() -> None:
    network = Network(served=1)
    async with connected(network) as chain:
        for name in ("hachioji.a", "hachioji.b", "hachioji.c"):
            await chain.submit(network.account(name).raw)
        seen = []
        async for head, steps in chain.events(1):
            seen.append((head.height, [s.event.subjects for s in steps]))
            if head.height == 3:
                break
    assert seen == [(2, [("account:hachioji.b",)]), (3, [("account:hachioji.c",)])]


async def test_the_outbox_over_real_nodes(tmp_path: Path) -> None:
    network = Network(served=2)
    database = Database(database_url("sqlite", tmp_path))
    database.migrate()
    async with connected(network, away=1) as chain:
        outbox = Outbox(database, chain, Keyring({OPERATOR: key_of(OPERATOR)}), system_clock, {})
        call = Call(
            OPERATOR, "governance", "create_account",
            {"account": "hachioji.new", "roles": (), "keys": (key_of("n").public_key,)},
        )  # fmt: skip
        ids = [database.write_now(lambda session: outbox.put(session, "x", call).id) for _ in range(2)]
        while await outbox.work_once():
            pass
        rows = database.read_now(lambda session: [session.get_one(Write, i) for i in ids])
    assert sorted(r.state for r in rows) == ["done", "refused"]
    refused = next(r for r in rows if r.state == "refused")
    assert refused.reason == "governance.account_exists" and "hachioji.new" in refused.reason_en
    database.close()
