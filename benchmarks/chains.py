"""A long chain made in one process, as four validators would have certified it: for benchmarks of auditors' tools."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import contracts
from ledger import rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.encoding import encode
from ledger.genesis import Genesis
from ledger.registry import DEFAULT_PARAMETERS, OPERATOR, Account, ContractVersion, Node, Organisation, RecoveryKeys
from ledger.store import LevelDb
from ledger.types import Certificate, Seal, Transaction, TransactionBody
from ledger.votes import commit_payload

START_MS = 1_790_000_000_000
CODES = ("132012", "132021", "132039", "133612")
PER_BLOCK = 250


def key_of(name: str) -> SigningKey:
    return SigningKey(name.encode().ljust(32, b".")[:32])


@dataclass(frozen=True, slots=True)
class LongChain:
    store: LevelDb
    chain: Chain
    genesis: Genesis
    runtime: Runtime
    ids: list[bytes]
    """The transactions, in their order."""


def make_chain(path: Path, transactions: int, seed: int, progress: Callable[[int], None] = lambda n: None) -> LongChain:
    """Accounts made one after the other, `PER_BLOCK` a block, each block sealed by three of four validators."""
    runtime, chance = contracts.runtime(), random.Random(seed)
    names = [f"node-{code}" for code in CODES]
    genesis = Genesis(
        "daicho-bench",
        START_MS,
        tuple(Organisation(code, code, code) for code in CODES),
        tuple(Account(f"operator.{c}", c, (OPERATOR,), (key_of(f"operator.{c}").public_key,), False) for c in CODES),
        tuple(
            Node(name, code, key_of(name).public_key, f"127.0.0.1:{number + 1}", "validator")
            for number, (name, code) in enumerate(zip(names, CODES, strict=True))
        ),
        DEFAULT_PARAMETERS,
        tuple(ContractVersion(n, v, 0) for n, v in runtime.latest_versions().items()),
        RecoveryKeys(0, ()),
    )
    store = LevelDb(path, scratch=True)
    chain = Chain.open(store, genesis)
    ids: list[bytes] = []
    while len(ids) < transactions:
        batch = [_create(chain.chain_id, chance, len(ids) + n) for n in range(min(PER_BLOCK, transactions - len(ids)))]
        time_ms = START_MS + (chain.height + 1) * 1_000
        executed = rules.build_block(chain, runtime, batch, time_ms=time_ms, proposer=names[0])
        payload = commit_payload(chain.chain_id, executed.height, 0, executed.digest)
        seals = tuple(Seal(name, key_of(name).sign(payload)) for name in names[:3])
        chain.commit(executed, Certificate(executed.height, 0, executed.digest, seals))
        ids += [t.id for t in batch]
        progress(len(ids))
    return LongChain(store, chain, genesis, runtime, ids)


def _create(chain_id: bytes, chance: random.Random, number: int) -> Transaction:
    code = CODES[number % len(CODES)]
    key = key_of(f"operator.{code}")
    args = encode({"account": f"clerk-{number}", "roles": ["donations.shelter"], "keys": [chance.randbytes(32)]})
    expires_ms = START_MS + (number // PER_BLOCK + 1) * 1_000 + 600_000
    body = TransactionBody(
        chain_id, f"operator.{code}", key.public_key, "governance", "create_account", args, chance.randbytes(16),
        expires_ms,
    )  # fmt: skip
    return Transaction.sign(body, key)
