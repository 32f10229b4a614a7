"""A chain of one node in memory on which contract tests make calls: each call is a block of its own."""

from __future__ import annotations

from typing import Any

import contracts
from ledger import rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode
from ledger.genesis import Genesis
from ledger.kv import MemoryKeyValue
from ledger.registry import (
    DEFAULT_PARAMETERS,
    OPERATOR,
    Account,
    ContractVersion,
    Node,
    Organisation,
    RecoveryKeys,
)
from ledger.types import Certificate, Receipt, Seal, Transaction, TransactionBody
from ledger.votes import commit_payload

START_MS = 1_800_000_000_000
NO_RECOVERY = RecoveryKeys(0, ())
HACHIOJI, TACHIKAWA, OSHIMA = "132012", "132021", "133612"


def key_of(name: str) -> SigningKey:
    """A key that is always the same for a name."""
    return SigningKey(name.encode().ljust(32, b".")[:32])


def account(name: str, organisation: str, *roles: str) -> Account:
    return Account(name, organisation, tuple(sorted(roles)), (key_of(name).public_key,), False)


class World:
    """`call` returns the receipt; `done` insists that the call is not refused and returns its result."""

    def __init__(
        self,
        *accounts: Account,
        organisations: int = 3,
        recovery: RecoveryKeys = NO_RECOVERY,
        runtime: Runtime | None = None,
    ) -> None:
        names = [(HACHIOJI, "八王子市"), (TACHIKAWA, "立川市"), (OSHIMA, "大島町")][:organisations]
        operators = [account(f"operator-{code}", code, OPERATOR) for code, _ in names]
        self.runtime = runtime or contracts.runtime()
        self.genesis = Genesis(
            "test",
            START_MS,
            tuple(Organisation(code, name, code) for code, name in names),
            (*operators, *accounts),
            (Node("node-1", HACHIOJI, key_of("node-1").public_key, "localhost:1", "validator"),),
            DEFAULT_PARAMETERS,
            tuple(ContractVersion(n, v, 0) for n, v in self.runtime.latest_versions().items()),
            recovery,
        )
        self.kv = MemoryKeyValue()
        self.chain = Chain.open(self.kv, self.genesis)
        self.time_ms = START_MS
        self._nonce = 0

    def transaction(self, sender: str, contract: str, method: str, /, **args: Value) -> Transaction:
        self._nonce += 1
        key = key_of(sender)
        body = TransactionBody(
            self.chain.chain_id,
            sender,
            key.public_key,
            contract,
            method,
            encode(args),
            self._nonce.to_bytes(16, "big"),
            self.time_ms + 60_000,
        )
        return Transaction.sign(body, key)

    def block(self, *transactions: Transaction) -> list[Receipt]:
        """One certified block with these transactions, as a node would make, check and commit it."""
        built = rules.build_block(self.chain, self.runtime, transactions, time_ms=self.time_ms, proposer="node-1")
        executed = rules.check_block(self.chain, self.runtime, built.raw, is_signed=Transaction.is_signed)
        payload = commit_payload(self.chain.chain_id, executed.height, 0, executed.digest)
        seal = Seal("node-1", key_of("node-1").sign(payload))
        certificate = Certificate(executed.height, 0, executed.digest, (seal,))
        rules.check_certificate(executed.block.header, certificate, self.chain.validators)
        self.chain.commit(executed, certificate)
        return list(executed.receipts)

    def call(self, sender: str, contract: str, method: str, /, **args: Value) -> Receipt:
        self.time_ms += 1
        (receipt,) = self.block(self.transaction(sender, contract, method, **args))
        return receipt

    def done(self, sender: str, contract: str, method: str, /, **args: Value) -> dict[str, Any]:
        receipt = self.call(sender, contract, method, **args)
        assert receipt.done, self.runtime.reason_text(receipt.reason, receipt.params, "en")
        return dict(receipt.result)

    def refused(self, sender: str, contract: str, method: str, /, **args: Value) -> str:
        """The code of the refusal; the state must be as if the call had not been made."""
        before = self.chain.head.state_root
        receipt = self.call(sender, contract, method, **args)
        assert not receipt.done, f"{method} was done"
        assert self.chain.head.state_root == before
        assert receipt.events == () and receipt.result == {}
        return receipt.reason

    def query(self, contract: str, method: str, **args: object) -> Any:
        head = self.chain.head
        return self.runtime.query(contract, method, args, self.chain.state, head.height, head.time_ms)
