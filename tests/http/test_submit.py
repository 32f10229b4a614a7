"""Submitting: what is taken, what is refused and how, and that the same bytes are the same submission."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.settings import HttpSettings, Rate
from edge.http.shapes import MAX_SUBMITTED, SubmittedTransactions
from edge.http.submit_many import MAX_BODY_BYTES
from edge.mempool import PoolReason
from edge.runtime import RuntimeReason
from ledger.encoding import pack, unpack
from ledger.light import Inclusion, LightChain
from ledger.refusal import Refused
from ledger.types import TRANSACTION_TAG, SignedTransaction, Transaction, TransactionBody
from tests.http.harness import OPERATOR, Network, Served, key_of, with_api

TYPE = {"Content-Type": "application/vnd.daicho.transaction"}


def test_a_committed_transaction_answers_its_receipt_and_again_the_same() -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        status, first = await api.submit(transaction)
        assert status == 200
        assert (first["status"], first["height"], first["index"]) == ("committed", 1, 0)
        assert first["id"] == transaction.id.hex()
        assert first["receipt"]["done"] is True
        assert first["receipt"]["events"][0]["subjects"] == ["account:new.clerk"]
        assert await api.submit(transaction) == (200, first)
        assert api.node.chain.height == 1

    with_api(scenario)


def test_json_with_base64_is_the_same_submission() -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        body = {"transaction": base64.b64encode(transaction.raw).decode()}
        status, answer = await api.ask("POST", "/v1/transactions", json=body)
        assert (status, answer["id"]) == (200, transaction.id.hex())
        assert await api.submit(transaction) == (200, answer)

    with_api(scenario)


def test_a_contract_refusal_is_a_receipt_in_both_languages() -> None:
    async def scenario(api: Served) -> None:
        status, answer = await api.submit(api.network.account(OPERATOR))
        receipt = answer["receipt"]
        assert (status, receipt["done"], receipt["reason"]) == (200, False, "governance.account_exists")
        assert receipt["text"] == f"account {OPERATOR} is registered already"
        assert receipt["text_ja"] == f"アカウント {OPERATOR} は既に登録されています"
        assert receipt["events"] == []

    with_api(scenario)


def test_what_is_not_committed_in_time_is_202_and_safe_to_send_again() -> None:
    async def scenario(api: Served) -> None:
        api.network.commits = False
        transaction = api.network.account("new.clerk")
        status, answer = await api.submit(transaction, "?timeout_ms=20")
        assert (status, answer["status"], answer["id"]) == (202, "accepted", transaction.id.hex())
        status, found = await api.get(f"/v1/transactions/{transaction.id.hex()}")
        assert (status, found["status"], found["receipt"]) == (200, "accepted", None)
        waiting = asyncio.create_task(api.submit(transaction))
        await asyncio.sleep(0.02)
        api.network.commit()
        status, answer = await waiting
        assert (status, answer["height"]) == (200, 1)

    with_api(scenario)


def test_what_was_not_even_looked_at_in_time_is_not_called_accepted() -> None:
    async def scenario(api: Served) -> None:
        api.node.accepts = Refused(RuntimeReason.NOT_YET)
        for wait in ("accepted", "committed"):
            status, answer = await api.submit(api.network.account("new.clerk"), f"?wait={wait}")
            assert (status, answer["error"]["code"]) == (503, "overloaded")

    with_api(scenario)


def test_a_committed_transaction_can_be_answered_with_its_bare_proof() -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        await api.submit(transaction)
        headers = {"Accept": "application/vnd.daicho.proof"}
        light = LightChain(api.network.genesis)
        for method, path, data in (
            ("POST", "/v1/transactions", transaction.raw),
            ("GET", f"/v1/transactions/{transaction.id.hex()}", None),
        ):
            async with api.session.request(method, api.url + path, data=data, headers={**TYPE, **headers}) as response:
                assert response.content_type == "application/vnd.daicho.proof"
                proved = light.check_inclusion(unpack(Inclusion, await response.read()), transaction.id)
                assert proved.receipt.done

    with_api(scenario)


def test_wait_accepted_answers_before_the_block() -> None:
    async def scenario(api: Served) -> None:
        api.network.commits = False
        status, answer = await api.submit(api.network.account("new.clerk"), "?wait=accepted")
        assert (status, answer["status"]) == (202, "accepted")

    with_api(scenario)


def test_wait_everywhere_names_the_disks() -> None:
    async def scenario(api: Served) -> None:
        status, answer = await api.submit(api.network.account("new.clerk"), "?wait=everywhere")
        assert (status, answer["status"], answer["on_disk_at"]) == (200, "everywhere", ["node-1"])

    with_api(scenario)


def _with(transaction: Transaction, **changes: Any) -> Transaction:
    fields = {name: getattr(transaction.body, name) for name in TransactionBody.__struct_fields__}
    return Transaction.sign(TransactionBody(**{**fields, **changes}), key_of(transaction.body.sender))


def _bad(network: Network, kind: str) -> bytes:
    good = network.account("new.clerk")
    match kind:
        case "malformed":
            return b"\x93\x01\x02\x03"
        case "not canonical":
            return b"\x92\xc5\x00\x01" + b"x" + good.raw[-66:]
        case "unsigned":
            return pack(SignedTransaction(good.signing_payload[len(TRANSACTION_TAG) + 1 :], bytes(64)))
        case "wrong key":
            return pack(SignedTransaction(good.signing_payload[len(TRANSACTION_TAG) + 1 :], good.signature[::-1]))
        case "expired":
            return network.sign("governance", "x", expires_in_ms=-1).raw
        case "too late":
            return network.sign("governance", "x", expires_in_ms=3_700_000).raw
        case "foreign":
            return _with(good, chain_id=bytes(32)).raw
        case "unknown account":
            return network.sign("governance", "x", sender="nobody").raw
        case "revoked":
            return network.sign("governance", "x", sender="hachioji.gone").raw
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("malformed", 400, "malformed"),
        ("not canonical", 400, "not_canonical"),
        ("unsigned", 403, "bad_signature"),
        ("wrong key", 403, "bad_signature"),
        ("expired", 409, "expired"),
        ("too late", 400, "expires_too_late"),
        ("foreign", 409, "foreign_chain"),
        ("unknown account", 403, "unknown_account"),
        ("revoked", 403, "revoked_account"),
    ],
)
def test_bad_input_gets_a_named_error_is_counted_and_nothing_is_kept(kind: str, status: int, code: str) -> None:
    async def scenario(api: Served) -> None:
        found, answer = await api.ask("POST", "/v1/transactions", data=_bad(api.network, kind), headers=TYPE)
        assert (found, answer["error"]["code"]) == (status, code)
        assert set(answer["error"]) == {"code", "message", "message_ja", "params", "request_id"}
        assert not api.node.pool
        assert api.node.chain.height == 0
        assert f'daicho_refusals_total{{code="{code}"}} 1.0' in api.metrics.render().decode()

    with_api(scenario)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/octet-stream", "text/plain", "x"]))
def test_random_bodies_get_a_client_error_and_disturb_nobody(body: bytes, kind: str) -> None:
    async def scenario(api: Served) -> None:
        status, answer = await api.ask("POST", "/v1/transactions", data=body, headers={"Content-Type": kind})
        assert 400 <= status < 500
        assert answer["error"]["code"]
        assert not api.node.pool
        assert (await api.submit(api.network.account("new.clerk")))[0] == 200

    with_api(scenario)


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(1, 255))
def test_a_transaction_with_one_byte_changed_never_passes(place: int, change: int) -> None:
    async def scenario(api: Served) -> None:
        raw = bytearray(api.network.account("new.clerk").raw)
        raw[place % len(raw)] ^= change
        status, answer = await api.ask("POST", "/v1/transactions", data=bytes(raw), headers=TYPE)
        assert 400 <= status < 500
        assert not api.node.pool
        assert answer["error"]["code"] != "internal"

    with_api(scenario)


def test_deep_json_and_large_bodies_are_refused() -> None:
    async def scenario(api: Served) -> None:
        status, answer = await api.ask(
            "POST", "/v1/transactions", data=b"[" * 50_000, headers={"Content-Type": "application/json"}
        )
        assert (status, answer["error"]["code"]) == (400, "bad_json")
        for size in (65_537, 3_000_000):
            status, answer = await api.ask("POST", "/v1/transactions", data=bytes(size), headers=TYPE)
            assert (status, answer["error"]["code"]) == (413, "body_too_large")

    with_api(scenario)


def test_a_compressed_body_is_not_unpacked() -> None:
    async def scenario(api: Served) -> None:
        headers = {**TYPE, "Content-Encoding": "gzip"}
        status, answer = await api.ask("POST", "/v1/transactions", data=b"\x1f\x8b", headers=headers)
        assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")

    with_api(scenario)


def test_a_full_pool_says_when_to_come_again() -> None:
    async def scenario(api: Served) -> None:
        api.node.accepts = Refused(PoolReason.POOL_FULL, count=20_000)
        transaction = api.network.account("new.clerk")
        async with api.session.post(api.url + "/v1/transactions", data=transaction.raw, headers=TYPE) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            assert (await response.json())["error"]["code"] == "pool_full"
        api.node.accepts = None
        assert (await api.submit(transaction))[0] == 200

    with_api(scenario)


def test_an_account_has_a_rate_and_only_what_it_signed_counts() -> None:
    async def scenario(api: Served) -> None:
        forged = _bad(api.network, "wrong key")
        for _ in range(5):
            status, _ = await api.ask("POST", "/v1/transactions", data=forged, headers=TYPE)
            assert status == 403
        assert (await api.submit(api.network.account("a.one")))[0] == 200
        assert (await api.submit(api.network.account("a.two")))[0] == 200
        status, answer = await api.submit(api.network.account("a.three"))
        assert (status, answer["error"]["code"]) == (429, "too_many_requests")
        assert (await api.submit(api.network.sign("governance", "x", sender="hachioji.clerk")))[0] == 200

    with_api(scenario, HttpSettings(account_rate=Rate(0.001, 2)))


def test_what_went_wrong_inside_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(api: Served) -> None:
        api.node.accepts = ValueError("a secret")
        headers = {**TYPE, "X-Request-Id": "abc-1"}
        transaction = api.network.account("new.clerk")
        async with api.session.post(api.url + "/v1/transactions", data=transaction.raw, headers=headers) as response:
            text = await response.text()
            assert response.status == 500
            assert response.headers["X-Request-Id"] == "abc-1"
        assert "secret" not in text
        assert '"code":"internal"' in text
        assert "abc-1" in caplog.text

    with_api(scenario)


def test_a_body_that_trickles_in_is_cut_off() -> None:
    async def trickle() -> Any:
        for _ in range(50):
            yield b"x"
            await asyncio.sleep(0.02)

    async def scenario(api: Served) -> None:
        try:
            status, answer = await api.ask("POST", "/v1/transactions", data=trickle(), headers=TYPE)
            assert (status, answer["error"]["code"]) == (408, "body_too_slow")
        except aiohttp.ClientConnectionError:
            pass  # closed while we were still sending: just as good

    with_api(scenario, HttpSettings(body_timeout_ms=100))


# -- several at once ---------------------------------------------------------------------------------------------------

BATCH = "/v1/transactions/batch"
MANY = {"Content-Type": "application/vnd.daicho.transactions"}


async def hand_in(api: Served, *raws: bytes, query: str = "") -> tuple[int, Any]:
    return await api.ask("POST", BATCH + query, data=pack(SubmittedTransactions(raws)), headers=MANY)


def test_each_of_several_has_its_own_outcome_in_the_order_given() -> None:
    async def scenario(api: Served) -> None:
        good, exists = api.network.account("new.clerk"), api.network.account(OPERATOR)
        forged = bytearray(api.network.account("forged.clerk").raw)
        forged[-1] ^= 1
        status, answer = await hand_in(api, good.raw, exists.raw, b"no transaction", bytes(forged))
        assert status == 200
        first, second, third, fourth = answer["results"]
        assert (first["id"], first["status"], first["done"], first["error"]) == (good.id.hex(), "committed", True, None)
        assert (second["status"], second["done"], second["reason"]) == ("committed", False, "governance.account_exists")
        assert (third["id"], third["status"], third["error"]["code"]) == (None, "refused", "malformed")
        assert (fourth["status"], fourth["error"]["code"]) == ("refused", "bad_signature")
        _, found = await api.get(f"/v1/transactions/{good.id.hex()}")
        assert (found["height"], found["index"]) == (first["height"], first["index"])

    with_api(scenario)


def test_several_in_json_and_again_are_the_same_submissions() -> None:
    async def scenario(api: Served) -> None:
        transactions = [api.network.account(f"clerk-{number}") for number in range(5)]
        body = {"transactions": [base64.b64encode(t.raw).decode() for t in transactions]}
        status, first = await api.ask("POST", BATCH, json=body)
        assert status == 200
        assert [r["id"] for r in first["results"]] == [t.id.hex() for t in transactions]
        height = api.node.chain.height
        assert await hand_in(api, *(t.raw for t in transactions)) == (200, first)
        assert api.node.chain.height == height

    with_api(scenario)


def test_several_that_are_not_committed_in_time_are_accepted() -> None:
    async def scenario(api: Served) -> None:
        api.network.commits = False
        raws = [api.network.account(f"clerk-{number}").raw for number in range(3)]
        status, answer = await hand_in(api, *raws, query="?timeout_ms=20")
        assert (status, {r["status"] for r in answer["results"]}) == (202, {"accepted"})
        api.network.commit()
        status, answer = await hand_in(api, *raws)
        assert (status, {r["height"] for r in answer["results"]}) == (200, {1})

    with_api(scenario)


def test_none_and_too_many_at_once_are_refused() -> None:
    async def scenario(api: Served) -> None:
        assert (await hand_in(api))[0] == 400
        raw = api.network.account("new.clerk").raw
        status, answer = await hand_in(api, *[raw] * (MAX_SUBMITTED + 1))
        assert (status, answer["error"]["code"]) == (400, "malformed")
        status, answer = await api.ask("POST", BATCH, json={"transactions": ["*"]})
        assert (status, answer["error"]["code"]) == (400, "bad_json")
        status, answer = await api.ask("POST", BATCH, data=bytes(MAX_BODY_BYTES + 1), headers=MANY)
        assert (status, answer["error"]["code"]) == (413, "body_too_large")
        assert api.node.chain.height == 0

    with_api(scenario)


def test_many_that_wait_are_counted_one_by_one() -> None:
    async def scenario(api: Served) -> None:
        raws = [api.network.account(f"clerk-{number}").raw for number in range(3)]
        status, answer = await hand_in(api, *raws)
        assert (status, answer["error"]["code"]) == (503, "too_many_waiting")
        assert (await hand_in(api, *raws[:2]))[0] == 200

    with_api(scenario, HttpSettings(max_waiting=2))
