"""Passwords: argon2id with the parameters of RFC 9106 (second recommended option), at most two at a time."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PARALLEL = 2
"""Each takes 64 MiB and tens of milliseconds: a flood of sign-ins must not take the machine."""

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _turn() -> asyncio.Semaphore:
    """A semaphore belongs to one event loop."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PARALLEL))


async def hash_password(password: str) -> str:
    async with _turn():
        return await asyncio.to_thread(_hasher.hash, password)


async def is_password(password_hash: str, password: str) -> bool:
    """Whether it is the password. An empty hash (no such account) costs the same time and is never right."""
    async with _turn():
        return await asyncio.to_thread(_check, password_hash, password)


def hash_now(password: str) -> str:
    """The hash, outside of an event loop (command line, demo data)."""
    return _hasher.hash(password)


def _check(password_hash: str, password: str) -> bool:
    try:
        _hasher.verify(password_hash or _nobody(), password)
        return bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False


_nobodys: list[str] = []


def _nobody() -> str:
    if not _nobodys:
        _nobodys.append(_hasher.hash("nobody's password, compared so that unknown accounts take as long"))
    return _nobodys[0]
