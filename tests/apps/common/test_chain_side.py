"""What an application shows of the chain: stories with proofs, live lists, its own view, the access log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import personal
from apps.common.access_log import KIND, SAME_VIEW_MS, note_view
from apps.common.chain import Head, Keyring, Step
from apps.common.follower import Follower
from apps.common.outbox import Call
from apps.common.tables import Salt, User, Write
from apps.common.web import Visit
from tests.apps.common.example.application import ACCOUNT, Thing
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import Running


async def record(running: Running, subject: str, count: int = 1) -> None:
    def work(session: Session) -> None:
        for _ in range(count):
            running.kit.outbox.put(session, "plain", Call(ACCOUNT, "example", "register", {"subject": subject}))

    await running.kit.database.write(work)
    while await running.kit.outbox.work_once():
        pass


@pytest.mark.function("X4")
async def test_a_records_story_shows_each_step_with_block_time_and_proof(running: Running, chain: FakeChain) -> None:
    await record(running, "thing:7", 2)
    async with running.browser() as browser:
        page = await browser.get("/story/thing:7")
        assert page.main.count("証明をダウンロード") == 2 and "register_done" in page.main
        name = chain.blocks[0][0].id.hex()
        proof = await browser.get(f"/proof/{name}")
        assert proof.status == 200 and "attachment" in proof.headers["Content-Disposition"]
        assert (await browser.get("/story/thing:nothing")).status == 404
        for nothing in ("nothing", "0" * 64):
            assert (await browser.get(f"/proof/{nothing}")).status == 404


async def test_a_live_list_hears_of_a_change_and_of_nothing_else(running: Running) -> None:
    async with running.browser() as browser:
        async with browser._session.get(f"{running.base}/live/things") as stream:
            assert stream.content_type == "text/event-stream"
            await running.kit.live.touch("others")
            await running.kit.live.touch("things")
            async with asyncio.timeout(5):
                lines = [await stream.content.readline() for _ in range(5)]
        assert b"event: change\n" in lines and b"data: 1\n" in lines


async def test_a_stream_that_was_left_is_forgotten(running: Running) -> None:
    async with running.browser() as browser:
        async with browser._session.get(f"{running.base}/live/things") as stream:
            await stream.content.readline()
            assert running.kit.live.listeners == 1
        for _ in range(200):
            await running.kit.live.touch("things")
            await asyncio.sleep(0.01)
            if running.kit.live.listeners == 0:
                break
    assert running.kit.live.listeners == 0


def apply(session: Session, steps: Sequence[Step]) -> Iterable[str]:
    for step in steps:
        session.add(Thing(name=step.event.name, count=step.height, state="seen"))
    return ["things"]


async def test_the_view_applies_each_block_once_however_often_it_comes(running: Running, chain: FakeChain) -> None:
    await record(running, "thing:1", 3)
    follower = Follower("view", apply)
    steps = chain._steps()

    def take(session: Session, height: int) -> list[str]:
        return follower.take(session, Head(height, 0), [s for s in steps if s.height == height])

    for height in (1, 1, 2, 1, 3, 3):
        await running.kit.database.write(lambda session, height=height: take(session, height))
    things = await running.kit.database.read(lambda s: s.scalars(select(Thing).order_by(Thing.count)).all())
    assert [t.count for t in things] == [1, 2, 3]
    assert await running.kit.database.read(follower.height) == 3


async def test_the_view_follows_and_wakes_live_lists(running: Running, chain: FakeChain) -> None:
    task = asyncio.create_task(Follower("view", apply).run(running.kit))
    await record(running, "thing:1", 2)
    async with asyncio.timeout(5):
        while running.kit.live.version("things") < 2:
            await running.kit.live.next_version("things", running.kit.live.version("things"))
    task.cancel()


@pytest.mark.function("X5", "X1")
async def test_a_look_at_personal_data_is_recorded_once_under_a_pseudonym(
    running: Running, chain: FakeChain, clock: FakeClock
) -> None:
    async def look(visit: Visit):  # type: ignore[no-untyped-def]
        await note_view(visit, "member", "p123")
        return visit.render("common/message.html", heading="home.title", text="home.title")

    object.__setattr__(running.kit, "record_view", lambda viewed: Call(
        ACCOUNT, "example", "record_view", {"viewer": viewed.pseudonym, "kind": viewed.kind, "subject": "access:132012"}
    ))  # fmt: skip
    object.__setattr__(running.kit.pages["secret"], "show", look)
    async with running.browser("admin@example.jp") as browser:
        for _ in range(3):
            assert (await browser.get("/secret")).status == 200
        clock.forward(SAME_VIEW_MS + 1)
        await browser.get("/secret")
    writes = running.kit.database.read_now(lambda s: s.scalars(select(Write).where(Write.kind == KIND)).all())
    admin = running.kit.database.read_now(
        lambda s: s.scalars(select(User).where(User.email == "admin@example.jp")).one()
    )
    assert len(writes) == 2
    assert all(admin.pseudonym.encode() in w.raw and b"admin@" not in w.raw for w in writes)


@pytest.mark.function("X1")
def test_a_commitment_means_nothing_once_its_salt_is_gone(running: Running) -> None:
    def work(session: Session) -> tuple[bool, bool, bool]:
        found = personal.commit_to(session, "shelter:1", "contact", "佐藤 042-000-0000".encode())
        assert found == personal.commit_to(session, "shelter:1", "contact", "佐藤 042-000-0000".encode())
        right = personal.is_committed(session, "shelter:1", "contact", "佐藤 042-000-0000".encode(), found)
        wrong = personal.is_committed(session, "shelter:1", "contact", "鈴木".encode(), found)
        personal.forget_subject(session, "shelter:1")
        return right, wrong, personal.is_committed(session, "shelter:1", "contact", "佐藤 042-000-0000".encode(), found)

    assert running.kit.database.write_now(work) == (True, False, False)


def test_erasing_a_person_leaves_nothing_of_them(running: Running) -> None:
    def work(session: Session) -> tuple[int, int]:
        user = session.scalars(select(User).where(User.email == "resident@example.jp")).one()
        personal.commit_to(session, f"user:{user.pseudonym}", "document", b"x")
        running.kit.mails.put(session, "x", user.email, "s", "b")
        personal.forget_user(session, user)
        session.flush()
        return len(session.scalars(select(User)).all()), len(session.scalars(select(Salt)).all())

    assert running.kit.database.write_now(work) == (2, 0)


def test_logs_hold_no_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "mail to %s, call 042-123-4567, /reset/%s", (), None)
    record.args = ("taro@example.jp", "A" * 43)
    try:
        raise ValueError("山田太郎 taro@example.jp")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert personal.Redact().filter(record)
    text = logging.Formatter().format(record)
    assert "taro@" not in text and "042" not in text and "AAAA" not in text and "山田" not in text
    assert "ValueError" in text and "[e-mail]" in text


def test_numbers_that_are_no_phone_numbers_stay_in_the_logs() -> None:
    assert personal.redact("write 1203 at height 45 in 0.25 s") == "write 1203 at height 45 in 0.25 s"


def test_officers_keys_are_derived_and_differ(running: Running) -> None:
    ring = Keyring({}, master=b"m" * 32)
    keys = {ring.key(account).public_key for account in ("a-1", "a-2", "b-1")}
    assert len(keys) == 3 and ring.key("a-1").public_key == Keyring({}, master=b"m" * 32).key("a-1").public_key
    with pytest.raises(KeyError):
        Keyring({}).key("a-1")
