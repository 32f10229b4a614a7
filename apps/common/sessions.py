"""Sessions in the database. The browser holds a random token, the database its hash: a stolen copy opens nothing."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

from sqlalchemy import delete
from sqlalchemy.orm import Session

from apps.common.database import Database
from apps.common.tables import SignedIn, User

IDLE_MS = 2 * 60 * 60 * 1000
"""A session ends two hours after its last page …"""
LONGEST_MS = 12 * 60 * 60 * 1000
"""… and at the latest after a working day."""
SEEN_STEP_MS = 60 * 1000
MAX_SESSIONS_A_USER = 10
TOKEN = re.compile(r"^[A-Za-z0-9_-]{43}$")


def new_token() -> str:
    return secrets.token_urlsafe(32)


def is_token(token: str) -> bool:
    return TOKEN.match(token) is not None


def _hash(token: str) -> bytes:
    return sha256(b"session\x00" + token.encode()).digest()


async def find_user(database: Database, token: str, now_ms: int) -> User | None:
    """Who holds this session's token, if the session lives and the account is not suspended."""

    def look(session: Session) -> tuple[User | None, bool]:
        row = session.get(SignedIn, _hash(token))
        if row is None or not _lives(row, now_ms):
            return None, False
        user = session.get(User, row.user_id)
        if user is None or user.suspended_ms is not None:
            return None, False
        return user, now_ms - row.seen_ms > SEEN_STEP_MS

    user, is_stale = await database.read(look)
    if is_stale:
        await database.write(lambda session: _see(session, token, now_ms))
    return user


def _lives(row: SignedIn, now_ms: int) -> bool:
    return now_ms - row.seen_ms <= IDLE_MS and now_ms - row.created_ms <= LONGEST_MS


def _see(session: Session, token: str, now_ms: int) -> None:
    row = session.get(SignedIn, _hash(token))
    if row is not None:
        row.seen_ms = now_ms


def begin(session: Session, user: User, now_ms: int) -> str:
    """A new session; its token. The token from before signing in is never carried on (session fixation)."""
    token = new_token()
    rows = session.query(SignedIn).filter_by(user_id=user.id).order_by(SignedIn.seen_ms.desc()).all()
    for old in rows[MAX_SESSIONS_A_USER - 1 :]:
        session.delete(old)
    session.add(SignedIn(token_hash=_hash(token), user_id=user.id, created_ms=now_ms, seen_ms=now_ms))
    return token


def end(session: Session, token: str) -> None:
    session.execute(delete(SignedIn).where(SignedIn.token_hash == _hash(token)))


def end_all(session: Session, user_id: int) -> None:
    """Every session of a user: after a new password, a suspension, a change of roles."""
    session.execute(delete(SignedIn).where(SignedIn.user_id == user_id))


def sweep(session: Session, now_ms: int) -> None:
    """Forget sessions that are over."""
    session.execute(
        delete(SignedIn).where((SignedIn.seen_ms < now_ms - IDLE_MS) | (SignedIn.created_ms < now_ms - LONGEST_MS))
    )
