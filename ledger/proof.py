"""Proofs to keep and to hand on: one JSON file that holds all that is needed to check it with the genesis alone.

Three kinds, one form. A transaction with its receipt. A subject: each step of what happened to it. A row of the state,
or that there is no such row, under the state root of a certified header ("this was never issued", "not revoked as of
block H"). With it come the changes of the validator set up to that block, each certified by the set before it, or by
the genesis' recovery keys. Pure; `docs/proof-format.md` has the form field by field.

What a proof of a subject cannot show is that nothing else happened to it: a history is complete only as far as the node
that gave it was honest, which `daicho verify` settles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ledger.encoding import Wire
from ledger.genesis import Genesis
from ledger.light import Inclusion, LightChain, ProvedTransaction, UnknownValidators, Untrue, ValidatorChange
from ledger.refusal import Refused
from ledger.schema import from_plain, to_plain
from ledger.statetree import StateProof
from ledger.types import Certificate, Header, Transaction, ValidatorSet

FORMAT = "daicho/proof/1"
MAX_BYTES = 16 * 1024 * 1024
TRANSACTION, SUBJECT, STATE = "transaction", "subject", "state"


class Row(Wire, frozen=True):
    """A row of the state, or None for its absence, with the nodes from the state root of `header` towards it."""

    header: Header
    certificate: Certificate | None
    key: bytes
    value: bytes | None
    nodes: tuple[bytes, ...]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `kind` and `about` say what is claimed, everything else proves it."""

    format: str
    chain_id: bytes
    kind: str
    about: str
    """A transaction's id in hexadecimal; a subject (`need:…`); the key of a row (`donations/need/…`)."""
    validator_changes: tuple[ValidatorChange, ...]
    steps: tuple[Inclusion, ...]
    row: Row | None


@dataclass(frozen=True, slots=True)
class Proved:
    """What a file proves."""

    kind: str
    about: str
    steps: tuple[ProvedTransaction, ...]
    row: Row | None
    height: int
    """The newest block that it rests on: absence holds as of this block."""
    time_ms: int


@dataclass(frozen=True, slots=True)
class BadProof(Exception):
    """The file proves nothing: `what` says why."""

    what: str

    def __str__(self) -> str:
        return self.what


# -- making ------------------------------------------------------------------------------------------------------------


def transaction_proof(chain_id: bytes, changes: Sequence[ValidatorChange], step: Inclusion, about: bytes) -> bytes:
    return _write(Proof(FORMAT, chain_id, TRANSACTION, about.hex(), _needed(changes, step.header), (step,), None))


def subject_proof(
    chain_id: bytes, changes: Sequence[ValidatorChange], steps: Sequence[Inclusion], subject: str
) -> bytes:
    needed = _needed(changes, steps[-1].header)
    return _write(Proof(FORMAT, chain_id, SUBJECT, subject, needed, tuple(steps), None))


def row_proof(chain_id: bytes, changes: Sequence[ValidatorChange], row: Row) -> bytes:
    return _write(Proof(FORMAT, chain_id, STATE, row.key.decode(), _needed(changes, row.header), (), row))


def _needed(changes: Sequence[ValidatorChange], header: Header) -> tuple[ValidatorChange, ...]:
    return tuple(change for change in changes if change.header.height < header.height)


def _write(proof: Proof) -> bytes:
    return json.dumps(to_plain(proof), ensure_ascii=False, indent=1).encode() + b"\n"


# -- checking ----------------------------------------------------------------------------------------------------------


def check_proof(data: bytes, genesis: Genesis) -> Proved:
    """What the file proves; `BadProof` if it is not a proof in the chain of this genesis.

    The file must be as it was made, to the byte: nothing in it is left unread.
    """
    proof = _read(data)
    light = LightChain(genesis)
    if proof.chain_id != genesis.chain_id:
        raise BadProof("the proof is about another chain than that of the genesis")
    newest = _newest(proof)
    if any(change.header.height >= newest.height for change in proof.validator_changes):
        raise BadProof("it holds a change of the validators that the proof does not need")
    try:
        for change in proof.validator_changes:
            light.learn(change.header, change.certificate, ValidatorSet(change.members))
        steps = tuple(light.check_inclusion(step, _id_of(step)) for step in proof.steps)
        if proof.row is not None:
            row = proof.row
            light.check_row(row.header, row.certificate, row.key, row.value, StateProof(row.nodes))
    except Untrue as untrue:
        raise BadProof(str(untrue)) from None
    except UnknownValidators:
        raise BadProof("a change of the validators is missing") from None
    _check_claim(proof, steps)
    return Proved(proof.kind, proof.about, steps, proof.row, newest.height, newest.time_ms)


def _read(data: bytes) -> Proof:
    if len(data) > MAX_BYTES:
        raise BadProof("the file is too large")
    try:
        proof = from_plain(Proof, msgspec.json.decode(data))
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        raise BadProof(f"the file cannot be read: {str(error)[:200]}") from None
    if proof.format != FORMAT:
        raise BadProof(f"the file is not of the form {FORMAT}")
    if _write(proof).rstrip() != data.rstrip():
        raise BadProof("the file is not as it was made: something in it was changed, added or left out")
    return proof


def _newest(proof: Proof) -> Header:
    headers = [step.header for step in proof.steps] + ([proof.row.header] if proof.row is not None else [])
    if not headers:
        raise BadProof("the file holds no step and no row")
    return max(headers, key=lambda header: header.height)


def _id_of(step: Inclusion) -> bytes:
    """The id that the step itself claims: `check_inclusion` holds transaction and receipt to it."""
    try:
        return Transaction.parse(step.transaction).id
    except Refused as refused:
        raise BadProof(f"a transaction in it cannot be read: {refused}") from None


def _check_claim(proof: Proof, steps: Sequence[ProvedTransaction]) -> None:
    """Whether what is proved is what the file says it is about."""
    match proof.kind:
        case "transaction":
            fits = proof.row is None and [s.transaction.id.hex() for s in steps] == [proof.about]
        case "subject":
            places = [(s.header.height, s.index) for s in steps]
            fits = proof.row is None and places == sorted(set(places)) and all(_tells(s, proof.about) for s in steps)
        case "state":
            fits = proof.row is not None and not steps and proof.row.key == proof.about.encode()
        case _:
            fits = False
    if not fits:
        raise BadProof(f"what it proves is not what it says it is about: {proof.kind} {proof.about[:100]}")


def _tells(step: ProvedTransaction, subject: str) -> bool:
    return any(subject in event.subjects for event in step.receipt.events)
