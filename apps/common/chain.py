"""What the applications need of the chain, and nothing more. `apps/common/node_chain.py` fills this seam over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.refusal import Language, Scalar
from ledger.types import Event, Receipt

Wait = Literal["accepted", "committed", "everywhere"]
Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]
"""A query's answer: what JSON can say."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest certified block that the answering node has."""

    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction in a certified block, with what became of it. `receipt.reason` names a refusal of the contract."""

    height: int
    index: int
    time_ms: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Step:
    """One event in a record's history."""

    height: int
    index: int
    time_ms: int
    transaction_id: bytes
    event: Event


class ChainUnavailable(Exception):
    """No node took the request, or none answered in time: try again later with the same bytes."""


class NotAdmitted(Exception):
    """Every node asked will never take these bytes (malformed, unknown account, expired …): `code` says why."""

    def __init__(self, code: str, ja: str, en: str) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.ja = ja
        self.en = en


class Chain(Protocol):
    """The chain, seen from an application. Every method may raise `ChainUnavailable`."""

    @property
    def chain_id(self) -> bytes: ...

    async def submit(self, raw: bytes, wait: Wait = "committed") -> Committed | None:
        """Hand in signed bytes; the same again is harmless. None: taken, but not yet in a block.

        `NotAdmitted` if they can never enter a block.
        """
        ...

    async def find(self, transaction_id: bytes, min_height: int = 0) -> Committed | None:
        """The transaction if it is in a block, asked of a node that has at least `min_height`."""
        ...

    async def head(self) -> Head: ...

    async def query(self, contract: str, method: str, arguments: Mapping[str, Value], min_height: int = 0) -> Plain: ...

    async def history(self, subject: str, after: str = "", limit: int = 50) -> tuple[list[Step], str]:
        """The events of `subject` in order, a page of them, and where the next page begins (empty: the end)."""
        ...

    async def proof(self, transaction_id: bytes) -> bytes:
        """The self-contained proof as a JSON file (`ledger/proof.py`); `KeyError` if there is none."""
        ...

    async def row_proof(self, key: bytes) -> bytes:
        """The proof, such a file too, of what a row of the state holds now, or that there is no such row."""
        ...

    def events(self, after_height: int) -> AsyncIterator[tuple[Head, list[Step]]]:
        """Block by block, everything that happened after a height; waits for new blocks, ends when the link breaks."""
        ...

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        """The sentence of a receipt's refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """The chain accounts that this application signs for, each with its key."""

    keys: Mapping[str, SigningKey]
    master: bytes = b""
    """If set, the secret from which the keys of all further accounts are derived: officers get an account each, and no
    key of theirs has to be stored anywhere."""

    def key(self, account: str) -> SigningKey:
        """`KeyError` if the application does not hold that account's key: an error of its configuration."""
        if account in self.keys or not self.master:
            return self.keys[account]
        derive = HKDF(SHA256(), 32, salt=None, info=b"daicho/account-key/1\x00" + account.encode())
        return SigningKey(derive.derive(self.master))
