"""A bench for contracts: calls run one after another on a state in memory, without blocks and signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import contracts
from ledger.contract import Runtime
from ledger.crypto import sha256
from ledger.encoding import Value, encode
from ledger.kv import MemoryKeyValue
from ledger.overlay import Overlay
from ledger.registry import (
    CONTRACT_VERSIONS,
    ORGANISATIONS,
    Account,
    ContractVersion,
    ContractVersions,
    Organisation,
    put_account,
)
from ledger.types import Receipt, Transaction, TransactionBody

START_MS = 1_800_000_000_000


class Bench:
    """`run` executes a call as a block would, at a height and time that go on by one each."""

    def __init__(
        self, organisations: Mapping[str, str], accounts: Iterable[Account], runtime: Runtime | None = None
    ) -> None:
        self.runtime = runtime or contracts.runtime()
        self.state = Overlay(MemoryKeyValue())
        self.accounts = {a.account_id: a for a in accounts}
        for code, name in organisations.items():
            ORGANISATIONS.put(self.state, code, Organisation(code, name, name))
        for account in self.accounts.values():
            put_account(self.state, account)
        for name, version in self.runtime.latest_versions().items():
            CONTRACT_VERSIONS.put(self.state, name, ContractVersions((ContractVersion(name, version, 0),)))
        self.state.keep()
        self.height = 0
        self._count = 0
        self.time_ms = START_MS

    def transaction(self, sender: str, contract: str, method: str, args: Mapping[str, Value]) -> Transaction:
        self._count += 1
        number = self._count.to_bytes(16, "big")
        body = TransactionBody(
            bytes(32), sender, bytes(32), contract, method, encode(dict(args)), number, self.time_ms + 1
        )
        return Transaction(b"", b"", body, bytes(64), sha256(number))

    def run(self, sender: str, contract: str, method: str, args: Mapping[str, Value]) -> Receipt:
        self.height += 1
        self.time_ms += 1
        transaction = self.transaction(sender, contract, method, args)
        return self.runtime.execute(self.state, transaction, self.accounts[sender], self.height, self.time_ms)

    def query(self, contract: str, method: str, **args: object) -> object:
        return self.runtime.query(contract, method, args, self.state, self.height, self.time_ms)
