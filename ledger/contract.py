"""The contract runtime: what a contract is written with, and what runs its calls and queries.

A contract is a class with typed methods. From the types come the validation of arguments, the JSON Schema of the API
and the help of the command line. `@call` methods change the state, `@query` methods read it. What a call may know is in
its `Context`: the sender, the block's height and time, the state. Nothing else, so every node comes to the same result.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec

from ledger.encoding import decode, unpack
from ledger.kv import Reader
from ledger.overlay import Overlay
from ledger.refusal import BrokenInvariant, Language, Reason, Refused, Scalar, Text
from ledger.registry import CONTRACT_VERSIONS, Account, ContractVersions
from ledger.schema import argument_schema, from_plain, result_schema, to_plain
from ledger.table import Writer
from ledger.types import Event, Receipt, Transaction

MAX_EVENTS = 256
MAX_SUBJECTS = 16
MAX_SUBJECT_CHARS = 160
ANYBODY = "*"
"""The role that every account has."""

Result = dict[str, Scalar] | None
Method = TypeVar("Method", bound=Callable[..., object])


class RuntimeReason(Reason):
    """Refusals of the runtime itself, before the contract's own code is reached."""

    UNKNOWN_CONTRACT = Text("契約 {contract} はありません", "there is no contract {contract}")
    UNKNOWN_METHOD = Text("契約 {contract} に {method} はありません", "contract {contract} has no call {method}")
    BAD_ARGUMENTS = Text(
        "{contract}.{method} の引数が正しくありません", "the arguments of {contract}.{method} are not valid"
    )
    MISSING_ROLE = Text(
        "アカウント {account} には {method} を行う権限がありません(必要な役割: {roles})",
        "account {account} may not call {method}: it needs one of the roles {roles}",
    )
    UNKNOWN_QUERY = Text("契約 {contract} に照会 {method} はありません", "contract {contract} has no query {method}")
    BAD_QUERY = Text("照会の条件が正しくありません: {detail}", "the arguments of the query are not valid: {detail}")


class MissingContractVersion(Exception):
    """The chain has activated a contract version that this build does not have: the node stops before it diverges."""

    def __init__(self, contract: str, version: int) -> None:
        super().__init__(f"contract {contract} runs in version {version}, which this build does not have")
        self.contract = contract
        self.version = version


class QueryContext:
    """What a query may know: the state as of the head."""

    def __init__(self, state: Reader, height: int, time_ms: int) -> None:
        self.state = state
        self.height = height
        self.time_ms = time_ms
        """The time of the head's block."""


class Context:
    """What a call may know and do."""

    def __init__(
        self,
        state: Writer,
        sender: Account,
        transaction: Transaction,
        height: int,
        time_ms: int,
        *,
        recovering: bool = False,
    ) -> None:
        self.recovering = recovering
        """Whether this is a recovery block, signed by the genesis' recovery keys and by no validator."""
        self.state = state
        self.sender = sender
        self.contract = transaction.body.contract
        """The contract that is called: rules shared by several contracts keep their rows in its tables."""
        self.chain_id = transaction.body.chain_id
        self.transaction_id = transaction.id
        self.height = height
        self.time_ms = time_ms
        """The time of the block: the only time there is."""
        self._events: list[Event] = []
        self._ids = 0

    def emit(self, name: str, subjects: Iterable[str], **data: Scalar) -> None:
        """Record that something happened to `subjects`: it enters the history of each."""
        event = Event(name, tuple(dict.fromkeys(subjects)), data)
        if len(self._events) == MAX_EVENTS or not 0 < len(event.subjects) <= MAX_SUBJECTS:
            raise BrokenInvariant(f"event {name}: too many events, or no or too many subjects")
        for subject in event.subjects:
            if not 0 < len(subject) <= MAX_SUBJECT_CHARS or "\x00" in subject:
                raise BrokenInvariant(f"event {name}: {subject!r} is not a subject")
        self._events.append(event)

    def new_id(self, kind: str) -> str:
        """An id that no other call makes (`need-3ksvq2xw7d5mzc4a`), from the transaction's id and a count."""
        seed = hashlib.sha256(self.transaction_id + self._ids.to_bytes(2, "big")).digest()[:10]
        self._ids += 1
        return f"{kind}-{base64.b32encode(seed).decode().lower()}"

    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)


class Contract:
    """Base of contracts. `reasons` are the classes of its refusals; one instance serves all calls and has no state."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[type[Reason], ...]] = ()


@dataclass(frozen=True, slots=True)
class _Mark:
    kind: str
    roles: frozenset[str]


def call(*, roles: Iterable[str]) -> Callable[[Method], Method]:
    """A method that changes the state, for senders who have at least one of `roles` (`ANYBODY`: every account).

    A role that begins with a dot is one of the contract's own (`.officer`: `<contract>.officer`), so that several
    contracts can inherit the method.
    """

    def mark(method: Method) -> Method:
        method.__daicho__ = _Mark("call", frozenset(roles))  # type: ignore[attr-defined]
        return method

    return mark


def query(method: Method) -> Method:
    """A method that only reads. Pages by cursor: it takes `after` and `limit` wherever there can be many rows."""
    method.__daicho__ = _Mark("query", frozenset())  # type: ignore[attr-defined]
    return method


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One call or query, as the runtime knows it."""

    contract: str
    name: str
    kind: str
    roles: frozenset[str]
    doc: str
    arguments: type[msgspec.Struct]
    result: object
    function: Callable[..., object]
    decoder: msgspec.msgpack.Decoder[msgspec.Struct]

    def argument_schema(self) -> dict[str, object]:
        return argument_schema(self.arguments)

    def result_schema(self) -> dict[str, object]:
        return result_schema(self.result)


def _specify(contract: Contract, name: str, function: Callable[..., object], mark: _Mark) -> MethodSpec:
    hints = get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = hints[parameter.name]
        fields.append(
            (parameter.name, kind)
            if parameter.default is inspect.Parameter.empty
            else (parameter.name, kind, parameter.default)
        )
    arguments = msgspec.defstruct(
        f"{contract.name}_{name}", fields, frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    return MethodSpec(
        contract=contract.name,
        name=name,
        kind=mark.kind,
        roles=frozenset(f"{contract.name}{role}" if role.startswith(".") else role for role in mark.roles),
        doc=inspect.getdoc(function) or "",
        arguments=arguments,
        result=hints.get("return"),
        function=function,
        decoder=msgspec.msgpack.Decoder(arguments),
    )


class _Loaded:
    """One version of a contract, with its methods found once."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.calls: dict[str, MethodSpec] = {}
        self.queries: dict[str, MethodSpec] = {}
        for name, function in inspect.getmembers(contract, inspect.ismethod):
            mark = getattr(function, "__daicho__", None)
            if isinstance(mark, _Mark):
                (self.calls if mark.kind == "call" else self.queries)[name] = _specify(contract, name, function, mark)


@lru_cache(maxsize=256)
def _versions(row: bytes) -> ContractVersions:
    return unpack(ContractVersions, row)


class Runtime:
    """The contracts of this build, each in one or more versions; runs the version that the state has activated."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._loaded: dict[tuple[str, int], _Loaded] = {}
        self._reasons: dict[str, Reason] = {f"runtime.{r.code}": r for r in RuntimeReason}
        for contract in contracts:
            key = (contract.name, contract.version)
            if key in self._loaded:
                raise BrokenInvariant(f"contract {key} is there twice")
            self._loaded[key] = _Loaded(contract)
            for reason in (r for reasons in contract.reasons for r in reasons):
                if self._reasons.setdefault(f"{contract.name}.{reason.code}", reason) is not reason:
                    raise BrokenInvariant(f"contract {contract.name} has two reasons with the code {reason.code}")

    def execute(
        self,
        overlay: Overlay,
        transaction: Transaction,
        sender: Account,
        height: int,
        time_ms: int,
        *,
        recovering: bool = False,
    ) -> Receipt:
        """Run a call. A refusal leaves nothing in the overlay; only the receipt tells of it.

        MissingContractVersion if the state activates a version that this build lacks; any other exception is a fault
        in a contract and must stop the node.
        """
        body = transaction.body
        context = Context(overlay, sender, transaction, height, time_ms, recovering=recovering)
        try:
            method = self._method(overlay, body.contract, body.method, height)
            if not (method.roles & set(sender.roles) or ANYBODY in method.roles):
                raise Refused(
                    RuntimeReason.MISSING_ROLE,
                    account=sender.account_id,
                    method=body.method,
                    roles=", ".join(sorted(method.roles)),
                )
            arguments = _arguments(method, body.args)
            result = method.function(context, **arguments)
        except Refused as refusal:
            overlay.drop()
            code = _code(body.contract, refusal.reason)
            if self._reasons.get(code) is not refusal.reason:
                # Not a rule of this contract: its own rows do not decode, say. That is no user's fault.
                raise BrokenInvariant(f"{body.contract}.{body.method} refused with {refusal}") from refusal
            return Receipt(transaction.id, code, refusal.params, (), {})
        overlay.keep()
        if result is not None and not isinstance(result, dict):
            raise BrokenInvariant(f"{body.contract}.{body.method} returned {type(result).__name__}")
        return Receipt(transaction.id, "", {}, context.events(), result or {})

    def _method(self, state: Reader, contract: str, method: str, height: int) -> MethodSpec:
        loaded = self._active(state, contract, height)
        if loaded is None:
            raise Refused(RuntimeReason.UNKNOWN_CONTRACT, contract=contract)
        spec = loaded.calls.get(method)
        if spec is None:
            raise Refused(RuntimeReason.UNKNOWN_METHOD, contract=contract, method=method)
        return spec

    def _active(self, state: Reader, contract: str, height: int) -> _Loaded | None:
        row = state.get(CONTRACT_VERSIONS.key(contract))
        version = None if row is None else _versions(row).at(height)
        if version is None:
            return None
        loaded = self._loaded.get((contract, version))
        if loaded is None:
            raise MissingContractVersion(contract, version)
        return loaded

    def missing_versions(self, state: Reader) -> list[tuple[str, int, int]]:
        """(contract, version, from height) of every activation, begun or to come, that this build does not have."""
        return [
            (v.contract, v.version, v.from_height)
            for _, row in CONTRACT_VERSIONS.page(state, limit=1_000)
            for v in row.versions
            if (v.contract, v.version) not in self._loaded
        ]

    def query(
        self, contract: str, method: str, arguments: Mapping[str, object], state: Reader, height: int, time_ms: int
    ) -> object:
        """The answer in plain JSON values. `Refused` for an unknown query or arguments that do not fit."""
        loaded = self._active(state, contract, height)
        if loaded is None:
            raise Refused(RuntimeReason.UNKNOWN_CONTRACT, contract=contract)
        spec = loaded.queries.get(method)
        if spec is None:
            raise Refused(RuntimeReason.UNKNOWN_QUERY, contract=contract, method=method)
        given = self.convert(spec, arguments)
        return to_plain(spec.function(QueryContext(state, height, time_ms), **_fields(given)))

    def convert(self, spec: MethodSpec, arguments: Mapping[str, object]) -> msgspec.Struct:
        """Plain JSON arguments as the method's own types; numbers may come as text, as they do from a URL."""
        try:
            return from_plain(spec.arguments, arguments)
        except (msgspec.ValidationError, ValueError) as error:
            raise Refused(RuntimeReason.BAD_QUERY, detail=str(error)[:200]) from None

    def specs(self) -> list[MethodSpec]:
        """All calls and queries of the newest version of each contract, sorted."""
        newest: dict[str, _Loaded] = {}
        for (name, _), loaded in sorted(self._loaded.items()):
            newest[name] = loaded
        return [
            spec
            for name in sorted(newest)
            for specs in (newest[name].calls, newest[name].queries)
            for spec in sorted(specs.values(), key=lambda s: s.name)
        ]

    def spec(self, contract: str, method: str) -> MethodSpec | None:
        return next((s for s in self.specs() if s.contract == contract and s.name == method), None)

    def latest_versions(self) -> dict[str, int]:
        """The newest version of each contract in this build."""
        return dict(sorted(self._loaded))

    def reasons(self) -> Mapping[str, Reason]:
        """Code as it stands in receipts -> reason, for texts and documentation."""
        return self._reasons

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        """The sentence for a receipt's refusal; of a code that this build does not know, the code itself."""
        reason = self._reasons.get(code)
        return code if reason is None else reason.text(language, params)


def _arguments(method: MethodSpec, args: bytes) -> dict[str, object]:
    # The library's own words stay out of the receipt: they may change with its version, and receipts are hashed.
    try:
        decode(args)
        return _fields(method.decoder.decode(args))
    except (Refused, msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(RuntimeReason.BAD_ARGUMENTS, contract=method.contract, method=method.name) from None


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _code(contract: str, reason: Reason) -> str:
    return f"{'runtime' if isinstance(reason, RuntimeReason) else contract}.{reason.code}"
