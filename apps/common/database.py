"""The applications' database: SQLite by default, PostgreSQL by URL, the same code on both.

All work is done in whole transactions: a plain function of a session, run in a thread. It cannot await anything, so no
lock is ever held over a network call, and a transaction that the database throws back is simply run again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.refusal import BrokenInvariant

MAX_ATTEMPTS = 8
THREADS = 8
BUSY_TIMEOUT_MS = 10_000
RETRY_CODES = frozenset({"40001", "40P01"})
"""PostgreSQL: serialization failure, deadlock. Both mean: run it again."""
KIT_MIGRATIONS = Path(__file__).parent / "migrations"

P = ParamSpec("P")
T = TypeVar("T")


class Base(DeclarativeBase):
    """Base of every table, the kit's and the applications'."""


class Database:
    """One application's database. `write` and `read` run a function of a session as one transaction."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(make_url(url))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(self.url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")

    async def write(self, work: Callable[[Session], T]) -> T:
        """The result of `work`, committed. It may run more than once: it must have no other effect than on the session.

        SERIALIZABLE on PostgreSQL, one writer at a time on SQLite: each transaction sees the world as if it were alone.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.write_now, work)

    async def read(self, work: Callable[[Session], T]) -> T:
        """The result of `work` on one consistent snapshot; nothing is written."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.read_now, work)

    def write_now(self, work: Callable[[Session], T]) -> T:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with Session(self.engine, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except DBAPIError as error:
                if attempt == MAX_ATTEMPTS or not _is_passing(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise BrokenInvariant("the last attempt returns or raises")

    def read_now(self, work: Callable[[Session], T]) -> T:
        engine = self.engine.execution_options(daicho_read=True)
        with Session(engine, expire_on_commit=False) as session:
            return work(session)

    def migrate(self, *locations: Path) -> None:
        """Bring the tables up to date: the kit's migrations and those of `locations` (folders of Alembic versions)."""
        config = Config()
        config.set_main_option("script_location", str(KIT_MIGRATIONS))
        folders = (KIT_MIGRATIONS / "versions", *locations)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self.engine.dispose()


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, isolation_level="SERIALIZABLE", pool_size=THREADS, max_overflow=2, pool_pre_ping=True)
    if url.database in (None, "", ":memory:"):
        raise ValueError("the database needs a file: an in-memory SQLite is not shared between threads")
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=THREADS, max_overflow=2)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own guesses at where a transaction begins are turned off: `_begin_sqlite` says it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: two transactions that read first and write later cannot both go on.
    reads = connection.get_execution_options().get("daicho_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _is_passing(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in RETRY_CODES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)
