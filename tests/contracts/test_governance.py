"""Governance: an organisation's own accounts, and what only a quorum of the organisations may change."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.governance.contract import PROPOSAL_LIFETIME_MS, organisations_quorum
from contracts.governance.execution import MAX_OPERATORS
from ledger import registry
from ledger.encoding import pack
from ledger.refusal import Refused
from ledger.registry import OPERATOR
from ledger.rules import check_transaction
from ledger.types import Transaction, TransactionReason
from ledger.votes import RoundChangeStep, Step, in_sync_payload, payload
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA, World, account, key_of

H, T, O = f"operator-{HACHIOJI}", f"operator-{TACHIKAWA}", f"operator-{OSHIMA}"  # noqa: E741


@pytest.fixture
def world() -> World:
    return World(account("clerk", HACHIOJI))


def g(world: World, sender: str, method: str, **args: Any) -> dict[str, Any]:
    return world.done(sender, "governance", method, **args)


def no(world: World, sender: str, method: str, **args: Any) -> str:
    return world.refused(sender, "governance", method, **args).removeprefix("governance.")


def agree(world: World, method: str, **args: Any) -> dict[str, Any]:
    """The change, proposed by Hachioji and approved by Tachikawa: two of three organisations."""
    proposed = g(world, H, method, **args)
    assert proposed["status"] == "open"
    approved = g(world, T, "approve", proposal=proposed["proposal"])
    assert approved["status"] == "done"
    return approved


def statement(world: World, node: str) -> dict[str, Any]:
    head = world.chain.head
    signed = in_sync_payload(world.chain.chain_id, node, head.height, head.hash)
    return {"height": head.height, "block_hash": head.hash, "signature": key_of(node).sign(signed)}


def add_observer(world: World, node: str, organisation: str = TACHIKAWA) -> None:
    agree(world, "propose_node", node_id=node, organisation=organisation, public_key=key_of(node).public_key,
          address=f"{node}.example:7000")  # fmt: skip


# -- own accounts ------------------------------------------------------------------------------------------------------


def test_an_operator_creates_accounts_of_its_own_organisation_only(world: World) -> None:
    g(world, T, "create_account", account="shelter-1", roles=["donations.shelter"], keys=[key_of("s").public_key])
    made = world.query("governance", "account", account="shelter-1")
    assert (made["organisation"], made["roles"]) == (TACHIKAWA, ["donations.shelter"])
    assert no(world, H, "set_roles", account="shelter-1", roles=[]) == "other_organisation"
    assert no(world, T, "create_account", account="shelter-1", roles=[], keys=[bytes(31) + b"\x09"]) == "account_exists"


def test_the_operator_role_is_not_given_by_an_operator_alone(world: World) -> None:
    keys = [key_of("x").public_key]
    assert no(world, H, "create_account", account="second", roles=[OPERATOR], keys=keys) == "operator_role"
    assert no(world, H, "set_roles", account="clerk", roles=[OPERATOR]) == "operator_role"
    agree(world, "propose_operator", account="clerk")
    assert OPERATOR in world.query("governance", "account", account="clerk")["roles"]


def test_an_account_without_the_role_is_refused_by_the_runtime(world: World) -> None:
    assert no(world, "clerk", "create_account", account="x", roles=[], keys=[key_of("x").public_key]) == (
        "runtime.missing_role"
    )


def test_a_revoked_account_enters_no_block_until_it_is_restored(world: World) -> None:
    g(world, H, "revoke_account", account="clerk")
    refused = world.transaction("clerk", "governance", "add_key", key=key_of("new").public_key)
    assert world.block(refused) == []
    g(world, H, "restore_account", account="clerk")
    g(world, "clerk", "add_key", key=key_of("new").public_key)


def test_the_last_operator_of_an_organisation_stays(world: World) -> None:
    assert no(world, H, "revoke_account", account=H) == "last_operator"
    proposed = g(world, H, "propose_operator_removal", account=H)
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "last_operator"


def test_a_key_is_rotated_without_losing_the_identity(world: World) -> None:
    new = key_of("clerk-new")
    g(world, "clerk", "add_key", key=new.public_key)
    body = world.transaction("clerk", "governance", "remove_key", key=key_of("clerk").public_key).body
    signed = Transaction.sign(replace(body, public_key=new.public_key), new)
    (receipt,) = world.block(signed)
    assert receipt.done
    with pytest.raises(Refused) as refusal:
        old = world.transaction("clerk", "governance", "add_key", key=key_of("y").public_key)
        check_transaction(world.chain.chain_id, world.chain.state, world.chain.height_of, old, world.time_ms)
    assert refusal.value.reason is TransactionReason.UNKNOWN_KEY


def test_the_last_key_cannot_be_removed_and_a_bad_one_not_added(world: World) -> None:
    assert no(world, "clerk", "remove_key", key=key_of("clerk").public_key) == "last_key"
    assert no(world, "clerk", "add_key", key=bytes(32)) == "bad_key"


# -- proposals ---------------------------------------------------------------------------------------------------------


def test_a_change_is_made_with_the_last_approval_needed_and_not_before(world: World) -> None:
    args = {"code": "132039", "name_ja": "武蔵野市", "name_en": "Musashino", "operator": "op-m",
            "operator_key": key_of("op-m").public_key}  # fmt: skip
    proposed = g(world, H, "propose_organisation", **args)
    assert len(world.query("governance", "organisations")) == 3
    assert no(world, H, "approve", proposal=proposed["proposal"]) == "already_approved"
    g(world, T, "approve", proposal=proposed["proposal"])
    assert len(world.query("governance", "organisations")) == 4
    assert no(world, O, "approve", proposal=proposed["proposal"]) == "proposal_closed"


def test_a_proposal_is_withdrawn_by_its_proposer_only(world: World) -> None:
    proposed = g(world, H, "propose_operator", account="clerk")["proposal"]
    assert no(world, T, "withdraw", proposal=proposed) == "not_the_proposer"
    g(world, H, "withdraw", proposal=proposed)
    assert no(world, T, "approve", proposal=proposed) == "proposal_closed"


def test_a_proposal_expires_and_can_be_swept(world: World) -> None:
    proposed = g(world, H, "propose_operator", account="clerk")["proposal"]
    assert no(world, H, "sweep", proposal=proposed) == "proposal_closed"
    world.time_ms += PROPOSAL_LIFETIME_MS
    assert no(world, T, "approve", proposal=proposed) == "proposal_closed"
    g(world, T, "sweep", proposal=proposed)
    assert world.query("governance", "proposals")[0]["proposal"]["status"] == "expired"


def test_open_proposals_of_an_organisation_are_bounded(world: World) -> None:
    for _ in range(20):
        g(world, H, "propose_operator", account="clerk")
    assert no(world, H, "propose_operator", account="clerk") == "too_many_proposals"


def test_of_three_organisations_two_agree_and_of_four_three() -> None:
    world = World()
    assert organisations_quorum(world.chain.state) == 2
    agree(world, "propose_organisation", code="132039", name_ja="武蔵野市", name_en="M", operator="op-m",
          operator_key=key_of("op-m").public_key)  # fmt: skip
    assert organisations_quorum(world.chain.state) == 3


def test_a_removed_organisation_signs_nothing_any_more_and_comes_back_with_the_operator_named_then(
    world: World,
) -> None:
    g(world, O, "create_account", account="islander", roles=["donations.officer"], keys=[key_of("islander").public_key])
    agree(world, "propose_organisation_removal", code=OSHIMA)
    for sender in (O, "islander"):
        assert world.block(world.transaction(sender, "governance", "add_key", key=key_of("z").public_key)) == []
    agree(world, "propose_organisation", code=OSHIMA, name_ja="大島町", name_en="Oshima", operator="operator-new",
          operator_key=key_of("operator-new").public_key)  # fmt: skip
    assert world.query("governance", "account", account=O)["revoked"] is True
    g(world, "operator-new", "revoke_account", account="islander")


def test_an_organisation_with_a_node_and_the_last_one_stay(world: World) -> None:
    proposed = g(world, T, "propose_organisation_removal", code=HACHIOJI)
    assert no(world, O, "approve", proposal=proposed["proposal"]) == "organisation_in_use"
    alone = World(organisations=1)
    add = {"node_id": "node-2", "organisation": HACHIOJI, "public_key": key_of("n2").public_key, "address": "h:1"}
    g(alone, H, "propose_node", **add)
    assert no(alone, H, "propose_organisation_removal", code=HACHIOJI) == "organisation_in_use"


def test_an_organisation_whose_operator_lost_its_key_gets_another_by_agreement(world: World) -> None:
    new = key_of("found-again")
    proposed = g(world, H, "propose_operator_keys", account="clerk", keys=[new.public_key])
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "not_an_operator"
    agree(world, "propose_operator_keys", account=O, keys=[new.public_key])
    assert world.query("governance", "account", account=O)["keys"] == [new.public_key.hex()]
    assert world.block(world.transaction(O, "governance", "add_key", key=key_of("z").public_key)) == []


def test_an_operator_leaves_once_there_is_another(world: World) -> None:
    agree(world, "propose_operator", account="clerk")
    agree(world, "propose_operator_removal", account=H)
    assert no(world, "clerk", "revoke_account", account="clerk") == "last_operator"
    proposed = g(world, "clerk", "propose_operator_removal", account=H)
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "not_an_operator"


def test_operators_of_an_organisation_are_bounded(world: World) -> None:
    for number in range(MAX_OPERATORS - 1):
        name = f"op-{number}"
        g(world, H, "create_account", account=name, roles=[], keys=[key_of(name).public_key])
        agree(world, "propose_operator", account=name)
    proposed = g(world, H, "propose_operator", account="clerk")
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "too_many_operators"


def test_an_id_that_ends_in_a_line_break_is_no_id(world: World) -> None:
    args = {"account": "clerk2\n", "roles": [], "keys": [key_of("c").public_key]}
    assert no(world, H, "create_account", **args) == "runtime.bad_arguments"


# -- validators --------------------------------------------------------------------------------------------------------


def test_a_candidate_is_admitted_with_its_own_statement_of_being_in_sync(world: World) -> None:
    add_observer(world, "node-2")
    good = statement(world, "node-2")
    wrong = {**good, "signature": statement(world, "node-1")["signature"]}
    proposed = g(world, H, "propose_validator", node_id="node-2", **wrong)
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "bad_statement"
    agree(world, "propose_validator", node_id="node-2", **good)
    assert world.chain.validators.ids == ("node-1", "node-2")
    assert world.chain.head.next_validators_hash == world.chain.validators.hash


def test_a_statement_from_the_future_or_long_ago_admits_nobody(world: World) -> None:
    add_observer(world, "node-2")
    ahead = world.chain.height + 100
    signed = key_of("node-2").sign(in_sync_payload(world.chain.chain_id, "node-2", ahead, bytes(32)))
    proposed = g(world, H, "propose_validator", node_id="node-2", height=ahead, block_hash=bytes(32), signature=signed)
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "not_in_sync"


def test_the_set_changes_at_most_once_a_block(world: World) -> None:
    for node in ("node-2", "node-3"):
        add_observer(world, node)
    proposals = [
        g(world, H, "propose_validator", node_id=node, **statement(world, node))["proposal"]
        for node in ("node-2", "node-3")
    ]
    both = [world.transaction(T, "governance", "approve", proposal=p) for p in proposals]
    receipts = world.block(*both)
    assert [r.reason for r in receipts] == ["", "governance.one_change_a_block"]


def test_the_last_validator_can_neither_be_demoted_nor_removed(world: World) -> None:
    for method in ("propose_demotion", "propose_node_removal"):
        proposed = g(world, H, method, node_id="node-1")
        assert no(world, T, "approve", proposal=proposed["proposal"]) == "last_validator"


def test_a_validator_is_replaced_in_one_step(world: World) -> None:
    add_observer(world, "node-2")
    agree(world, "propose_replacement", leaving="node-1", node_id="node-2", **statement(world, "node-2"))
    assert registry.validators(world.chain.state).ids == ("node-2",)


def test_a_node_key_is_rotated_without_leaving_the_set(world: World) -> None:
    new = key_of("node-1-new")
    head = world.chain.head
    signed = new.sign(in_sync_payload(world.chain.chain_id, "node-1", head.height, head.hash))
    agree(world, "propose_node_key", node_id="node-1", public_key=new.public_key, height=head.height,
          block_hash=head.hash, signature=signed)  # fmt: skip
    (validator,) = world.chain.validators.members
    assert validator.public_key == new.public_key


def test_a_contract_version_is_activated_only_at_a_height_to_come(world: World) -> None:
    now = world.chain.height
    proposed = g(world, H, "propose_contract", contract="donations", version=2, from_height=now)
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "height_passed"
    agree(world, "propose_contract", contract="donations", version=2, from_height=now + 50)
    assert world.runtime.missing_versions(world.chain.state) == [("donations", 2, now + 50)]


def test_parameters_stay_in_their_ranges(world: World) -> None:
    good = {"leader_term_blocks": 10, "max_block_transactions": 50, "max_block_bytes": 200_000, "heartbeat_ms": 5_000}
    proposed = g(world, H, "propose_parameters", **{**good, "max_block_transactions": 0})
    assert no(world, T, "approve", proposal=proposed["proposal"]) == "bad_parameter"
    agree(world, "propose_parameters", **good)
    assert world.query("governance", "parameters") == good


# -- evidence ----------------------------------------------------------------------------------------------------------


def evidence(world: World, first: Step, second: Step, signer: str = "node-1") -> dict[str, Any]:
    return {
        "node_id": "node-1",
        "kind": "prepare",
        "first_body": pack(first),
        "first_signature": key_of(signer).sign(payload("prepare", pack(first))),
        "second_body": pack(second),
        "second_signature": key_of(signer).sign(payload("prepare", pack(second))),
    }


def test_two_different_votes_for_one_step_are_recorded_once(world: World) -> None:
    chain_id = world.chain.chain_id
    one, other = Step(chain_id, 7, 0, bytes(32)), Step(chain_id, 7, 0, b"\x01" * 32)
    g(world, H, "record_evidence", **evidence(world, one, other))
    assert no(world, T, "record_evidence", **evidence(world, one, other)) == "evidence_exists"
    (row,) = world.query("governance", "evidence")
    assert row["evidence"]["node_id"] == "node-1"


def test_votes_under_a_key_that_was_rotated_away_are_still_evidence_and_the_key_serves_no_other_node(
    world: World,
) -> None:
    add_observer(world, "node-2")
    chain_id, head = world.chain.chain_id, world.chain.head
    old, new = key_of("node-2").public_key, key_of("node-2-new")
    signed = new.sign(in_sync_payload(chain_id, "node-2", head.height, head.hash))
    agree(world, "propose_node_key", node_id="node-2", public_key=new.public_key, height=head.height,
          block_hash=head.hash, signature=signed)  # fmt: skip
    one, other = Step(chain_id, 7, 0, bytes(32)), Step(chain_id, 7, 0, b"\x01" * 32)
    args = evidence(world, one, other, "node-2") | {"node_id": "node-2"}
    assert no(world, H, "record_evidence", **args) == "not_evidence"
    assert no(world, H, "record_evidence", **args, public_key=key_of(O).public_key) == "not_evidence"
    g(world, H, "record_evidence", **args, public_key=old)
    again = g(world, H, "propose_node", node_id="node-3", organisation=OSHIMA, public_key=old, address="h:1")
    assert no(world, T, "approve", proposal=again["proposal"]) == "key_in_use"


def test_what_proves_nothing_is_no_evidence(world: World) -> None:
    chain_id = world.chain.chain_id
    one, other = Step(chain_id, 7, 0, bytes(32)), Step(chain_id, 7, 0, b"\x01" * 32)
    later = Step(chain_id, 8, 0, b"\x01" * 32)
    foreign = Step(bytes(32), 7, 0, b"\x01" * 32)
    for first, second, signer in ((one, one, "node-1"), (one, later, "node-1"), (one, foreign, "node-1"),
                                  (one, other, "clerk")):  # fmt: skip
        assert no(world, H, "record_evidence", **evidence(world, first, second, signer)) == "not_evidence"
    body = pack(RoundChangeStep(chain_id, 7, 1, None, None))
    args = evidence(world, one, other) | {"kind": "round-change", "first_body": body}
    assert no(world, H, "record_evidence", **args) == "not_evidence"
