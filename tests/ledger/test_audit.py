"""The audit: it passes what is right, and finds every change of anything that is stored."""

from __future__ import annotations

import random

import pytest

from contracts.donations import masters
from ledger import layout
from ledger.audit import AuditReport, Fault, audit, stored_blocks
from ledger.audit_store import compare_store
from ledger.genesis import Genesis
from ledger.kv import KeyValue, MemoryKeyValue
from tests.contracts.world import HACHIOJI, World, account


@pytest.fixture(scope="module")
def world() -> World:
    made = World(account("admin", HACHIOJI, masters.ADMIN, masters.OFFICER), account("app", HACHIOJI, masters.APP))
    for shelter in ("h1", "h2"):
        made.done("admin", "donations", "register_shelter", shelter=shelter, name_ja="所", name_en="S")
    made.done("admin", "donations", "register_item", item="rice", name_ja="米", name_en="Rice", category="food",
              unit_ja="袋")  # fmt: skip
    for shelter in ("h1", "h2", "h1"):
        made.call("admin", "donations", "register_need", shelter=shelter, item="rice", quantity=5)
    return made


def verify(world: World, kv: KeyValue, genesis: Genesis | None = None) -> AuditReport:
    running = audit(stored_blocks(kv), genesis or world.genesis, world.runtime, MemoryKeyValue())
    running.report.stored_values = compare_store(kv, running.scratch)
    return running.report


def copy(world: World) -> MemoryKeyValue:
    made = MemoryKeyValue()
    made.write(dict(world.kv.scan(b"", b"\xff" * 8)))
    return made


def test_a_sound_chain_passes_and_the_report_says_what_was_checked(world: World) -> None:
    report = verify(world, world.kv)
    assert (report.height, report.blocks, report.transactions) == (6, 7, 6)
    assert (report.certificates, report.seals, report.refused_receipts) == (6, 6, 1)
    assert report.head_hash == world.chain.head.hash.hex()
    assert report.stored_values == sum(1 for _ in world.kv.scan(b"", b"\xff" * 8))


def test_any_changed_byte_of_any_stored_value_is_found(world: World) -> None:
    dice = random.Random(1)
    rows = list(world.kv.scan(b"", b"\xff" * 8))
    for key, value in rows:
        if not value:
            continue
        for place in {0, len(value) - 1, dice.randrange(len(value))}:
            changed = copy(world)
            changed.write({key: value[:place] + bytes([value[place] ^ dice.randint(1, 255)]) + value[place + 1 :]})
            with pytest.raises(Fault):
                verify(world, changed)


def test_a_missing_or_additional_value_is_found_and_named(world: World) -> None:
    for key, _ in world.kv.scan(b"", b"\xff" * 8):
        changed = copy(world)
        changed.write({key: None})
        with pytest.raises(Fault):
            verify(world, changed)
    changed = copy(world)
    changed.write({layout.STATE + b"donations/need/forged": b"x"})
    with pytest.raises(Fault) as fault:
        verify(world, changed)
    assert "donations/need/forged" in str(fault.value)


def test_a_fault_names_block_transaction_and_rule(world: World) -> None:
    key = layout.of_height(layout.BLOCK, 4)
    raw = world.kv.get(key)
    assert raw is not None
    changed = copy(world)
    changed.write({key: raw[:-1] + bytes([raw[-1] ^ 1])})
    with pytest.raises(Fault) as fault:
        verify(world, changed)
    assert (fault.value.height, fault.value.rule) == (4, "wrong_transactions_root")


def test_another_genesis_is_a_fault(world: World) -> None:
    with pytest.raises(Fault) as fault:
        verify(world, world.kv, World().genesis)
    assert fault.value.rule == "wrong_genesis"


def test_swapped_certificates_and_removed_blocks_are_faults(world: World) -> None:
    third, fourth = (layout.of_height(layout.CERTIFICATE, h) for h in (3, 4))
    changed = copy(world)
    changed.write({third: world.kv.get(fourth), fourth: world.kv.get(third)})
    with pytest.raises(Fault) as fault:
        verify(world, changed)
    assert (fault.value.height, fault.value.rule) == (3, "other_block")
    blocks = [b for b in stored_blocks(world.kv) if b.height != 3]
    with pytest.raises(Fault) as fault:
        audit(blocks, world.genesis, world.runtime, MemoryKeyValue())
    assert (fault.value.height, fault.value.rule) == (3, "missing_block")
