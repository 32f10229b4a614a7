"""The real contract behind the applications' fake chain: one node in memory, a block for each transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from apps.common.chain import ChainUnavailable, Committed, Keyring, NotAdmitted, Plain
from apps.donations.signing import APP, staff_account
from ledger.encoding import Value
from ledger.refusal import Language, Scalar
from ledger.registry import Account
from ledger.schema import to_plain
from ledger.types import Transaction
from tests.apps.common.fakes import FakeChain
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA, World, account, key_of

MUNICIPALITIES = (HACHIOJI, TACHIKAWA, OSHIMA)


def accounts() -> list[Account]:
    """What the application signs for: itself, and each municipality's administrator, officer and shelter staff."""
    found = [account(APP, HACHIOJI, "donations.app")]
    for code in MUNICIPALITIES:
        found.append(account(f"admin.{code}", code, "donations.admin"))
        found.append(account(f"officer.{code}", code, "donations.officer"))
        found.append(account(staff_account(code), code, "donations.shelter"))
    return found


def keyring() -> Keyring:
    return Keyring({a.account_id: key_of(a.account_id) for a in accounts()})


@dataclass
class ContractChain(FakeChain):
    """A `FakeChain` whose contract is the real one."""

    world: World = field(default_factory=lambda: World(*accounts()))

    def __post_init__(self) -> None:
        self.chain_id = self.world.chain.chain_id

    def _commit(self, transaction: Transaction) -> Committed:
        self.world.time_ms = max(self.clock(), self.world.time_ms + 1)
        receipts = self.world.block(transaction)
        if not receipts:
            raise NotAdmitted("not_admitted", "受け付けません", "it is not taken")
        committed = Committed(len(self.blocks) + 1, 0, self.world.time_ms, receipts[0])
        self.blocks.append((transaction, committed))
        self._grown.set()
        return committed

    async def query(self, contract: str, method: str, arguments: Mapping[str, Value], min_height: int = 0) -> Plain:
        if self.down:
            raise ChainUnavailable("no node answers")
        return cast(Plain, to_plain(self.world.query(contract, method, **arguments)))

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        return self.world.runtime.reason_text(code, params, language)
