"""Personal data: what the chain gets instead of it, and how it is forgotten.

A commitment is a hash over a random salt and the data. The chain keeps the hash, this database keeps salt and data.
Once both are deleted the hash leads to nothing, and everything on the chain still verifies (X1).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from apps.common import sessions
from apps.common.outbox import Call
from apps.common.tables import Letter, Mail, Salt, User

SALT_BYTES = 16
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
PHONE = re.compile(r"(?<![0-9A-Za-z])0[0-9]{1,4}-?[0-9]{1,4}-?[0-9]{3,4}(?![0-9A-Za-z])")
TOKEN = re.compile(r"(?<=/)[A-Za-z0-9_-]{40,}")


@dataclass(frozen=True, slots=True)
class Viewed:
    """What the chain may know of an officer's look at personal data."""

    pseudonym: str
    organisation: str
    chain_account: str
    kind: str
    """What was looked at: `shelter_contact`, `member`, `volunteer`, `accounts` …"""
    about: str
    """The pseudonymous id of whose data it was, or empty for a list."""
    viewed_ms: int


RecordView = Callable[[Viewed], Call]


def commit_to(session: Session, subject: str, purpose: str, data: bytes) -> str:
    """The commitment to `data` about `subject` (`shelter:…`) for a `purpose`, as 64 hex digits.

    Made again, it is the same as long as the data and the salt are.
    """
    return commitment(_salt(session, subject, purpose), data)


def commitment(salt: bytes, data: bytes) -> str:
    return sha256(b"daicho/commitment/1\x00" + salt + data).hexdigest()


def is_committed(session: Session, subject: str, purpose: str, data: bytes, found: str) -> bool:
    """Whether the chain's commitment `found` is to this data; False once the salt is gone."""
    salt = session.scalar(select(Salt.salt).where(Salt.subject == subject, Salt.purpose == purpose))
    return salt is not None and secrets.compare_digest(commitment(salt, data), found)


def _salt(session: Session, subject: str, purpose: str) -> bytes:
    row = session.scalar(select(Salt).where(Salt.subject == subject, Salt.purpose == purpose))
    if row is None:
        row = Salt(subject=subject, purpose=purpose, salt=secrets.token_bytes(SALT_BYTES))
        session.add(row)
        session.flush()
    return row.salt


def forget_subject(session: Session, subject: str) -> None:
    """Delete the salts of a subject: its commitments on the chain mean nothing from now on."""
    session.execute(delete(Salt).where(Salt.subject == subject))


def forget_user(session: Session, user: User) -> None:
    """Erase a person: account, sessions, mails to them, salts.

    The application deletes its own rows about them in the same transaction; then their pseudonym leads nowhere.
    """
    sessions.end_all(session, user.id)
    session.execute(delete(Mail).where(Mail.recipient == user.email))
    session.execute(delete(Letter).where(Letter.recipient == user.email))
    forget_subject(session, f"user:{user.pseudonym}")
    session.delete(user)


def redact(text: str) -> str:
    """Text without e-mail addresses, phone numbers and secrets of links."""
    return PHONE.sub("[phone]", EMAIL.sub("[e-mail]", TOKEN.sub("[token]", text)))


class Redact(logging.Filter):
    """Keeps personal data out of the logs, whoever writes them: put on every handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and record.exc_info[1] is not None:
            # The text of an exception may quote rows and forms: the log keeps where it happened and its kind.
            record.exc_text = redact(_trace(record.exc_info[1]))
        return True


def _trace(error: BaseException) -> str:
    lines = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{step.tb_lineno} {code.co_qualname}")
        step = step.tb_next
    return "\n".join([*lines, type(error).__qualname__])
