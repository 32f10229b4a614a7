"""The mail outbox: queued in the transaction of what a mail tells, sent later, recorded on the chain once sent.

Retries wait longer each time and carry the same Message-ID, so that a mail that arrives twice after a crash is known
as one. A mail server that is down delays mails and nothing else. What the server refuses for good (an address that does
not exist) is kept as failed, for the officer to see.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from hashlib import sha256

import aiosmtplib
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from apps.common.database import Database
from apps.common.language import Clock
from apps.common.outbox import Call, Outbox
from apps.common.settings import Settings, Smtp
from apps.common.tables import Mail, User
from apps.common.text import Catalogue
from ledger.refusal import Language

TIMEOUT_S = 20.0
FIRST_RETRY_MS = 2_000
LAST_RETRY_MS = 10 * 60 * 1000
GIVE_UP_MS = 4 * 24 * 60 * 60 * 1000
"""As long as mail servers themselves try (RFC 5321, 4.5.4.1: four to five days)."""
BATCH = 16
IDLE_S = 1.0
SECRET_KINDS = frozenset({"confirm", "reset", "welcome"})
"""Mails whose text is forgotten once they are sent."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentMail:
    """What the chain may know of a sent mail."""

    code: str
    """Names this mail and no other (`mail-…`); tells nothing."""
    kind: str
    reference: str
    account: str
    recipient_hash: bytes
    sent_ms: int


Record = Callable[[SentMail], Call | None]
"""The call that records a sent mail on the chain; None for mails of no concern to it (a forgotten password)."""


def mail_code(mail: Mail) -> str:
    """A mail's name on the chain, from its Message-ID."""
    return "mail-" + sha256(b"daicho/mail-code/1\x00" + mail.message_id.encode()).hexdigest()[:20]


def recipient_hash(salt: bytes, address: str) -> bytes:
    """What stands for an address on the chain: without the salt, which only the application has, it tells nothing."""
    return sha256(b"daicho/mail-recipient/1\x00" + salt + address.encode()).digest()


class Mails:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalogue: Catalogue,
        outbox: Outbox,
        clock: Clock,
        record: Record | None,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._record = record
        self._wake = asyncio.Event()
        self.smtp = settings.smtp
        """Where mails go: the demo points it to its own server once that listens."""

    def tell(
        self, session: Session, user: User, kind: str, *, reference: str = "", account: str = "", **params: object
    ) -> Mail:
        """Queue the mail `mail.<kind>_subject`, `mail.<kind>_body` to a user, in their language.

        The sentences may name `{name}` (of the user), `{site}` and whatever `params` hold.
        """
        language: Language = "en" if user.language == "en" else "ja"
        return self.tell_address(
            session,
            user.email,
            language,
            kind,
            reference=reference,
            account=account,
            user=user,
            name=user.name,
            **params,
        )

    def tell_address(
        self,
        session: Session,
        recipient: str,
        language: Language,
        kind: str,
        *,
        reference: str = "",
        account: str = "",
        user: User | None = None,
        **params: object,
    ) -> Mail:
        """As `tell`, to somebody who has no account (a shelter's contact person)."""
        values = {"site": self._catalogue.text(language, "site.name"), **params}
        return self.put(
            session,
            kind,
            recipient,
            self._catalogue.text(language, f"mail.{kind}_subject", values),
            self._catalogue.text(language, f"mail.{kind}_body", values),
            reference=reference,
            account=account,
            language=language,
            user=user,
        )

    def put(
        self,
        session: Session,
        kind: str,
        recipient: str,
        subject: str,
        body: str,
        *,
        reference: str = "",
        account: str = "",
        language: str = "ja",
        user: User | None = None,
    ) -> Mail:
        """Queue a mail in the caller's transaction. `account` records the sending on the chain."""
        now_ms = self._clock()
        mail = Mail(
            kind=kind,
            reference=reference,
            account=account,
            user_id=user.id if user is not None else None,
            recipient=recipient,
            subject=" ".join(subject.split())[:200],
            body=body,
            language=language,
            message_id=f"<{secrets.token_hex(16)}@{self._settings.sender.rpartition('@')[2]}>",
            salt=secrets.token_bytes(16),
            state="waiting",
            next_ms=now_ms,
            created_ms=now_ms,
        )
        session.add(mail)
        session.flush()
        return mail

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """The worker: until it is cancelled."""
        while True:
            self._wake.clear()
            if not await self.work_once():
                try:
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def work_once(self) -> int:
        """Send what is due, one after the other; how many were tried."""
        now_ms = self._clock()
        due: Sequence[Mail] = await self._database.read(
            lambda session: session.scalars(
                select(Mail)
                .where(Mail.state == "waiting", Mail.next_ms <= now_ms)
                .order_by(Mail.next_ms, Mail.id)
                .limit(BATCH)
            ).all()
        )
        for mail in due:
            try:
                await self._send(mail)
            except DBAPIError:
                raise
            except Exception as fault:
                log.exception("a fault at mail %d (%s)", mail.id, mail.kind)
                await self._not_sent(mail, f"fault of ours: {type(fault).__name__}", is_final=False)
        return len(due)

    async def _send(self, mail: Mail) -> None:
        try:
            await deliver(self.smtp, letter(mail, self._settings.sender))
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [r.code for r in error.recipients]
            await self._not_sent(mail, str(codes), is_final=all(code >= 500 for code in codes))
        except aiosmtplib.SMTPResponseException as error:
            # A refusal of the whole exchange (sign-in, our sender address) is ours to mend, not the recipient's fault.
            is_final = isinstance(error, aiosmtplib.SMTPDataError) and error.code >= 500
            await self._not_sent(mail, f"{error.code}", is_final=is_final)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            await self._not_sent(mail, type(error).__name__, is_final=False)
        else:
            await self._sent(mail)

    async def _sent(self, mail: Mail) -> None:
        def mark(session: Session) -> None:
            row = session.get_one(Mail, mail.id, with_for_update=True)
            if row.state != "waiting":
                return
            now_ms = self._clock()
            row.state, row.settled_ms, row.last_error = "sent", now_ms, ""
            row.tries += 1
            if row.kind in SECRET_KINDS:
                row.body = ""  # it held a link that opens an account
            if self._record is None or not row.account:
                return
            sent = SentMail(
                mail_code(row), row.kind, row.reference, row.account, recipient_hash(row.salt, row.recipient), now_ms
            )
            call = self._record(sent)
            if call is not None:
                self._outbox.put(session, "kit.mail_recorded", call, reference=f"mail:{row.id}")

        await self._database.write(mark)
        self._outbox.wake()

    async def _not_sent(self, mail: Mail, why: str, *, is_final: bool) -> None:
        def mark(session: Session) -> None:
            row = session.get_one(Mail, mail.id, with_for_update=True)
            now_ms = self._clock()
            delay_ms = min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(row.tries, 12))
            row.tries += 1
            row.last_error = why[:300]
            row.next_ms = now_ms + delay_ms + secrets.randbelow(delay_ms // 2)
            if is_final or now_ms - row.created_ms > GIVE_UP_MS:
                row.state, row.settled_ms = "failed", now_ms

        await self._database.write(mark)
        log.warning("mail %d (%s) is not sent: %s", mail.id, mail.kind, why)


def letter(mail: Mail, sender: str) -> EmailMessage:
    """The mail as it travels; the same each time it is tried."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Message-ID"] = mail.message_id
    message["Date"] = formatdate(mail.created_ms / 1000)
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = mail.language
    message.set_content(mail.body, charset="utf-8")
    return message


async def deliver(smtp: Smtp, message: EmailMessage) -> None:
    """Hand one letter to the server; returns once the server has taken it."""
    await aiosmtplib.send(
        message,
        hostname=smtp.host,
        port=smtp.port,
        username=smtp.user or None,
        password=smtp.password or None,
        use_tls=smtp.security == "tls",
        start_tls=smtp.security == "starttls",
        timeout=TIMEOUT_S,
    )
