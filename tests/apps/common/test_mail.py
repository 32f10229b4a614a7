"""Mails: sent by a real mail server's rules, once each, recorded once the server took them, failures visible."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import mail as mail_module
from apps.common.mail import recipient_hash
from apps.common.settings import Smtp
from apps.common.smtp_sink import SmtpSink
from apps.common.tables import Letter, Mail, User
from ledger.encoding import decode
from tests.apps.common.example.application import ACCOUNT
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import Running


@pytest.fixture
async def sink(running: Running, clock: FakeClock) -> AsyncIterator[SmtpSink]:
    server = SmtpSink(running.kit.database, clock)
    await server.start(0)
    running.kit.mails.smtp = Smtp("127.0.0.1", server.port)
    yield server
    await server.stop()


def queue(running: Running, address: str = "hanako@example.jp") -> Mail:
    def work(session: Session) -> Mail:
        return running.kit.mails.put(
            session, "thing_registered", address, "登録しました", "毛布を登録しました。\n.\n終わり\n",
            reference="thing:1", account=ACCOUNT,
        )  # fmt: skip

    return running.kit.database.write_now(work)


def letters(running: Running) -> list[Letter]:
    return list(running.kit.database.read_now(lambda session: session.scalars(select(Letter)).all()))


def mail(running: Running, mail_id: int) -> Mail:
    return running.kit.database.read_now(lambda session: session.get_one(Mail, mail_id))


@pytest.mark.function("D8e", "X1")
async def test_a_mail_arrives_and_its_sending_is_recorded_without_the_address(
    running: Running, sink: SmtpSink, chain: FakeChain
) -> None:
    queued = queue(running)
    await running.kit.mails.work_once()
    (letter,) = letters(running)
    assert (letter.recipient, letter.subject) == ("hanako@example.jp", "登録しました")
    assert letter.body.splitlines() == ["毛布を登録しました。", ".", "終わり"]
    assert letter.message_id == queued.message_id
    assert mail(running, queued.id).state == "sent"
    await running.kit.outbox.work_once()
    ((transaction, _),) = chain.blocks
    arguments = decode(transaction.body.args)
    assert isinstance(arguments, dict)
    assert arguments["recipient_hash"] == recipient_hash(queued.salt, "hanako@example.jp")
    assert b"hanako" not in transaction.raw


@pytest.mark.function("D8e")
async def test_a_mail_server_that_is_down_delays_and_nothing_else(
    running: Running, sink: SmtpSink, clock: FakeClock
) -> None:
    port = sink.port
    await sink.stop()
    queued = queue(running)
    waits = []
    for _ in range(3):
        await running.kit.mails.work_once()
        row = mail(running, queued.id)
        assert row.state == "waiting" and row.last_error
        waits.append(row.next_ms - clock())
        clock.forward(row.next_ms - clock())
    assert waits[0] < waits[1] < waits[2]
    await sink.start(port)
    await running.kit.mails.work_once()
    await running.kit.mails.work_once()
    assert [letter.message_id for letter in letters(running)] == [queued.message_id]


async def test_a_bad_address_is_kept_as_failed_for_the_officer(
    running: Running, sink: SmtpSink, chain: FakeChain
) -> None:
    queued = queue(running, "no-such-user@example.jp")
    await running.kit.mails.work_once()
    row = mail(running, queued.id)
    assert row.state == "failed" and "550" in row.last_error
    assert await running.kit.outbox.work_once() == 0, "nothing was sent, so nothing is recorded"
    async with running.browser("admin@example.jp") as browser:
        page = await browser.get("/mails?state=failed")
        assert "送信できません" in page.main and "550" in page.main and "no-such-user" not in page.text


async def test_killed_after_the_server_took_it_the_copy_has_the_same_message_id(
    running: Running, sink: SmtpSink, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, chain: FakeChain
) -> None:
    class Killed(BaseException):
        pass

    async def die(*_: object) -> None:
        monkeypatch.undo()
        raise Killed

    queue(running)
    monkeypatch.setattr(running.kit.mails, "_sent", die)
    with pytest.raises(Killed):
        await running.kit.mails.work_once()
    await running.kit.mails.work_once()
    assert len({letter.message_id for letter in letters(running)}) == 1
    await running.kit.outbox.work_once()
    assert len(chain.blocks) == 1, "recorded once"


async def test_a_mail_in_the_readers_language(running: Running, sink: SmtpSink) -> None:
    def work(session: Session) -> None:
        user = session.scalars(select(User).where(User.email == "officer@example.jp")).one()
        user.language = "en"
        running.kit.mails.tell(session, user, "registered", thing="Blanket")

    running.kit.database.write_now(work)
    await running.kit.mails.work_once()
    assert letters(running)[0].subject == "[Record of equipment] Registered"


async def test_the_link_of_a_sent_mail_is_forgotten(running: Running, sink: SmtpSink) -> None:
    def work(session: Session) -> None:
        user = session.scalars(select(User).where(User.email == "officer@example.jp")).one()
        running.kit.mails.tell(session, user, "reset", link="https://example.jp/reset/abc")

    running.kit.database.write_now(work)
    await running.kit.mails.work_once()
    (row,) = running.kit.database.read_now(lambda session: session.scalars(select(Mail)).all())
    assert row.body == "" and "reset/abc" in letters(running)[0].body


def test_no_line_of_a_subject_becomes_a_header(running: Running) -> None:
    def work(session: Session) -> Mail:
        return running.kit.mails.put(session, "x", "a@example.jp", "a\r\nBcc: b@example.jp", "text")

    message = mail_module.letter(running.kit.database.write_now(work), "daicho@example.jp")
    assert message["Subject"] == "a Bcc: b@example.jp" and message["Bcc"] is None


async def test_another_mail_server_understands_what_we_send(running: Running) -> None:
    taken: list[Envelope] = []

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
            taken.append(envelope)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        running.kit.mails.smtp = Smtp("127.0.0.1", port)
        queue(running)
        await running.kit.mails.work_once()
    finally:
        controller.stop()
    assert [e.rcpt_tos for e in taken] == [["hanako@example.jp"]]
    message = message_from_bytes(taken[0].original_content or b"", EmailMessage, policy=default)
    assert message["Subject"] == "登録しました" and "毛布" in message.get_content()


async def test_the_demo_mailbox_shows_what_was_sent(running: Running, sink: SmtpSink) -> None:
    queue(running)
    await running.kit.mails.work_once()
    async with running.browser() as browser:
        page = await browser.get("/mailbox?to=hanako@example.jp")
        assert "毛布を登録しました" in page.main
        assert "毛布" not in (await browser.get("/mailbox?to=other@example.jp")).main


async def test_the_worker_sends_by_itself(running: Running, sink: SmtpSink) -> None:
    worker = asyncio.create_task(running.kit.mails.run())
    queue(running)
    running.kit.mails.wake()
    for _ in range(250):
        await asyncio.sleep(0.02)
        if letters(running):
            break
    worker.cancel()
    assert len(letters(running)) == 1
