"""The outbox: killed anywhere, it loses nothing and repeats nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import outbox as outbox_module
from apps.common.outbox import LIFETIME_MS, Call
from apps.common.tables import Mail, Write
from tests.apps.common.example.application import ACCOUNT, Thing
from tests.apps.common.fakes import FakeChain, FakeClock, Refuse
from tests.apps.common.harness import Running


class Killed(BaseException):
    """The process dies here: nothing of ours may catch it."""


def put(running: Running) -> int:
    def work(session: Session) -> int:
        thing = Thing(name="毛布", count=1, state="waiting")
        session.add(thing)
        session.flush()
        call = Call(ACCOUNT, "example", "register", {"subject": f"thing:{thing.id}", "count": 1})
        return running.kit.outbox.put(session, "thing.registered", call, reference=f"thing:{thing.id}").id

    return running.kit.database.write_now(work)


def write(running: Running, write_id: int) -> Write:
    return running.kit.database.read_now(lambda session: session.get_one(Write, write_id))


async def work_until_settled(running: Running, clock: FakeClock, write_id: int) -> Write:
    """As a worker that is started again and again would."""
    for _ in range(20):
        await running.kit.outbox.work_once()
        if write(running, write_id).state != "waiting":
            break
        clock.forward(60_000)
    return write(running, write_id)


async def test_the_same_bytes_are_handed_in_until_the_receipt_is_there(
    running: Running, chain: FakeChain, clock: FakeClock
) -> None:
    write_id = put(running)
    chain.drop = 2
    chain.lose_answers = 2
    row = await work_until_settled(running, clock, write_id)
    assert row.state == "done" and row.tries == 4 and row.height == 1
    assert len(chain.submitted) == 5 and len(set(chain.submitted)) == 1 and len(chain.blocks) == 1


def _raise_before(target: str) -> Callable[[pytest.MonkeyPatch, Running], None]:
    def arm(monkeypatch: pytest.MonkeyPatch, running: Running) -> None:
        async def die(*_: object, **__: object) -> None:
            monkeypatch.undo()
            raise Killed

        monkeypatch.setattr(running.kit.outbox, target, die)

    return arm


def _while_submitting(monkeypatch: pytest.MonkeyPatch, running: Running) -> None:
    real = running.kit.chain.submit

    async def die(raw: bytes, wait: str = "committed") -> None:
        monkeypatch.undo()
        await real(raw)
        raise Killed

    monkeypatch.setattr(running.kit.chain, "submit", die)


def _in_the_deciding_transaction(monkeypatch: pytest.MonkeyPatch, running: Running) -> None:
    def die(*_: object) -> None:
        monkeypatch.undo()
        raise Killed

    monkeypatch.setattr(outbox_module, "Settled", die)


def _after_the_deciding_transaction(monkeypatch: pytest.MonkeyPatch, running: Running) -> None:
    async def die(kind: str) -> None:
        monkeypatch.undo()
        raise Killed

    monkeypatch.setattr(running.kit.outbox, "after_decision", die)


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(_raise_before("_advance"), id="before submitting"),
        pytest.param(_while_submitting, id="after submitting, before the answer"),
        pytest.param(_raise_before("_settle"), id="after the answer, before it is stored"),
        pytest.param(_in_the_deciding_transaction, id="in the deciding transaction, before what follows"),
        pytest.param(_after_the_deciding_transaction, id="after the deciding transaction"),
    ],
)
@pytest.mark.function("X3")
async def test_killed_at_any_step_it_neither_loses_nor_repeats(
    running: Running,
    chain: FakeChain,
    clock: FakeClock,
    kill: Callable[[pytest.MonkeyPatch, Running], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_id = put(running)

    def owned(session: Session) -> None:
        row = session.get_one(Write, write_id)
        row.user_id = 1  # the mail that follows goes to this user

    running.kit.database.write_now(owned)
    kill(monkeypatch, running)
    with pytest.raises((Killed, BaseExceptionGroup)):
        await running.kit.outbox.work_once()
    row = await work_until_settled(running, clock, write_id)
    assert row.state == "done" and len(chain.blocks) == 1
    mails = running.kit.database.read_now(lambda session: session.scalars(select(Mail)).all())
    things = running.kit.database.read_now(lambda session: session.scalars(select(Thing)).all())
    assert [mail.kind for mail in mails] == ["registered"]
    assert [thing.state for thing in things] == ["done"]


async def test_killed_before_its_commit_nothing_was_put(running: Running, chain: FakeChain) -> None:
    def work(session: Session) -> None:
        session.add(Thing(name="毛布", count=1, state="waiting"))
        running.kit.outbox.put(session, "thing.registered", Call(ACCOUNT, "example", "register", {}))
        raise Killed

    with pytest.raises(Killed):
        await running.kit.database.write(work)
    assert await running.kit.outbox.work_once() == 0 and chain.submitted == []


async def test_two_workers_decide_a_write_once(running: Running, chain: FakeChain, clock: FakeClock) -> None:
    write_id = put(running)
    running.kit.database.write_now(lambda session: setattr(session.get_one(Write, write_id), "user_id", 1))
    await asyncio.gather(*(running.kit.outbox.work_once() for _ in range(4)))
    assert write(running, write_id).state == "done" and len(chain.blocks) == 1
    assert len(running.kit.database.read_now(lambda session: session.scalars(select(Mail)).all())) == 1


async def test_a_refusal_is_kept_in_both_languages(running: Running, chain: FakeChain, clock: FakeClock) -> None:
    chain.contract = lambda transaction, arguments: Refuse("example.no_room")
    row = await work_until_settled(running, clock, put(running))
    assert (row.state, row.reason) == ("refused", "example.no_room")
    assert row.reason_ja.startswith("台帳が断りました") and "refused" in row.reason_en


async def test_what_no_node_will_ever_take_is_refused(running: Running, chain: FakeChain, clock: FakeClock) -> None:
    chain.not_admitted = "revoked_account"
    row = await work_until_settled(running, clock, put(running))
    assert (row.state, row.reason, row.receipt) == ("refused", "revoked_account", None)


class TestExpiry:
    async def test_a_dead_transaction_is_signed_anew_once_its_death_is_known(
        self, running: Running, chain: FakeChain, clock: FakeClock
    ) -> None:
        write_id = put(running)
        first = write(running, write_id)
        chain.down = True
        await running.kit.outbox.work_once()
        clock.forward(LIFETIME_MS + 60_000)
        chain.down, chain.block_time_ms = False, first.expires_ms
        await running.kit.outbox.work_once()
        waiting = write(running, write_id)
        assert waiting.signed == 1, "block time has not passed the expiry: it could still be committed"
        chain.block_time_ms = None
        row = await work_until_settled(running, clock, write_id)
        assert row.state == "done" and row.signed == 2 and row.transaction_id != first.transaction_id
        assert len(chain.blocks) == 1

    async def test_one_that_was_committed_unseen_is_found_not_repeated(
        self, running: Running, chain: FakeChain, clock: FakeClock
    ) -> None:
        write_id = put(running)
        chain.lose_answers = 1
        await running.kit.outbox.work_once()
        clock.forward(LIFETIME_MS + 60_000)
        row = await work_until_settled(running, clock, write_id)
        assert row.state == "done" and row.signed == 1 and len(chain.blocks) == 1

    async def test_a_node_that_is_behind_does_not_make_it_dead(
        self, running: Running, chain: FakeChain, clock: FakeClock
    ) -> None:
        write_id = put(running)
        chain.lose_answers = 1
        await running.kit.outbox.work_once()
        clock.forward(LIFETIME_MS + 60_000)
        chain.is_behind = True  # only asked for the head's height does it know what it has
        row = await work_until_settled(running, clock, write_id)
        assert row.signed == 1 and row.state == "waiting" and len(chain.blocks) == 1
        chain.is_behind = False
        assert (await work_until_settled(running, clock, write_id)).state == "done"
        assert len(chain.blocks) == 1

    async def test_a_nodes_word_that_it_expired_is_no_proof(
        self, running: Running, chain: FakeChain, clock: FakeClock
    ) -> None:
        write_id = put(running)
        chain.block_time_ms = clock() + LIFETIME_MS + 1  # this node's clock is far ahead of ours
        await running.kit.outbox.work_once()
        row = write(running, write_id)
        assert row.state == "waiting" and row.signed == 1


async def test_the_worker_runs_by_itself_and_wakes_at_once(running: Running, chain: FakeChain) -> None:
    worker = asyncio.create_task(running.kit.outbox.run())
    await asyncio.sleep(0.05)
    started = asyncio.get_running_loop().time()
    row = await running.kit.outbox.wait(put(running), 5)
    assert row.state == "done" and asyncio.get_running_loop().time() - started < 0.9
    worker.cancel()


async def test_a_fault_in_what_follows_delays_that_write_only(
    running: Running, chain: FakeChain, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = put(running), put(running)

    def spoil(session: Session) -> None:
        session.get_one(Write, first).reference = "thing:999"  # its follow-up will not find the row

    running.kit.database.write_now(spoil)
    await running.kit.outbox.work_once()
    assert (write(running, first).state, write(running, second).state) == ("waiting", "done")
    assert "fault of ours" in write(running, first).last_error
    running.kit.database.write_now(lambda session: setattr(session.get_one(Write, first), "reference", "thing:1"))
    assert (await work_until_settled(running, clock, first)).state == "done"
    assert len(chain.blocks) == 2
