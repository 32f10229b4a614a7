"""Volunteers' keys at rest: they open with the application's secret, for their own volunteer, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from apps.common.database import Database
from apps.volunteers.credentials.custody import CustodyReason, forget_key, holder_key, open_key, seal_key
from apps.volunteers.credentials.did import key_did
from apps.volunteers.credentials.tables import HolderKeyRow
from ledger.refusal import Refused
from tests.apps.common.harness import database_url
from tests.apps.volunteers.credentials.issuing import NOW

MIGRATIONS = Path(__file__).parents[4] / "apps" / "volunteers" / "migrations"
SECRET, OTHER = b"s" * 32, b"t" * 32


@pytest.fixture
def database(tmp_path: Path, database_kind: str) -> Iterator[Database]:
    made = Database(database_url(database_kind, tmp_path))
    made.migrate(MIGRATIONS)
    yield made
    made.close()


def test_the_migration_makes_the_table_that_the_code_has(database: Database) -> None:
    table = HolderKeyRow.__table__
    columns = {c["name"]: c["nullable"] for c in inspect(database.engine).get_columns("volunteer_keys")}
    assert columns == {c.name: c.nullable for c in table.columns}


async def test_a_volunteer_has_one_key_until_it_is_forgotten(database: Database) -> None:
    first = await database.write(lambda s: holder_key(s, SECRET, "v-1", NOW))
    again = await database.write(lambda s: holder_key(s, SECRET, "v-1", NOW + 1))
    other = await database.write(lambda s: holder_key(s, SECRET, "v-2", NOW))
    assert first.public_key == again.public_key != other.public_key
    row = await database.read(lambda s: s.get_one(HolderKeyRow, "v-1"))
    assert (row.did, row.created_ms) == (key_did(first.public_key), NOW)
    await database.write(lambda s: forget_key(s, "v-1"))
    assert await database.read(lambda s: s.get(HolderKeyRow, "v-1")) is None
    renewed = await database.write(lambda s: holder_key(s, SECRET, "v-1", NOW))
    assert renewed.public_key != first.public_key


async def test_a_row_put_in_anothers_place_does_not_open(database: Database) -> None:
    await database.write(lambda s: holder_key(s, SECRET, "v-1", NOW))
    sealed = (await database.read(lambda s: s.get_one(HolderKeyRow, "v-1"))).sealed
    for secret, pseudonym, data in (
        (OTHER, "v-1", sealed),
        (SECRET, "v-2", sealed),
        (SECRET, "v-1", sealed[:-1]),
        (SECRET, "v-1", b""),
        (SECRET, "v-1", bytes([sealed[0] ^ 1]) + sealed[1:]),
    ):
        with pytest.raises(Refused) as refused:
            open_key(secret, pseudonym, data)
        assert refused.value.reason is CustodyReason.CANNOT_OPEN
    open_key(SECRET, "v-1", sealed)


def test_what_is_sealed_holds_nothing_of_the_key() -> None:
    seed = bytes(range(32))
    sealed = seal_key(SECRET, "v-1", seed)
    assert len(sealed) == 12 + 32 + 16
    assert seed[:8] not in sealed and sealed != seal_key(SECRET, "v-1", seed)
