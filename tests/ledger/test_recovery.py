"""What the recovery keys can prove, and what not: a recovery block is never voted for; only they certify it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ledger import recovery, rules
from ledger.encoding import pack
from ledger.genesis import GenesisReason, check_genesis
from ledger.recovery import RecoveryReason
from ledger.refusal import Reason, Refused
from ledger.registry import RecoveryKeys
from ledger.rules import BlockReason, CertificateReason, ExecutedBlock
from ledger.types import Block, Certificate, Seal, Transaction
from ledger.votes import commit_payload
from tests.contracts.world import HACHIOJI, World, key_of

KEYS = tuple(key_of(f"recovery-{n}") for n in range(3))
OPERATOR = f"operator-{HACHIOJI}"


@pytest.fixture
def world() -> World:
    return World(recovery=RecoveryKeys(2, tuple(k.public_key for k in KEYS)))


def refusal(work: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value.reason


def block(world: World, *transactions: Transaction, proposer: str = recovery.PROPOSER) -> ExecutedBlock:
    world.time_ms += 1
    return rules.build_block(world.chain, world.runtime, transactions, time_ms=world.time_ms, proposer=proposer)


def recover(world: World, reason: str = "sites_destroyed") -> Transaction:
    return world.transaction(OPERATOR, "governance", "recover", validators=["node-1"], reason=reason)


def certificate(made: ExecutedBlock, *seals: Seal) -> Certificate:
    return Certificate(made.height, 0, made.digest, seals)


def check(world: World, made: ExecutedBlock, proof: Certificate) -> None:
    keys = world.genesis.recovery
    rules.check_certificate(made.block.header, proof, world.chain.validators, keys)


def test_enough_recovery_keys_certify_a_recovery_block_and_it_names_the_validators(world: World) -> None:
    made = block(world, recover(world))
    executed = rules.check_block(world.chain, world.runtime, made.raw, is_signed=Transaction.is_signed, recovered=True)
    seals = [recovery.seal(made.block.header, world.genesis.recovery, key) for key in KEYS[1:]]
    check(world, executed, certificate(executed, *seals))
    world.chain.commit(executed, certificate(executed, *seals))
    (row,) = world.query("governance", "recoveries")
    assert (row["reason"], row["after"]) == ("sites_destroyed", ["node-1"])
    assert [e.event.name for e in world.chain.history("network:recovery")] == ["recovered"]


def test_no_validator_votes_for_a_recovery_block_whatever_it_holds(world: World) -> None:
    raw = block(world, recover(world)).raw
    assert refusal(lambda: rules.check_block(world.chain, world.runtime, raw, is_signed=Transaction.is_signed)) is (
        BlockReason.UNKNOWN_PROPOSER
    )


def test_validators_seals_do_not_certify_a_recovery_block(world: World) -> None:
    made = block(world, recover(world))
    payload = commit_payload(world.chain.chain_id, made.height, 0, made.digest)
    quorum = certificate(made, Seal("node-1", key_of("node-1").sign(payload)))
    assert refusal(lambda: check(world, made, quorum)) is RecoveryReason.NOT_A_RECOVERY_KEY


def test_the_signatures_must_be_enough_distinct_valid_and_of_the_genesis_keys(world: World) -> None:
    made = block(world, recover(world))
    header, keys = made.block.header, world.genesis.recovery
    one, two = (recovery.seal(header, keys, key) for key in KEYS[:2])
    for seals, reason in (
        ((one,), RecoveryReason.BELOW_THRESHOLD),
        ((one, one), RecoveryReason.KEY_TWICE),
        ((one, replace(two, signature=bytes(64))), RecoveryReason.BAD_RECOVERY_SEAL),
        ((one, replace(two, node_id="recovery-key-9")), RecoveryReason.NOT_A_RECOVERY_KEY),
        ((replace(one, node_id="recovery-key-3"), two), RecoveryReason.BAD_RECOVERY_SEAL),
    ):
        proof = certificate(made, *seals)
        assert refusal(lambda proof=proof: check(world, made, proof)) is reason  # type: ignore[misc]
    assert refusal(lambda: recovery.seal(header, keys, key_of("somebody"))) is RecoveryReason.NOT_A_RECOVERY_KEY
    assert refusal(lambda: rules.check_certificate(header, certificate(made, one, two), world.chain.validators)) is (
        RecoveryReason.NO_RECOVERY_KEYS
    )


def test_a_seal_for_another_block_does_not_count(world: World) -> None:
    made, other = block(world, recover(world)), block(world, recover(world, "keys_lost"))
    seals = [recovery.seal(other.block.header, world.genesis.recovery, key) for key in KEYS[:2]]
    assert refusal(lambda: check(world, made, certificate(made, *seals))) is RecoveryReason.BAD_RECOVERY_SEAL
    assert refusal(lambda: check(world, made, certificate(other, *seals))) is CertificateReason.OTHER_BLOCK


def test_a_recovery_block_holds_the_recovery_and_nothing_else(world: World) -> None:
    key = key_of("x").public_key
    account = world.transaction(OPERATOR, "governance", "create_account", account="x", roles=[], keys=[key])
    unknown = world.transaction(OPERATOR, "governance", "recover", validators=["nobody"], reason="keys_lost")
    for transactions in ((), (account,), (recover(world), account), (unknown,)):
        raw = block(world, *transactions).raw
        found = refusal(
            lambda raw=raw: rules.check_block(  # type: ignore[misc]
                world.chain, world.runtime, raw, is_signed=Transaction.is_signed, recovered=True
            )
        )
        assert found is BlockReason.BAD_RECOVERY


def test_outside_a_recovery_block_the_call_is_refused(world: World) -> None:
    refused = world.refused(OPERATOR, "governance", "recover", validators=["node-1"], reason="keys_lost")
    assert refused == "governance.not_a_recovery"


def test_a_block_that_was_prepared_is_carried_on_by_the_recovery_keys(world: World) -> None:
    account = world.transaction(
        OPERATOR, "governance", "create_account", account="x", roles=[], keys=[key_of("x").public_key]
    )
    made = block(world, account, proposer="node-1")
    seals = [recovery.seal(made.block.header, world.genesis.recovery, key) for key in KEYS[:2]]
    check(world, made, certificate(made, *seals))
    forged = Block(replace(made.block.header, time_ms=made.block.header.time_ms + 1), made.block.transactions)
    assert pack(forged) != made.raw
    with pytest.raises(Refused):
        rules.check_certificate(
            forged.header, certificate(made, *seals), world.chain.validators, world.genesis.recovery
        )


def test_no_node_may_be_named_like_a_recovery_key(world: World) -> None:
    node = replace(world.genesis.nodes[0], node_id="recovery-key-1")
    assert refusal(lambda: check_genesis(replace(world.genesis, nodes=(node,)))) is GenesisReason.BAD_KEY
