"""Reading: proofs that hold against a certified header, pages, read-your-writes, and who may read."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from edge.archive import blocks_of
from edge.http.limits import MAX_BUCKETS, ReadPolicy, TokenBuckets, is_loopback
from edge.http.settings import HttpSettings, Rate
from edge.http.shapes import BlockFrame
from edge.verify_urls import blocks_over_http
from ledger import merkle, rules
from ledger.encoding import unpack
from ledger.schema import from_plain
from ledger.statetree import StateProof, verify_proof
from ledger.types import Block, Certificate, Header
from tests.http.harness import Served, with_api

JSON_TYPE = {"Content-Type": "application/json"}


def _header(value: dict[str, Any]) -> Header:
    return from_plain(Header, value)


def test_a_transactions_proof_holds_with_the_genesis_alone() -> None:
    async def scenario(api: Served) -> None:
        transactions = [api.network.account(f"a.{i}") for i in range(5)]
        api.network.commit(*transactions)
        validators = api.network.node.chain.validators
        for transaction in transactions:
            _, found = await api.get(f"/v1/transactions/{transaction.id.hex()}?proof=true")
            proof = found["proof"]
            header = _header(proof["header"])
            rules.check_certificate(header, from_plain(Certificate, proof["certificate"]), validators)
            for leaf, path, root in (
                ("transaction", "transaction_path", header.transactions_root),
                ("receipt", "receipt_path", header.receipts_root),
            ):
                steps = [bytes.fromhex(step) for step in proof[path]]
                assert merkle.verify_inclusion(root, bytes.fromhex(proof[leaf]), found["index"], 5, steps)
            assert bytes.fromhex(proof["transaction"]) == transaction.raw

    with_api(scenario)


@pytest.mark.parametrize(("name", "there"), [("hachioji.operator", True), ("nobody", False)])
def test_a_row_or_its_absence_is_proved_under_a_certified_state_root(name: str, there: bool) -> None:
    async def scenario(api: Served) -> None:
        await api.submit(api.network.account("new.clerk"))
        key = f"governance/account/{name}".encode()
        _, found = await api.get(f"/v1/state/{key.hex()}")
        header = _header(found["header"])
        rules.check_certificate(header, from_plain(Certificate, found["certificate"]), api.node.chain.validators)
        value = None if found["value"] is None else bytes.fromhex(found["value"])
        assert (value is not None) is there
        proof = StateProof(tuple(bytes.fromhex(node) for node in found["proof"]))
        assert verify_proof(header.state_root, key, value, proof)
        assert not verify_proof(header.state_root, key, b"another", proof)

    with_api(scenario)


def test_rows_come_in_pages_without_loss_or_repetition() -> None:
    async def scenario(api: Served) -> None:
        prefix = b"governance/account/".hex()
        _, whole = await api.get(f"/v1/state?prefix={prefix}")
        seen: list[str] = []
        after = ""
        while True:
            _, page = await api.get(f"/v1/state?prefix={prefix}&limit=1&after={after}")
            seen += [row["key"] for row in page["rows"]]
            if page["next"] is None:
                break
            after = page["next"]
        assert seen == [row["key"] for row in whole["rows"]]
        assert len(seen) == 4

    with_api(scenario)


def test_history_is_paged_by_cursor() -> None:
    async def scenario(api: Served) -> None:
        await api.submit(api.network.account("new.clerk"))
        for _ in range(2):
            for method in ("revoke_account", "restore_account"):
                await api.submit(api.network.sign("governance", method, account="new.clerk"))
        _, whole = await api.get("/v1/history/account:new.clerk")
        assert [e["event"]["name"] for e in whole["entries"]] == [
            "account_created",
            "account_revoked",
            "account_restored",
            "account_revoked",
            "account_restored",
        ]
        seen, after = [], ""
        while after is not None:
            _, page = await api.get(f"/v1/history/account:new.clerk?limit=2{after and '&after=' + after}")
            assert 0 < len(page["entries"]) <= 2
            seen += page["entries"]
            after = page["next"]
        assert seen == whole["entries"]
        status, error = await api.get("/v1/history/account:new.clerk?after=x")
        assert (status, error["error"]["code"]) == (400, "bad_parameter")

    with_api(scenario)


def test_a_query_takes_arguments_from_url_and_body_alike() -> None:
    async def scenario(api: Served) -> None:
        by_url = await api.get("/v1/query/governance/accounts?limit=2&after=hachioji.gone")
        by_body = await api.ask("POST", "/v1/query/governance/accounts", json={"limit": 2, "after": "hachioji.gone"})
        assert by_url == by_body
        assert [a["account_id"] for a in by_url[1]["result"]] == ["hachioji.operator", "tachikawa.operator"]

    with_api(scenario)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/query/nothing/x", 404, "runtime.unknown_contract"),
        ("/v1/query/governance/x", 404, "runtime.unknown_query"),
        ("/v1/query/governance/accounts?limit=x", 400, "runtime.bad_query"),
        ("/v1/query/governance/accounts?nonsense=1", 400, "runtime.bad_query"),
        ("/v1/query/Governance/x", 400, "bad_parameter"),
        ("/v1/transactions/12", 400, "bad_parameter"),
        ("/v1/transactions/" + "ab" * 32, 404, "no_transaction"),
        ("/v1/blocks/7", 404, "no_block"),
        ("/v1/blocks/-1", 400, "bad_parameter"),
        ("/v1/blocks/0/certificate", 404, "no_certificate"),
        ("/v1/headers?limit=100000", 400, "bad_parameter"),
        ("/v1/headers?limit=1&limit=2", 400, "bad_parameter"),
        ("/v1/state/abc", 400, "bad_parameter"),
        ("/v1/nothing", 404, "no_such_path"),
    ],
)
def test_wrong_questions_get_a_named_error(path: str, status: int, code: str) -> None:
    async def scenario(api: Served) -> None:
        found, answer = await api.get(path)
        assert (found, answer["error"]["code"]) == (status, code)
        assert answer["error"]["message_ja"]

    with_api(scenario)


def test_a_method_that_is_not_there_says_which_are() -> None:
    async def scenario(api: Served) -> None:
        async with api.session.delete(api.url + "/v1/transactions") as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
            assert (await response.json())["error"]["code"] == "method_not_allowed"

    with_api(scenario)


def test_min_height_waits_for_the_block_or_says_that_it_is_not_there() -> None:
    async def scenario(api: Served) -> None:
        asking = asyncio.create_task(api.get("/v1/query/governance/account?account=new.clerk&min_height=1"))
        await asyncio.sleep(0.05)
        api.network.commit(api.network.account("new.clerk"))
        status, answer = await asking
        assert (status, answer["height"], answer["result"]["account_id"]) == (200, 1, "new.clerk")
        async with api.session.get(api.url + "/v1/query/governance/accounts?min_height=9") as response:
            assert (response.status, "Retry-After" in response.headers) == (503, True)
            assert (await response.json())["error"]["code"] == "height_not_reached"

    with_api(scenario)


def test_raw_blocks_certificates_and_receipts_are_the_bytes_that_were_hashed() -> None:
    async def scenario(api: Served) -> None:
        await api.submit(api.network.account("new.clerk"))

        async def raw(path: str) -> bytes:
            async with api.session.get(api.url + path) as response:
                assert response.content_type == "application/octet-stream"
                return await response.read()

        block = unpack(Block, await raw("/v1/blocks/1/raw"))
        certificate = unpack(Certificate, await raw("/v1/blocks/1/certificate/raw"))
        rules.check_certificate(block.header, certificate, api.node.chain.validators)
        receipts = unpack(rules.Receipts, await raw("/v1/blocks/1/receipts/raw")).items
        assert merkle.root(receipts) == block.header.receipts_root

    with_api(scenario)


def test_a_range_of_blocks_is_streamed_in_frames() -> None:
    async def scenario(api: Served) -> None:
        for i in range(5):
            await api.submit(api.network.account(f"a.{i}"))
        async with api.session.get(api.url + "/v1/archive?from=0&limit=4") as response:
            data = await response.read()
            assert response.headers["X-Daicho-Height"] == "5"
        frames: list[BlockFrame] = []
        while data:
            size = int.from_bytes(data[:4], "big")
            frames.append(unpack(BlockFrame, data[4 : 4 + size]))
            data = data[4 + size :]
        assert [unpack(Block, f.block).header.height for f in frames] == [0, 1, 2, 3]
        assert frames[0].certificate == b""
        assert frames[3].block == api.node.chain.raw_block(3)

    with_api(scenario)


def test_blocks_taken_from_a_running_node_are_those_of_its_store() -> None:
    async def scenario(api: Served) -> None:
        for i in range(3):
            await api.submit(api.network.account(f"a.{i}"))
        taken = await asyncio.to_thread(lambda: list(blocks_over_http(api.url, 3, None)))
        assert taken == list(blocks_of(api.node.chain))
        assert taken[0].certificate is None

    with_api(scenario)


# -- who may read ------------------------------------------------------------------------------------------------------


def test_reads_from_beyond_loopback_need_what_the_configuration_says() -> None:
    digest = hashlib.sha256(b"token-of-tachikawa").hexdigest()

    def reader(reads: Any, address: str, authorization: str | None = None, forwarded: bool = False) -> str | None:
        policy = ReadPolicy(HttpSettings(reads=reads, read_tokens={"tachikawa": digest}))
        return policy.reader(address, forwarded=forwarded, authorization=authorization)

    assert reader("loopback", "127.0.0.1") == "loopback"
    assert reader("loopback", "::1") == "loopback"
    assert reader("loopback", "127.0.0.1", forwarded=True) is None
    assert reader("loopback", "192.0.2.1", "Bearer token-of-tachikawa") is None
    assert reader("everybody", "192.0.2.1") == "everybody"
    assert reader("tokens", "192.0.2.1") is None
    assert reader("tokens", "192.0.2.1", "Bearer token-of-tachikawa") == "tachikawa"
    assert reader("tokens", "192.0.2.1", "Bearer token-of-hachioji") is None
    assert reader("tokens", "192.0.2.1", "Basic token-of-tachikawa") is None


def test_a_read_that_is_not_allowed_is_401_and_health_is_open() -> None:
    async def scenario(api: Served) -> None:
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        async with api.session.get(api.url + "/v1/status", headers=forwarded) as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="daicho"')
            assert (await response.json())["error"]["code"] == "unauthorised"
        for path in ("/health/live", "/health/ready", "/openapi.json"):
            status, _ = await api.get(path, headers=forwarded)
            assert status == 200
        headers = {**forwarded, "Content-Type": "application/octet-stream"}
        raw = api.network.account("new.clerk").raw
        status, _ = await api.ask("POST", "/v1/transactions", data=raw, headers=headers)
        assert status == 200

    with_api(scenario, HttpSettings())


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::1%eth0", False),
        ("10.0.0.1", False),
        ("", False),
        (None, False),
        ("localhost.evil", False),
    ],
)
def test_loopback_is_told_by_the_address_alone(address: str | None, loopback: bool) -> None:
    assert is_loopback(address) is loopback


# -- token buckets -----------------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = TokenBuckets(Rate(10, 3))
    assert [buckets.take("a", 0) for _ in range(4)] == [True, True, True, False]
    assert buckets.wait_ms("a", 0) > 0
    assert not buckets.take("a", 99)
    assert buckets.take("a", 200)
    assert buckets.take("b", 0)


def test_who_takes_more_than_there_is_waits_until_it_is_paid_back() -> None:
    buckets = TokenBuckets(Rate(10, 3))
    assert buckets.take("a", 0, 13)
    assert not buckets.take("a", 1_000)
    assert buckets.take("a", 1_200)


def test_the_table_of_buckets_is_bounded_and_forgets_the_longest_unheard() -> None:
    buckets = TokenBuckets(Rate(0.001, 1))
    for i in range(MAX_BUCKETS):
        buckets.take(str(i), 0)
    assert not buckets.take("0", 0)
    buckets.take("new", 0)
    assert len(buckets) == MAX_BUCKETS
    assert not buckets.take("0", 0), "0 was heard of lately, so it is remembered"
    assert buckets.take("1", 0), "1 was forgotten"


def test_every_request_has_an_id_and_no_origin_is_let_in() -> None:
    async def scenario(api: Served) -> None:
        async with api.session.get(api.url + "/v1/status", headers={"Origin": "https://example.org"}) as response:
            assert len(response.headers["X-Request-Id"]) == 16
            assert "Access-Control-Allow-Origin" not in response.headers
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        async with api.session.get(api.url + "/v1/status", headers={"X-Request-Id": "a b"}) as response:
            assert response.headers["X-Request-Id"] != "a b"

    with_api(scenario)


PLACES = [
    "/v1/transactions/{}",
    "/v1/blocks/{}",
    "/v1/state/{}",
    "/v1/history/{}",
    "/v1/query/governance/{}",
    "/v1/query/governance/accounts?after={}",
    "/v1/query/governance/account?account={}",
    "/v1/headers?from={}",
    "/v1/state?prefix={}",
    "/v1/archive?from={}&limit=1",
    "/search?q={}",
    "/subjects/{}",
    "/transactions/{}",
]


@settings(max_examples=20)
@given(st.lists(st.one_of(st.text(max_size=200), st.integers().map(str)), min_size=20, max_size=20))
def test_whatever_is_asked_the_node_answers_and_nothing_breaks(texts: list[str]) -> None:
    async def scenario(api: Served) -> None:
        for place in PLACES:
            for text in texts:
                path = place.format(quote(text, safe=""))
                async with api.session.get(URL(api.url + path, encoded=True), allow_redirects=False) as response:
                    body = await response.read()
                    assert response.status < 500 or b"height_not_reached" in body, (path, body)
        for text in texts:
            status, answer = await api.ask(
                "POST", "/v1/query/governance/accounts", data=text.encode("utf-8", "surrogatepass"), headers=JSON_TYPE
            )
            assert status == 200 or answer["error"]["code"] in ("bad_json", "runtime.bad_query")

    with_api(scenario)
