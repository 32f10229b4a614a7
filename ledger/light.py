"""What can be checked of a node's answers with nothing but the genesis: headers by certificates of validator sets that
are themselves proved, transactions and receipts by their paths, rows by the state tree. Pure.

A validator set is trusted because a header that the set before it certified names its hash. Whoever could forge one
would need the keys of a quorum of a set that once was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from ledger import merkle, rules
from ledger.encoding import Wire, unpack
from ledger.genesis import Genesis, genesis_block
from ledger.refusal import Refused
from ledger.statetree import StateProof, verify_proof
from ledger.types import Block, Certificate, Hash, Header, Receipt, Transaction, Validator, ValidatorSet

MAX_CHECKED = 4_096
"""Headers remembered as proved, each with its certificate."""


class Untrue(Exception):
    """An answer that does not hold."""


class UnknownValidators(Exception):
    """The header's validator set is not known yet: learn the changes first."""


class ValidatorChange(msgspec.Struct, frozen=True):
    """A block that changed the validator set: `members` vote from the next height on, and hash to what it names."""

    header: Header
    certificate: Certificate
    members: tuple[Validator, ...]


class Inclusion(Wire, frozen=True):
    """All that is needed to check, with the genesis alone, that a transaction stands in the chain with this receipt.

    `transaction` and `receipt` are the leaves, `*_path` the RFC 6962 audit paths to the roots in `header`.
    """

    header: Header
    certificate: Certificate | None
    index: int
    transaction: bytes
    transaction_path: tuple[Hash, ...]
    receipt: bytes
    receipt_path: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class ProvedTransaction:
    """A transaction that stands in the chain, with what became of it."""

    header: Header
    index: int
    transaction: Transaction
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ProvedBlock:
    """A block with all its transactions and receipts."""

    header: Header
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]


class LightChain:
    """The chain as far as somebody who holds no copy needs to know it: who votes from which height on."""

    def __init__(self, genesis: Genesis) -> None:
        first = genesis_block(genesis)
        self.chain_id = genesis.chain_id
        self.genesis_header = first.block.header
        self._recovery = genesis.recovery
        self._from: list[int] = [1]
        self._sets: list[ValidatorSet] = [first.next_validators]
        self._checked: OrderedDict[tuple[bytes, Certificate | None], None] = OrderedDict()

    @property
    def last_change(self) -> int:
        """The height of the last change of the validator set that was learned; 0 if none was."""
        return self._from[-1] - 1

    def validators(self, height: int) -> ValidatorSet:
        """The set that voted at `height`, as far as its changes are learned."""
        return self._sets[bisect_right(self._from, height) - 1]

    def learn(self, header: Header, certificate: Certificate, members: ValidatorSet) -> None:
        """Take in the next change: `members` vote after `header`. `Untrue` if that is not proved."""
        if header.height <= self.last_change:
            raise Untrue(f"the change of validators at height {header.height} comes before one that is proved")
        self.check_header(header, certificate)
        if members.hash != header.next_validators_hash:
            raise Untrue(f"the header at height {header.height} names another validator set")
        self._from.append(header.height + 1)
        self._sets.append(members)

    def check_header(self, header: Header, certificate: Certificate | None) -> None:
        """`Untrue` unless the header is proved; `UnknownValidators` if its set is still to be learned."""
        digest = header.hash
        # With its certificate: another one for the same header must hold by itself.
        if (digest, certificate) in self._checked:
            return
        if header.chain_id != self.chain_id:
            raise Untrue("the header belongs to another chain")
        if header.height == 0:
            if digest != self.genesis_header.hash:
                raise Untrue("the block at height 0 is not that of the genesis")
            return
        validators = self.validators(header.height)
        if header.validators_hash != validators.hash:
            raise UnknownValidators
        if certificate is None:
            raise Untrue(f"block {header.height} comes without a certificate")
        try:
            rules.check_certificate(header, certificate, validators, self._recovery)
        except Refused as refused:
            raise Untrue(f"block {header.height} is not certified: {refused}") from None
        self._checked[digest, certificate] = None
        if len(self._checked) > MAX_CHECKED:
            self._checked.popitem(last=False)

    def check_inclusion(self, proof: Inclusion, transaction_id: bytes) -> ProvedTransaction:
        """The transaction as the chain has it. `Untrue` unless it is that one and the proof holds."""
        self.check_header(proof.header, proof.certificate)
        header, count = proof.header, proof.header.transaction_count
        for what, root, leaf, path in (
            ("transaction", header.transactions_root, proof.transaction, proof.transaction_path),
            ("receipt", header.receipts_root, proof.receipt, proof.receipt_path),
        ):
            if not merkle.verify_inclusion(root, leaf, proof.index, count, path):
                raise Untrue(f"the {what} does not stand at {header.height}.{proof.index}")
        try:
            transaction, receipt = Transaction.parse(proof.transaction), unpack(Receipt, proof.receipt)
        except Refused as refused:
            raise Untrue(f"what stands at {header.height}.{proof.index} cannot be read: {refused}") from None
        if transaction.id != transaction_id or receipt.transaction_id != transaction_id:
            raise Untrue("the answer is about another transaction")
        return ProvedTransaction(header, proof.index, transaction, receipt)

    def check_row(
        self, header: Header, certificate: Certificate | None, key: bytes, value: bytes | None, proof: StateProof
    ) -> None:
        """`Untrue` unless under the header's state root the row `key` has `value` (None: there is no such row)."""
        self.check_header(header, certificate)
        if not verify_proof(header.state_root, key, value, proof):
            raise Untrue(f"the state at height {header.height} does not hold this row")

    def check_block(self, raw: bytes, raw_certificate: bytes, raw_receipts: tuple[bytes, ...]) -> ProvedBlock:
        """A block with everything in it. `Untrue` if a byte of block or receipts is not what was certified."""
        try:
            block = unpack(Block, raw, rules.MAX_BLOCK_BYTES)
            certificate = unpack(Certificate, raw_certificate) if raw_certificate else None
            transactions = tuple(Transaction.parse(t) for t in block.transactions)
            receipts = tuple(unpack(Receipt, r) for r in raw_receipts)
        except Refused as refused:
            raise Untrue(f"the block cannot be read: {refused}") from None
        header = block.header
        self.check_header(header, certificate)
        if merkle.root(block.transactions) != header.transactions_root:
            raise Untrue(f"the transactions of block {header.height} are not those of its header")
        if merkle.root(raw_receipts) != header.receipts_root:
            raise Untrue(f"the receipts of block {header.height} are not those of its header")
        return ProvedBlock(header, transactions, receipts)
