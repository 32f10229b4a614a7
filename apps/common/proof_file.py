"""The proof that a story page hands out: one JSON file that shows, with the genesis alone, that a transaction stands
in the chain with its receipt. No node is asked, none is trusted.

It holds the transaction and its receipt with their paths into a certified header, and every change of the validator set
up to that header, each certified by the set before it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from edge.http.shapes import ValidatorChange
from edge.light import Inclusion, LightChain, ProvedTransaction, UnknownValidators, Untrue
from ledger.genesis import Genesis
from ledger.schema import from_plain, to_plain
from ledger.types import ValidatorSet

FORMAT = "daicho/transaction-proof/1"
MAX_BYTES = 16 * 1024 * 1024


class ProofDocument(msgspec.Struct, frozen=True):
    format: str
    chain_id: bytes
    transaction_id: bytes
    validator_changes: tuple[ValidatorChange, ...]
    inclusion: Inclusion


@dataclass(frozen=True, slots=True)
class BadProof(Exception):
    """The file proves nothing: `what` says why."""

    what: str


def write_proof(
    chain_id: bytes, transaction_id: bytes, changes: Sequence[ValidatorChange], inclusion: Inclusion
) -> bytes:
    """The file, readable by people too."""
    needed = tuple(c for c in changes if c.header.height < inclusion.header.height)
    document = ProofDocument(FORMAT, chain_id, transaction_id, needed, inclusion)
    return json.dumps(to_plain(document), ensure_ascii=False, indent=1).encode()


def check_proof(data: bytes, genesis: Genesis) -> ProvedTransaction:
    """What the file proves; `BadProof` if it is not a proof in this chain."""
    if len(data) > MAX_BYTES:
        raise BadProof("the file is too large")
    try:
        document = from_plain(ProofDocument, msgspec.json.decode(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadProof(f"the file cannot be read: {str(error)[:200]}") from None
    if document.format != FORMAT:
        raise BadProof(f"the file is not of the form {FORMAT}")
    light = LightChain(genesis)
    try:
        for change in document.validator_changes:
            light.learn(change.header, change.certificate, ValidatorSet(change.members))
        return light.check_inclusion(document.inclusion, document.transaction_id)
    except Untrue as untrue:
        raise BadProof(str(untrue)) from None
    except UnknownValidators:
        raise BadProof("a change of the validators is missing") from None
