"""Accounts: making them, confirming addresses, signing in, new passwords. Plain functions of a database session."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from apps.common import sessions
from apps.common.tables import LinkToken, Throttle, User

CONFIRM = "confirm"
RESET = "reset"
LINK_LIFETIME_MS = {CONFIRM: 48 * 60 * 60 * 1000, RESET: 60 * 60 * 1000}

WINDOW_MS = 15 * 60 * 1000
MAX_TRIES_ACCOUNT = 10
MAX_TRIES_ADDRESS = 50
"""A shelter's phones may share one address."""
MAX_LINKS_ADDRESS = 40
"""Mails with links (registering, forgotten passwords) that one address may cause in a quarter of an hour …"""
MAX_LINKS_ACCOUNT = 4
"""… and that one account gets."""
MAX_THROTTLES = 20_000


def normal_email(email: str) -> str:
    return email.strip().lower()


def find(session: Session, email: str) -> User | None:
    return session.scalar(select(User).where(User.email == normal_email(email)))


def create(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str,
    roles: Iterable[str],
    now_ms: int,
    organisation: str = "",
    place: str = "",
    chain_account: str = "",
    language: str = "ja",
    is_confirmed: bool = False,
) -> User:
    """A new account. The address must be free (`find` first, in the same transaction)."""
    user = User(
        pseudonym=new_pseudonym(),
        email=normal_email(email),
        name=name,
        password_hash=password_hash,
        roles=sorted(roles),
        organisation=organisation,
        place=place,
        chain_account=chain_account,
        language=language,
        created_ms=now_ms,
        confirmed_ms=now_ms if is_confirmed else None,
    )
    session.add(user)
    session.flush()
    return user


def new_pseudonym() -> str:
    """What the chain calls a person: random, so that it leads to nobody, and made anew in each application."""
    return "p" + secrets.token_hex(12)


def new_link(session: Session, user: User, purpose: str, now_ms: int) -> str:
    """A token for a link in a mail. An earlier one of the same purpose is no longer good."""
    session.execute(delete(LinkToken).where(LinkToken.user_id == user.id, LinkToken.purpose == purpose))
    token = secrets.token_urlsafe(32)
    row = LinkToken(
        token_hash=_hash(token), user_id=user.id, purpose=purpose, expires_ms=now_ms + LINK_LIFETIME_MS[purpose]
    )
    session.add(row)
    return token


def link_user(session: Session, token: str, purpose: str, now_ms: int) -> User | None:
    """Whose link it is, if it is still good."""
    row = session.get(LinkToken, _hash(token))
    if row is None or row.purpose != purpose or row.expires_ms < now_ms:
        return None
    return session.get(User, row.user_id)


def use_link(session: Session, token: str, purpose: str, now_ms: int) -> User | None:
    """Whose link it is; it is good no more."""
    user = link_user(session, token, purpose, now_ms)
    if user is not None:
        session.execute(delete(LinkToken).where(LinkToken.token_hash == _hash(token)))
    return user


def confirm(session: Session, token: str, now_ms: int) -> User | None:
    """The address is its user's: they had the link."""
    user = use_link(session, token, CONFIRM, now_ms)
    if user is not None and user.confirmed_ms is None:
        user.confirmed_ms = now_ms
    return user


def set_password(session: Session, user: User, password_hash: str) -> None:
    """A new password ends every session of the account."""
    user.password_hash = password_hash
    sessions.end_all(session, user.id)


def is_throttled(session: Session, email: str, address: str, now_ms: int) -> bool:
    """Whether this account or this address has failed too often in the running quarter of an hour."""
    for key, limit in _throttle_keys(email, address):
        row = session.get(Throttle, key)
        if row is not None and row.window_ends_ms > now_ms and row.tries >= limit:
            return True
    return False


def may_mail_link(session: Session, email: str, address: str, now_ms: int) -> bool:
    """Whether one more mail with a link may go out for this address and account; counts it."""
    keys = (
        (_key("link to", normal_email(email)), MAX_LINKS_ACCOUNT),
        (_key("link from", address), MAX_LINKS_ADDRESS),
    )
    for key, limit in keys:
        row = session.get(Throttle, key)
        if row is not None and row.window_ends_ms > now_ms and row.tries >= limit:
            return False
    _count(session, [key for key, _ in keys], now_ms)
    return True


def count_try(session: Session, email: str, address: str, now_ms: int) -> None:
    """One more failed try."""
    _count(session, [key for key, _ in _throttle_keys(email, address)], now_ms)


def _count(session: Session, keys: Iterable[bytes], now_ms: int) -> None:
    # The table is bounded: what is over goes, then the oldest.
    for key in keys:
        row = session.get(Throttle, key)
        if row is None or row.window_ends_ms <= now_ms:
            _make_room(session, now_ms)
            session.merge(Throttle(key=key, window_ends_ms=now_ms + WINDOW_MS, tries=1))
        else:
            row.tries += 1
    session.flush()


def forget_tries(session: Session, email: str) -> None:
    """After signing in: the account's own count starts anew (the address's does not: it may be trying others)."""
    session.execute(delete(Throttle).where(Throttle.key == _key("account", normal_email(email))))


def _make_room(session: Session, now_ms: int) -> None:
    if (session.scalar(select(func.count()).select_from(Throttle)) or 0) < MAX_THROTTLES:
        return
    session.execute(delete(Throttle).where(Throttle.window_ends_ms <= now_ms))
    oldest = select(Throttle.key).order_by(Throttle.window_ends_ms).limit(MAX_THROTTLES // 20)
    if (session.scalar(select(func.count()).select_from(Throttle)) or 0) >= MAX_THROTTLES:
        session.execute(delete(Throttle).where(Throttle.key.in_(oldest)))


def _throttle_keys(email: str, address: str) -> tuple[tuple[bytes, int], ...]:
    return (
        (_key("account", normal_email(email)), MAX_TRIES_ACCOUNT),
        (_key("address", address), MAX_TRIES_ADDRESS),
    )


def _key(kind: str, value: str) -> bytes:
    return sha256(f"throttle\x00{kind}\x00{value}".encode()).digest()


def _hash(token: str) -> bytes:
    return sha256(b"link\x00" + token.encode()).digest()


def sweep(session: Session, now_ms: int) -> None:
    """Forget links and counts that are over."""
    session.execute(delete(LinkToken).where(LinkToken.expires_ms < now_ms))
    session.execute(delete(Throttle).where(Throttle.window_ends_ms < now_ms))
