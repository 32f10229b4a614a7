"""The database keeps whole transactions whole, on both kinds of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text, update
from sqlalchemy.orm import Session

from apps.common.database import Base, Database
from tests.apps.common.example.application import HERE, Thing
from tests.apps.common.harness import Running, database_url


@pytest.fixture
def thing(running: Running) -> int:
    def work(session: Session) -> int:
        row = Thing(name="毛布", count=0, state="x")
        session.add(row)
        session.flush()
        return row.id

    return running.kit.database.write_now(work)


async def test_transactions_that_meet_are_as_if_one_came_after_the_other(running: Running, thing: int) -> None:
    def add_one(session: Session) -> None:
        count = session.scalar(select(Thing.count).where(Thing.id == thing)) or 0
        session.execute(update(Thing).where(Thing.id == thing).values(count=count + 1))

    await asyncio.gather(*(running.kit.database.write(add_one) for _ in range(24)))
    assert await running.kit.database.read(lambda s: s.get_one(Thing, thing).count) == 24


async def test_a_failed_transaction_leaves_nothing(running: Running, thing: int) -> None:
    def fail(session: Session) -> None:
        session.get_one(Thing, thing).count = 99
        session.flush()
        raise ValueError

    with pytest.raises(ValueError):
        await running.kit.database.write(fail)
    assert await running.kit.database.read(lambda s: s.get_one(Thing, thing).count) == 0


def test_the_migrations_make_the_tables_that_the_code_has(tmp_path: Path, database_kind: str) -> None:
    database = Database(database_url(database_kind, tmp_path))
    database.migrate(HERE / "migrations")
    database.migrate(HERE / "migrations")
    found = inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        if not found.has_table(table.name):
            continue  # another application's table, known here because its module was imported
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: c.nullable for c in table.columns}, table.name
        indexes = {i["name"] for i in found.get_indexes(table.name)}
        assert {i.name for i in table.indexes} <= indexes, table.name
    assert {"users", "writes", "mails", "things"} <= set(found.get_table_names())
    database.close()


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        Database("sqlite://")


def test_sqlite_syncs_and_erases(tmp_path: Path) -> None:
    database = Database(database_url("sqlite", tmp_path))
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA secure_delete")).scalar() == 1
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()
