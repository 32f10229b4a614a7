"""A real contract behind the applications' fake chain: one node in memory, a block for each transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from apps.common.chain import ChainUnavailable, Committed, NotAdmitted, Plain
from ledger.encoding import Value
from ledger.light import Inclusion
from ledger.proof import Row, row_proof, transaction_proof
from ledger.refusal import Language, Scalar
from ledger.schema import to_plain
from ledger.types import Transaction
from tests.apps.common.fakes import FakeChain
from tests.contracts.world import World


@dataclass
class ContractChain(FakeChain):
    """A `FakeChain` whose contracts are the real ones; `world` has the accounts."""

    world: World = field(default_factory=World)

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

    def act(self, sender: str, contract: str, method: str, /, **args: Value) -> dict[str, Any]:
        """A call as somebody outside the application makes it; it must be done. Its result."""
        self.world.time_ms = max(self.clock(), self.world.time_ms)
        receipt = self._commit(self.world.transaction(sender, contract, method, **args)).receipt
        assert receipt.done, self.reason_text(receipt.reason, receipt.params, "en")
        return dict(receipt.result)

    async def proof(self, transaction_id: bytes) -> bytes:
        """A real one: the chain in memory is certified by its one validator."""
        if self.down:
            raise ChainUnavailable("no node answers")
        chain = self.world.chain
        location = chain.find(transaction_id)
        if location is None:
            raise KeyError(transaction_id.hex())
        height, index = location.height, location.index
        block = chain.block(height)
        assert block is not None
        step = Inclusion(
            block.header, chain.certificate(height), index, block.transactions[index],
            chain.prove_transaction(location), chain.raw_receipts(height)[index], chain.prove_receipt(location),
        )  # fmt: skip
        return transaction_proof(chain.chain_id, (), step, transaction_id)

    async def row_proof(self, key: bytes) -> bytes:
        if self.down:
            raise ChainUnavailable("no node answers")
        chain = self.world.chain
        nodes = chain.prove_state(key).nodes
        row = Row(chain.head, chain.certificate(chain.height), key, chain.state.get(key), nodes)
        return row_proof(chain.chain_id, (), row)

    async def query(self, contract: str, method: str, arguments: Mapping[str, Value], min_height: int = 0) -> Plain:
        if self.down:
            raise ChainUnavailable("no node answers")
        return cast(Plain, to_plain(self.world.query(contract, method, **arguments)))

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        return self.world.runtime.reason_text(code, params, language)
