"""A small chain with everything in it that a reader must understand, always the same: for the vectors and the reader.

Four validators of three organisations; refused calls, an empty block, a certificate of a later round; a validator
comes, one gets another key, one goes; then the quorum is lost, the recovery keys carry a block on and name the new set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.governance import Governance
from ledger import recovery, rules
from ledger.audit import StoredBlock, stored_blocks
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
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, Receipt, Seal, Transaction, TransactionBody
from ledger.votes import commit_payload, in_sync_payload

START_MS = 1_780_000_000_000
HACHIOJI, TACHIKAWA, OSHIMA = "132012", "132021", "133612"
NAMES = {HACHIOJI: ("八王子市", "Hachioji"), TACHIKAWA: ("立川市", "Tachikawa"), OSHIMA: ("大島町", "Oshima")}


def key_of(name: str) -> SigningKey:
    """A key that is always the same for a name: no secret, fit for tests only."""
    return SigningKey(name.encode().ljust(32, b".")[:32])


def operator(code: str) -> str:
    return f"operator.{code}"


def make_genesis() -> Genesis:
    accounts = [Account(operator(c), c, (OPERATOR,), (key_of(operator(c)).public_key,), False) for c in NAMES]
    accounts.append(Account("clerk", HACHIOJI, ("donations.officer",), (key_of("clerk").public_key,), False))
    accounts.append(Account("gone", OSHIMA, (), (key_of("gone").public_key,), True))
    places = [("hachioji", HACHIOJI), ("hachioji-2", HACHIOJI), ("oshima", OSHIMA), ("tachikawa", TACHIKAWA)]
    return Genesis(
        network="例 example",
        time_ms=START_MS,
        organisations=tuple(Organisation(code, *names) for code, names in NAMES.items()),
        accounts=tuple(accounts),
        nodes=tuple(
            Node(node_id, code, key_of(node_id).public_key, f"192.0.2.{number}:27700", "validator")
            for number, (node_id, code) in enumerate(places, start=1)
        ),
        parameters=DEFAULT_PARAMETERS,
        contracts=(ContractVersion("governance", 1, 0),),
        recovery=RecoveryKeys(2, tuple(key_of(f"recovery.{code}").public_key for code in NAMES)),
    )


class Maker:
    """Makes blocks as validators would, and keeps the chain."""

    def __init__(self) -> None:
        self.genesis = make_genesis()
        self.runtime = Runtime([Governance()])
        self.kv = MemoryKeyValue()
        self.chain = Chain.open(self.kv, self.genesis)
        self.keys = {n.node_id: key_of(n.node_id) for n in self.genesis.nodes}
        self._nonce = 0

    def sign(self, sender: str, method: str, /, **args: Value) -> Transaction:
        """A call of governance."""
        return self.call(sender, "governance", method, args)

    def call(self, sender: str, contract: str, method: str, args: Mapping[str, Value]) -> Transaction:
        self._nonce += 1
        key = key_of(sender)
        time_ms = self.chain.head.time_ms
        nonce = self._nonce.to_bytes(16, "big")
        body = TransactionBody(
            self.chain.chain_id, sender, key.public_key, contract, method, encode(args), nonce, time_ms + 60_000
        )
        return Transaction.sign(body, key)

    def build(self, *transactions: Transaction, proposer: str = "") -> ExecutedBlock:
        """The next block, a second and a half after the last."""
        time_ms = self.chain.head.time_ms + 1_500
        name = proposer or self.chain.validators.ids[0]
        built = rules.build_block(self.chain, self.runtime, transactions, time_ms=time_ms, proposer=name)
        if len(built.transactions) != len(transactions):
            raise ValueError("a transaction of the sample may not stand in a block")
        return built

    def block(self, *transactions: Transaction, proposer: str = "", round_: int = 0) -> list[Receipt]:
        """The next block, decided by the quorum that comes first in the set."""
        executed = self.build(*transactions, proposer=proposer)
        payload = commit_payload(self.chain.chain_id, executed.height, round_, executed.digest)
        voters = self.chain.validators.ids[: self.chain.validators.quorum]
        seals = tuple(Seal(node_id, self.keys[node_id].sign(payload)) for node_id in voters)
        self._commit(executed, Certificate(executed.height, round_, executed.digest, seals))
        return list(executed.receipts)

    def recovered(self, *transactions: Transaction, proposer: str) -> None:
        """The next block, certified by two of the three recovery keys."""
        executed = self.build(*transactions, proposer=proposer)
        header = executed.block.header
        keys = [key_of(f"recovery.{code}") for code in (HACHIOJI, OSHIMA)]
        seals = tuple(recovery.seal(header, self.genesis.recovery, key) for key in keys)
        self._commit(executed, Certificate(executed.height, 0, executed.digest, seals))

    def _commit(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        header = executed.block.header
        rules.check_certificate(header, certificate, self.chain.validators, self.genesis.recovery)
        self.chain.commit(executed, certificate)

    def agreed(self, method: str, /, **args: Value) -> None:
        """A change proposed by one organisation and approved by a second, a block each."""
        (receipt,) = self.block(self.sign(operator(HACHIOJI), method, **args))
        (made,) = self.block(self.sign(operator(OSHIMA), "approve", proposal=receipt.result["proposal"]))
        if made.result.get("status") != "done":
            raise ValueError(f"{method} of the sample was not done: {made.reason}")

    def in_sync(self, node_id: str, key: SigningKey) -> dict[str, Value]:
        """A node's own signed statement that it holds the chain up to the head."""
        head = self.chain.head
        payload = in_sync_payload(self.chain.chain_id, node_id, head.height, head.hash)
        return {"height": head.height, "block_hash": head.hash, "signature": key.sign(payload)}


@dataclass(frozen=True, slots=True)
class Sample:
    """The chain as it is when it is done."""

    genesis: Genesis
    chain: Chain
    kv: MemoryKeyValue
    keys: dict[str, SigningKey]

    def blocks(self) -> Iterator[StoredBlock]:
        return stored_blocks(self.kv)


def make_chain() -> Sample:
    """The sample chain, the same bytes every time."""
    maker = Maker()
    new_account: dict[str, Value] = {"roles": ["donations.shelter"], "keys": [key_of("shelter").public_key]}
    maker.block(
        maker.sign(operator(HACHIOJI), "create_account", account="shelter", **new_account),
        maker.sign("clerk", "create_account", account="nobody", **new_account),
    )
    maker.block(proposer="oshima", round_=3)
    joining = key_of("niijima")
    maker.keys["niijima"] = joining
    maker.agreed("propose_node", node_id="niijima", organisation=OSHIMA, public_key=joining.public_key,
                 address="192.0.2.9:27700")  # fmt: skip
    maker.agreed("propose_validator", node_id="niijima", **maker.in_sync("niijima", joining))
    maker.block(*(_many(maker, count=5)))
    renewed = key_of("oshima, renewed")
    statement = maker.in_sync("oshima", renewed)
    maker.agreed("propose_node_key", node_id="oshima", public_key=renewed.public_key, **statement)
    maker.keys["oshima"] = renewed
    maker.agreed("propose_demotion", node_id="hachioji-2")
    maker.recovered(*_many(maker, count=1), proposer="tachikawa")
    maker.recovered(
        maker.sign(operator(OSHIMA), "recover", validators=["niijima", "oshima"], reason="sites_destroyed"),
        proposer=recovery.PROPOSER,
    )
    maker.block(*(_many(maker, count=7)), proposer="oshima")
    return Sample(maker.genesis, maker.chain, maker.kv, maker.keys)


def _many(maker: Maker, count: int) -> Sequence[Transaction]:
    """Calls of all fates: done, refused by the contract, to a contract that is not there, with a wrong argument."""
    code = operator(TACHIKAWA)
    fates = [
        lambda: maker.sign(code, "create_account", account=f"clerk-{maker.chain.height}", roles=[], keys=[bytes(31)]),
        lambda: maker.sign(code, "approve", proposal="proposal-aaaaaaaaaaaaaaaa"),
        lambda: maker.call("clerk", "nowhere", "register", {"名": "災害", "count": -1, "more": [None, True]}),
        lambda: maker.sign(code, "set_roles", account=operator(TACHIKAWA), roles=["ecopoints.officer"]),
    ]
    return [fates[i % len(fates)]() for i in range(count)]
