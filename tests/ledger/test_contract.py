"""The contract runtime: which call runs, what it may do, and what its receipt says."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from ledger.contract import (
    ANYBODY,
    MAX_EVENTS,
    Context,
    Contract,
    MissingContractVersion,
    QueryContext,
    Result,
    Runtime,
    call,
    query,
)
from ledger.crypto import sha256
from ledger.encoding import Wire, encode
from ledger.kv import MemoryKeyValue
from ledger.overlay import Overlay
from ledger.refusal import BrokenInvariant, Reason, Refused, Text
from ledger.registry import CONTRACT_VERSIONS, Account, ContractVersion, ContractVersions
from ledger.table import Table
from ledger.types import Receipt, Transaction, TransactionBody, whole


class Jar(Wire, frozen=True):
    owner: str
    coins: int


JARS = Table("jars", "jar", Jar)


class JarReason(Reason):
    EMPTY = Text("貯金箱 {jar} は空です", "the jar {jar} is empty")


class StrangerReason(Reason):
    STRANGE = Text("知らない理由", "a reason of somebody else")


Id = Annotated[str, whole(r"[a-z]{1,8}")]


class Jars(Contract):
    name = "jars"
    version = 1
    reasons = (JarReason,)

    @call(roles=["jars.keeper"])
    def put(self, ctx: Context, jar: Id, coins: Annotated[int, msgspec.Meta(ge=1, le=100)], note: str = "") -> Result:
        """Put coins into a jar."""
        row = JARS.get(ctx.state, jar) or Jar(ctx.sender.account_id, 0)
        JARS.put(ctx.state, jar, Jar(row.owner, row.coins + coins))
        ctx.emit("put", [f"jar:{jar}", f"jar:{jar}"], coins=coins, note=note)
        return {"coins": row.coins + coins, "id": ctx.new_id("put"), "other": ctx.new_id("put")}

    @call(roles=[ANYBODY])
    def smash(self, ctx: Context, jar: Id) -> Result:
        """Empty a jar, having written and told before it is known to be empty."""
        row = JARS.get(ctx.state, jar)
        JARS.put(ctx.state, "ruin", Jar("", 1))
        ctx.emit("smashed", [f"jar:{jar}"])
        if row is None:
            raise Refused(JarReason.EMPTY, jar=jar)
        return None

    @call(roles=[ANYBODY])
    def misbehave(self, ctx: Context, how: str) -> Result:
        """What no contract should do."""
        if how == "stranger":
            raise Refused(StrangerReason.STRANGE)
        if how == "crash":
            raise ZeroDivisionError
        for _ in range(MAX_EVENTS + 1):
            ctx.emit("noise", ["jar:x"] if how == "noise" else [])
        return None

    @query
    def jar(self, ctx: QueryContext, jar: Id, raw: bytes = b"") -> Jar | None:
        """One jar."""
        return JARS.get(ctx.state, jar)


class JarsTwo(Jars):
    version = 2

    @call(roles=[ANYBODY])
    def shake(self, ctx: Context) -> Result:
        """New in the second version."""
        return None


class Desk:
    """Runs calls of `Jars` on a state in memory."""

    def __init__(self, *versions: tuple[int, int]) -> None:
        self.runtime = Runtime([Jars(), JarsTwo()])
        self.state = Overlay(MemoryKeyValue())
        rows = tuple(ContractVersion("jars", version, height) for version, height in versions or ((1, 0),))
        CONTRACT_VERSIONS.put(self.state, "jars", ContractVersions(rows))
        self.state.keep()
        self.count = 0

    def run(self, method: str, args: Any = None, *, raw: bytes | None = None, height: int = 1,
            roles: tuple[str, ...] = ("jars.keeper",), contract: str = "jars") -> Receipt:  # fmt: skip
        self.count += 1
        data = encode({} if args is None else args) if raw is None else raw
        body = TransactionBody(bytes(32), "kim", bytes(32), contract, method, data, bytes(16), 1)
        transaction = Transaction(b"", b"", body, bytes(64), sha256(bytes([self.count])))
        return self.runtime.execute(self.state, transaction, Account("kim", "132012", roles, (), False), height, 1)

    def rows(self) -> dict[str, Jar]:
        return dict(JARS.page(self.state, limit=10))


def test_a_call_changes_the_state_and_its_receipt_tells_what_happened() -> None:
    desk = Desk()
    receipt = desk.run("put", {"jar": "a", "coins": 3})
    assert receipt.done and receipt.result["coins"] == 3
    assert desk.rows() == {"a": Jar("kim", 3)}
    (event,) = receipt.events
    assert (event.name, event.subjects, event.data) == ("put", ("jar:a",), {"coins": 3, "note": ""})


def test_ids_are_told_apart_within_a_call_and_between_calls() -> None:
    desk = Desk()
    first, second = (desk.run("put", {"jar": "a", "coins": 1}).result for _ in range(2))
    ids = {first["id"], first["other"], second["id"], second["other"]}
    assert len(ids) == 4 and all(str(i).startswith("put-") for i in ids)


def test_a_refusal_leaves_nothing_but_its_receipt() -> None:
    desk = Desk()
    receipt = desk.run("smash", {"jar": "a"})
    assert (receipt.reason, receipt.params) == ("jars.empty", {"jar": "a"})
    assert receipt.events == () and receipt.result == {} and desk.rows() == {}
    assert desk.runtime.reason_text(receipt.reason, receipt.params, "ja") == "貯金箱 a は空です"
    assert desk.runtime.reason_text(receipt.reason, receipt.params, "en") == "the jar a is empty"


def test_a_call_needs_one_of_its_roles() -> None:
    desk = Desk()
    receipt = desk.run("put", {"jar": "a", "coins": 3}, roles=("jars.visitor",))
    assert (receipt.reason, receipt.params["roles"]) == ("runtime.missing_role", "jars.keeper")
    assert desk.run("smash", {"jar": "a"}, roles=()).reason == "jars.empty"


@pytest.mark.parametrize(("contract", "method", "reason"), [
    ("pots", "put", "runtime.unknown_contract"),
    ("jars", "steal", "runtime.unknown_method"),
    ("jars", "jar", "runtime.unknown_method"),
    ("jars", "run", "runtime.unknown_method"),
])  # fmt: skip
def test_what_is_not_a_call_is_refused(contract: str, method: str, reason: str) -> None:
    assert Desk().run(method, {"jar": "a"}, contract=contract).reason == reason


@pytest.mark.parametrize("args", [
    {}, {"jar": "a"}, {"jar": "a", "coins": 0}, {"jar": "a", "coins": 101}, {"jar": "a", "coins": "1"},
    {"jar": "a", "coins": True}, {"jar": "a", "coins": None}, {"jar": b"a", "coins": 1}, {"jar": "a\n", "coins": 1},
    {"jar": "a", "coins": 1, "more": 1}, ["a", 1], 5, None,
])  # fmt: skip
def test_arguments_that_do_not_fit_the_types_are_refused(args: Any) -> None:
    desk = Desk()
    receipt = desk.run("put", raw=encode(args))
    assert (receipt.reason, receipt.params) == ("runtime.bad_arguments", {"contract": "jars", "method": "put"})
    assert desk.rows() == {}


@pytest.mark.parametrize("raw", [
    b"",
    b"\x82\xa5coins\x01\xa3jar",  # cut off
    b"\x82\xa3jar\xa1a\xa5coins\x01",  # keys out of order
    b"\x82\xa5coins\xcc\x01\xa3jar\xa1a",  # a number longer than it must be
    b"\x83\xa5coins\x01\xa5coins\x02\xa3jar\xa1a",  # a key twice
    b"\x82\xa5coins\x01\xa3jar\xa1\xff",  # no text
    b"\x91" * 5_000,  # far too deep
])  # fmt: skip
def test_arguments_in_another_than_the_canonical_form_are_refused(raw: bytes) -> None:
    assert Desk().run("put", raw=raw).reason == "runtime.bad_arguments"


@pytest.mark.parametrize("how", ["stranger", "noise", "nobody"])
def test_what_a_contract_must_not_do_is_a_broken_invariant_and_no_receipt(how: str) -> None:
    with pytest.raises(BrokenInvariant):
        Desk().run("misbehave", {"how": how})


def test_an_exception_out_of_a_contract_is_not_hidden_in_a_receipt() -> None:
    with pytest.raises(ZeroDivisionError):
        Desk().run("misbehave", {"how": "crash"})


def test_a_version_runs_from_its_height_on() -> None:
    desk = Desk((1, 0), (2, 10))
    assert desk.run("shake", height=9).reason == "runtime.unknown_method"
    assert desk.run("shake", height=10).done
    assert desk.run("put", {"jar": "a", "coins": 1}, height=10).done


def test_a_version_that_this_build_lacks_is_named_beforehand_and_stops_the_node_in_time() -> None:
    desk = Desk((1, 0), (3, 10))
    assert desk.runtime.missing_versions(desk.state) == [("jars", 3, 10)]
    assert desk.run("put", {"jar": "a", "coins": 1}, height=9).done
    with pytest.raises(MissingContractVersion, match="jars runs in version 3"):
        desk.run("put", {"jar": "a", "coins": 1}, height=10)


def test_a_query_answers_in_plain_values_and_refuses_by_name() -> None:
    desk = Desk()
    desk.run("put", {"jar": "a", "coins": 3})
    ask = desk.runtime.query
    assert ask("jars", "jar", {"jar": "a"}, desk.state, 1, 1) == {"owner": "kim", "coins": 3}
    assert ask("jars", "jar", {"jar": "b"}, desk.state, 1, 1) is None
    for contract, method, arguments, code in [
        ("pots", "jar", {"jar": "a"}, "unknown_contract"),
        ("jars", "put", {"jar": "a"}, "unknown_query"),
        ("jars", "jar", {}, "bad_query"),
        ("jars", "jar", {"jar": "A"}, "bad_query"),
        ("jars", "jar", {"jar": "a", "raw": "zz"}, "bad_query"),
        ("jars", "jar", {"jar": "\ud800"}, "bad_query"),
        ("jars", "jar", {"jar": "a", "more": "1"}, "bad_query"),
    ]:
        with pytest.raises(Refused) as refusal:
            ask(contract, method, arguments, desk.state, 1, 1)
        assert refusal.value.reason.code == code


def test_the_schema_says_what_the_types_say() -> None:
    spec = Runtime([Jars()]).spec("jars", "put")
    assert spec is not None and spec.doc == "Put coins into a jar."
    schema: Any = spec.argument_schema()
    assert schema["required"] == ["jar", "coins"] and schema["additionalProperties"] is False
    assert (schema["properties"]["coins"]["minimum"], schema["properties"]["coins"]["maximum"]) == (1, 100)


def test_two_contracts_of_one_name_and_version_are_a_fault_of_the_build() -> None:
    with pytest.raises(BrokenInvariant):
        Runtime([Jars(), Jars()])
