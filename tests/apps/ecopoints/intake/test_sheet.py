"""A member's own file: looked at first, wrong cells named, blank is not zero, twice is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

import apps.ecopoints
from apps.common.forms import Upload
from apps.common.text import Catalogue
from apps.ecopoints.intake.sheet import Sheet, keep_sheet, look
from apps.ecopoints.intake.tables import EcoReading
from tests.apps.ecopoints.intake.world import World

TEXTS = Catalogue.load(Path(apps.ecopoints.__file__).parent / "catalogue" / "intake.toml")
HEADING = "機器,項目,計測日時,積算値(Wh・m・mL)\n"


def labels(field: str) -> Sequence[str]:
    return (TEXTS.text("ja", f"manual_reading.{field}"), TEXTS.text("en", f"manual_reading.{field}"))


def seen(world: World, rows: str, *, store: bool = False) -> Sheet:
    upload = Upload("my.csv", "text/csv", (HEADING + rows).encode())
    devices = world.registry.known

    def work(session: object) -> Sheet:
        sheet = look(session, upload, devices, {"car": "うちの車"}, labels, world.clock())  # type: ignore[arg-type]
        if store:
            keep_sheet(session, sheet, devices, world.clock())  # type: ignore[arg-type]
        return sheet

    return world.database.write_now(work)


@pytest.fixture(autouse=True)
def devices(world: World) -> None:
    world.registry.add("car", "ev", key=b"")
    world.registry.add("plant", "pv")


@pytest.mark.function("E3b")
def test_the_dry_run_stores_nothing_and_the_same_file_twice_is_nothing(world: World) -> None:
    rows = 'うちの車,distance,2026-06-01 00:00,0\ncar,distance,2026/06/02 00:00,"41,000"\n'
    dry = seen(world, rows)
    assert (len(dry.new), dry.known, dry.problems) == (2, 0, ()) and world.readings() == {}
    seen(world, rows, store=True)
    stored = world.readings()
    assert sorted(stored.values()) == [0, 41_000], "zero is a value"
    assert world.database.read_now(lambda session: set(session.scalars(select(EcoReading.manual)))) == {True}
    again = seen(world, rows, store=True)
    assert (again.new, again.known, again.problems) == ((), 2, ()) and world.readings() == stored


@pytest.mark.function("E3b")
def test_wrong_cells_are_named_by_row_and_column(world: World) -> None:
    rows = (
        "car,distance,2026-06-01 00:00,\n"  # blank is not zero
        "plant,generated,2026-06-01 00:00,5\n"  # reports by itself
        "car,sold,2026-06-01 00:00,5\n"
        "car,distance,2026-06-01 08:15,5\n"
        "car,distance,2027-06-01 00:00,5\n"
        "car,distance,2019-06-01 00:00,5\n"
        "car,distance,2026-06-03 00:00,5\n"
        "car,distance,2026-06-03 00:00,6\n"
    )
    sheet = seen(world, rows)
    assert [(p.row, p.column) for p in sheet.problems] == [
        (2, "積算値(Wh・m・mL)"), (3, "機器"), (4, "項目"), (5, "計測日時"), (6, "計測日時"), (7, "計測日時"),
        (9, "積算値(Wh・m・mL)"),
    ]  # fmt: skip
    for problem in (p.problem for p in sheet.problems):
        assert TEXTS.text("ja", problem.key, problem.params) and TEXTS.text("en", problem.key, problem.params)
    with pytest.raises(ValueError, match="wrong cells"):
        seen(world, rows, store=True)
    assert world.readings() == {}


def test_another_value_than_the_stored_one_is_shown_and_not_taken(world: World) -> None:
    seen(world, "car,distance,2026-06-01 00:00,100\n", store=True)
    sheet = seen(world, "car,distance,2026-06-01 00:00,200\n")
    assert [p.problem.key for p in sheet.problems] == ["intake.contradicts"]
    assert list(world.readings().values()) == [100]
