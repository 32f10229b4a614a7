"""The client: goes on when nodes fail, submits the same bytes, and finds out a node that lies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from edge.client import DaichoClient, LyingNode, NotAdmitted, Unavailable
from edge.http.names import PROOF_TYPE
from edge.http.server import HttpServer
from edge.mempool import PoolReason
from ledger.encoding import Value
from ledger.light import LightChain, UnknownValidators, Untrue
from ledger.refusal import Refused
from ledger.registry import ACCOUNTS
from ledger.types import Certificate, TransactionReason, ValidatorSet
from ledger.votes import in_sync_payload
from tests.http.harness import HACHIOJI, OPERATOR, Network, key_of, with_nodes

Servers = list[HttpServer]


def url(server: HttpServer) -> str:
    return f"http://127.0.0.1:{server.port}"


@asynccontextmanager
async def client(network: Network, servers: Servers, **how: Any) -> AsyncIterator[DaichoClient]:
    async with DaichoClient([url(s) for s in servers], network.genesis, **how) as found:
        yield found


def test_a_write_is_committed_and_its_receipt_proved() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            transaction = c.sign(
                key_of(OPERATOR),
                OPERATOR,
                "governance",
                "create_account",
                {"account": "new.clerk", "roles": [], "keys": [key_of("new").public_key]},
            )
            committed = await c.submit(transaction)
            assert committed is not None
            assert (committed.height, committed.index, committed.reason) == (1, 0, "")
            assert committed.receipt.events[0].subjects == ("account:new.clerk",)
            again = await c.submit(transaction)
            assert again == committed
            assert await c.find(transaction.id) == committed
            assert await c.find(bytes(32)) is None

    with_nodes(scenario)


def test_the_client_goes_on_to_the_next_node_when_one_is_gone() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            await servers[0].close()
            started = time.monotonic()
            assert await c.submit(network.account("new.clerk")) is not None
            assert time.monotonic() - started < 1
            await servers[1].close()
            assert (await c.query("governance", "account", {"account": "new.clerk"})).result[
                "account_id"
            ] == "new.clerk"
            for server in servers[2:]:
                await server.close()
            with pytest.raises(Unavailable):
                await c.query("governance", "accounts", {})
            with pytest.raises(Unavailable):
                await c.submit(network.account("another"), timeout_ms=200)

    with_nodes(scenario)


def test_a_full_node_is_passed_over_and_asked_again() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            for node in network.nodes:
                node.accepts = Refused(PoolReason.POOL_FULL, count=1)
            submitting = asyncio.create_task(c.submit(network.account("new.clerk")))
            await asyncio.sleep(0.1)
            network.nodes[2].accepts = None
            assert await submitting is not None
            assert network.node.chain.height == 1

    with_nodes(scenario)


def test_the_same_bytes_to_several_nodes_are_committed_once() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        network.commits = False
        async with client(network, servers) as c, client(network, servers[::-1]) as d:
            transaction = network.account("new.clerk")
            submitting = [asyncio.create_task(one.submit(transaction)) for one in (c, d)]
            await asyncio.sleep(0.1)
            assert sum(len(node.pool) for node in network.nodes) == 2
            network.commit()
            first, second = await asyncio.gather(*submitting)
            assert first == second
            assert network.node.chain.height == 1

    with_nodes(scenario)


def test_what_every_node_refuses_is_not_admitted_and_says_why() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            with pytest.raises(NotAdmitted) as refused:
                await c.submit(network.sign("governance", "x", sender="nobody"))
            assert refused.value.code == "unknown_account"
            assert "nobody" in refused.value.ja
            with pytest.raises(NotAdmitted) as refused:
                await c.submit_until_committed(network.sign("governance", "x", expires_in_ms=-1))
            assert refused.value.code == "expired"
            with pytest.raises(NotAdmitted) as refused:
                await c.query("governance", "nothing", {})
            assert refused.value.code == "runtime.unknown_query"

    with_nodes(scenario)


def test_a_refusal_does_not_wait_for_a_node_that_is_gone() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            await servers[1].close()
            started = time.monotonic()
            with pytest.raises(NotAdmitted):
                await c.submit(network.sign("governance", "x", sender="nobody"))
            assert time.monotonic() - started < 3
            # One that is behind does not know the account yet; the others do.
            network.node.accepts = Refused(TransactionReason.UNKNOWN_ACCOUNT, account=OPERATOR)
            assert await c.submit(network.account("new.clerk")) is not None

    with_nodes(scenario)


def test_not_in_time_is_none_and_later_the_same_bytes_bring_the_receipt() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        network.commits = False
        async with client(network, servers) as c:
            transaction = network.account("new.clerk")
            assert await c.submit(transaction, timeout_ms=150) is None
            assert await c.submit(transaction, "accepted") is None
            network.commits = True
            network.commit()
            assert (await c.submit_until_committed(transaction)).height == 1

    with_nodes(scenario)


def test_rows_and_heads_are_proved() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            assert (await c.head()).height == 0
            await c.submit(network.account("new.clerk"))
            header, value = await c.state(ACCOUNTS.key("new.clerk"))
            assert header.height == 1
            assert value == network.node.chain.state.get(ACCOUNTS.key("new.clerk"))
            assert (await c.state(ACCOUNTS.key("nobody")))[1] is None
            assert (await c.head()).hash == network.node.chain.head.hash

    with_nodes(scenario)


def test_blocks_are_followed_whole_and_in_order_across_failing_nodes() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        for i in range(3):
            network.commit(network.account(f"a.{i}"))
        seen: list[int] = []
        async with client(network, servers) as c:

            async def follow() -> None:
                async for block in c.follow(0):
                    seen.append(block.header.height)
                    assert [r.transaction_id for r in block.receipts] == [t.id for t in block.transactions]
                    if len(seen) == 6:
                        return

            following = asyncio.create_task(follow())
            await asyncio.sleep(0.1)
            network.commit(empty=True)
            await asyncio.sleep(0.05)
            await servers[0].close()
            network.commit(network.account("b.1"), network.account("b.2"))
            await asyncio.sleep(0.1)
            network.commit(network.account("b.3"))
            await asyncio.wait_for(following, 10)
        assert seen == [1, 2, 3, 4, 5, 6]

    with_nodes(scenario)


# -- a lying node ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def liar(honest: HttpServer, lie: Callable[[str, Any], Any]) -> AsyncIterator[str]:
    """A node that passes everything on, and changes what it answers in JSON."""

    async def handle(request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                url(honest) + request.raw_path,
                data=await request.read(),
                headers={name: request.headers.get(name, "*/*") for name in ("Content-Type", "Accept")},
            ) as answer,
        ):
            body = await answer.read()
            if answer.content_type == "application/json":
                body = msgspec.json.encode(lie(request.path, msgspec.json.decode(body)))
            else:
                body = lie(request.path, body)
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def deceived(network: Network, honest: HttpServer, lie: Callable[[str, Any], Any]) -> AsyncIterator[DaichoClient]:
    """A client that knows only a liar."""
    async with liar(honest, lie) as false, DaichoClient([false], network.genesis) as found:
        yield found


def _change(path: str, *place: str | int) -> Callable[[str, Any], Any]:
    """A lie: something else at a place of the answers under `path`, in JSON or in the byte form of a proof."""

    def lie(asked: str, answer: Any) -> Any:
        if not asked.startswith(path):
            return answer
        if isinstance(answer, bytes):
            if not place:
                return answer[:-1] + bytes([answer[-1] ^ 1])
            return msgspec.msgpack.encode(change(msgspec.msgpack.decode(answer)))
        return change(answer)

    def change(answer: Any) -> Any:
        inner = answer
        for step in place[:-1]:
            inner = inner[step]
        value = inner[place[-1]]
        match value:
            case int():
                value += 1
            case bytes():
                value = value[:-1] + bytes([value[-1] ^ 1])
            case _:
                value = value[:-2] + ("00" if value[-2:] != "00" else "01")
        inner[place[-1]] = value
        return answer

    return lie


TRANSACTIONS = "/v1/transactions"


@pytest.mark.parametrize(
    "place",
    [
        (2,),  # the index
        (3,),  # the transaction
        (5,),  # the receipt
        (0, 0),  # the header's chain id
        (0, 3),  # its time
        (0, 7),  # its receipts root
        (1, 1),  # the certificate's round
        (1, 2),  # its block hash
        (1, 3, 0, 1),  # its first seal
    ],
)
def test_a_node_that_lies_about_a_receipt_is_named(place: tuple[int, ...]) -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        network.commit(*[network.account(f"a.{i}") for i in range(3)])
        async with liar(servers[0], _change(TRANSACTIONS, *place)) as false:
            async with DaichoClient([false, url(servers[1])], network.genesis) as c:
                with pytest.raises(LyingNode) as found:
                    await c.submit(network.account("new.clerk"))
                assert found.value.url == false
            async with DaichoClient([false, url(servers[1])], network.genesis, avoid_liars=True) as c:
                assert (await c.submit(network.account("new.clerk2"))) is not None
                assert list(c.liars) == [false]

    with_nodes(scenario, served=2)


def test_a_node_that_lies_about_a_row_or_a_block_is_named() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        network.commit(network.account("new.clerk"))
        async with deceived(network, servers[0], _change("/v1/state", "value")) as c:
            with pytest.raises(LyingNode):
                await c.state(ACCOUNTS.key("new.clerk"))
        async with deceived(network, servers[0], _change("/v1/archive")) as c:
            with pytest.raises(LyingNode):
                async for _ in c.follow(0):
                    pass

    with_nodes(scenario, served=1)


def test_a_node_that_hides_a_row_is_named() -> None:
    def hide(path: str, answer: Any) -> Any:
        return {**answer, "value": None} if path.startswith("/v1/state") else answer

    async def scenario(network: Network, servers: Servers) -> None:
        async with deceived(network, servers[0], hide) as c:
            with pytest.raises(LyingNode):
                await c.state(ACCOUNTS.key(OPERATOR))

    with_nodes(scenario, served=1)


def test_another_chain_of_the_same_validators_is_not_this_one() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        network.commit(network.account("new.clerk"))
        ours = msgspec.structs.replace(network.genesis, network="ours")
        async with DaichoClient([url(servers[0])], ours) as c:
            with pytest.raises(LyingNode):
                await c.head()

    with_nodes(scenario, served=1)


def test_the_receipt_of_another_transaction_is_no_receipt() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        first = network.account("a.1")
        network.commit(first)
        asked = f"{url(servers[0])}/v1/transactions/{first.id.hex()}"
        headers = {"Accept": PROOF_TYPE}
        async with aiohttp.ClientSession() as session, session.get(asked, headers=headers) as answer:
            another = await answer.read()

        def swap(path: str, answer: Any) -> Any:
            return another if path.startswith(TRANSACTIONS) else answer

        async with deceived(network, servers[0], swap) as c:
            with pytest.raises(LyingNode):
                await c.submit(network.account("a.2"))

    with_nodes(scenario, served=1)


# -- changes of the validator set --------------------------------------------------------------------------------------


def _change_validators(network: Network) -> None:
    """node-5 is added and admitted, node-1 demoted: the certificates are now those of other sets."""

    def agree(method: str, **args: Value) -> None:
        proposal = network.sign("governance", method, **args)
        network.commit(proposal)
        receipt = network.node.chain.receipt(proposal.id)
        assert receipt is not None and receipt.done, receipt
        approval = network.sign(
            "governance", "approve", sender="tachikawa.operator", proposal=str(receipt.result["proposal"])
        )
        network.commit(approval)
        done = network.node.chain.receipt(approval.id)
        assert done is not None and done.result["status"] == "done", done

    key, chain = key_of("node-5"), network.node.chain
    agree("propose_node", node_id="node-5", organisation=HACHIOJI, public_key=key.public_key, address="localhost:5")
    height, digest = chain.height, chain.head.hash
    signature = key.sign(in_sync_payload(chain.chain_id, "node-5", height, digest))
    agree("propose_validator", node_id="node-5", height=height, block_hash=digest, signature=signature)
    agree("propose_demotion", node_id="node-1")


def test_the_client_learns_the_validator_sets_from_the_genesis_on() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        async with client(network, servers) as c:
            _change_validators(network)
            assert network.node.chain.validators.ids == ("node-2", "node-3", "node-4", "node-5")
            committed = await c.submit(network.account("new.clerk"))
            assert committed is not None
            assert c.chain.validators(committed.height).ids == network.node.chain.validators.ids
            assert c.chain.validators(1).ids == ("node-1", "node-2", "node-3", "node-4")

        async with deceived(network, servers[0], _hide_changes) as d:
            with pytest.raises(LyingNode):
                await d.submit(network.account("another"))

    with_nodes(scenario, served=1)


def _hide_changes(path: str, answer: Any) -> Any:
    return {"changes": [], "next": None} if path == "/v1/validators/changes" else answer


def test_a_set_that_no_certified_header_names_is_not_learned() -> None:
    async def scenario(network: Network, servers: Servers) -> None:
        _change_validators(network)
        chain = network.node.chain
        changes = chain.validator_changes(0, 10)
        assert len(changes) == 2
        light = LightChain(network.genesis)

        def block(height: int) -> tuple[Any, Certificate]:
            header, certificate = chain.header(height), chain.certificate(height)
            assert header is not None and certificate is not None
            return header, certificate

        first, second = changes
        with pytest.raises(UnknownValidators):
            light.learn(*block(second[0]), second[1])
        with pytest.raises(Untrue):
            light.learn(*block(first[0]), ValidatorSet(first[1].members[:1]))
        light.learn(*block(first[0]), first[1])
        with pytest.raises(Untrue):
            light.learn(*block(first[0]), first[1])
        light.learn(*block(second[0]), second[1])
        light.check_header(*block(chain.height))

    with_nodes(scenario, served=1)
