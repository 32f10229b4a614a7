"""What the benchmarks write: blank transactions of a given size, and real calls of each contract."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count as counting

from benchmarks.network import BenchNetwork
from edge.init import AccountPlan
from edge.writers import LIFETIME_MS
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode
from ledger.types import Transaction, TransactionBody

SENDERS = 8
ROLES = ("donations.admin", "ecopoints.admin", "ecopoints.app", "volunteers.app")
Arguments = Callable[[int, random.Random], Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of write: which call, and with what."""

    contract: str
    method: str
    arguments: Arguments
    first: tuple[str, Mapping[str, Value]] | None = None
    """A call that must come before the others."""


def blank(payload_bytes: int) -> Kind:
    """Signed, ordered, certified and kept like any other, and refused by name, since there is no such method.

    It costs all that a write costs but the contract's own work.
    """
    return Kind("governance", "blank", lambda number, chance: {"payload": chance.randbytes(payload_bytes)})


REAL: Mapping[str, Kind] = {
    "donations": Kind(
        "donations", "register_item",
        lambda n, chance: {
            "item": f"item-{chance.randbytes(8).hex()}", "name_ja": "毛布", "name_en": "Blanket",
            "category": "bedding", "unit_ja": "枚",
        },
    ),
    "ecopoints": Kind(
        "ecopoints", "register_member",
        lambda n, chance: {"member": f"member-{chance.randbytes(8).hex()}", "kind": "household"},
        first=("set_programme", {"region": "tepco"}),
    ),
    "volunteers": Kind(
        "volunteers", "apply_as_volunteer",
        lambda n, chance: {"volunteer": f"volunteer-{chance.randbytes(8).hex()}", "skills": ["vietnamese"]},
    ),
}  # fmt: skip
"""Each of them adds rows to the state, so that the tree grows as it does in use."""


def kind_of(name: str, payload_bytes: int) -> Kind:
    """`blank` or the name of a contract."""
    return blank(payload_bytes) if name == "blank" else REAL[name]


def senders(code: str) -> list[AccountPlan]:
    """The accounts that write, of the municipality `code`, for the genesis."""
    return [AccountPlan(f"bench-{number}.{code}", code, ROLES) for number in range(SENDERS)]


@dataclass
class Signer:
    """Signs transactions ahead, so that the load itself costs little; no two are the same."""

    network: BenchNetwork
    chance: random.Random

    def __post_init__(self) -> None:
        code = self.network.net.file.nodes[0].organisation
        self._keys = {plan.account: self.network.key(plan.account) for plan in senders(code)}
        self._chain_id = self.network.genesis.chain_id
        self._numbers = counting()

    def sign(self, kind: Kind, count: int) -> list[bytes]:
        return [self._sign(kind.contract, kind.method, kind.arguments(n, self.chance)) for n in self._next(count)]

    def before(self, kind: Kind) -> list[bytes]:
        return [] if kind.first is None else [self._sign(kind.contract, *kind.first)]

    def _next(self, count: int) -> list[int]:
        return [next(self._numbers) for _ in range(count)]

    def _sign(self, contract: str, method: str, arguments: Mapping[str, Value]) -> bytes:
        account, key = self._sender()
        body = TransactionBody(
            self._chain_id, account, key.public_key, contract, method, encode(dict(arguments)),
            self.chance.randbytes(16), time.time_ns() // 1_000_000 + LIFETIME_MS,
        )  # fmt: skip
        return Transaction.sign(body, key).raw

    def _sender(self) -> tuple[str, SigningKey]:
        return self.chance.choice(list(self._keys.items()))
