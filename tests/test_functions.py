"""Every function id that a test carries must exist in the table, so that a typing error cannot hide a missing test."""

from __future__ import annotations

from tests import functions


def test_every_id_that_a_test_carries_is_in_the_table() -> None:
    known = {b.id for b in functions.behaviours()}
    assert set(functions.tests_by_id()) <= known


def test_the_table_names_every_behaviour_once() -> None:
    ids = [b.id for b in functions.behaviours()]
    assert len(ids) == len(set(ids))
    assert {i[0] for i in ids} == {"D", "E", "V", "X"}
