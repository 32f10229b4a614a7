"""The tables of transitions, and the page that prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import contracts
from contracts.volunteers.transitions import MACHINES, Machine

PAGE = (Path(__file__).parents[3] / "docs" / "volunteers.md").read_text(encoding="utf-8")
BEGIN = {"applied", "issued", "asked", "started", "published", "accepted", "waiting"}
"""Statuses in which things begin."""


def test_everything_that_leads_on_is_led_to_or_begun() -> None:
    for machine in MACHINES:
        targets = {t.target for t in machine.transitions.values()}
        for name, transition in machine.transitions.items():
            assert set(transition.sources) <= targets | BEGIN, (machine.name, name)


def test_the_page_has_every_transition_as_it_is() -> None:
    assert [row for machine in MACHINES for row in rows(machine) if row not in PAGE] == []
    assert PAGE.count("\n| ") == sum(len(m.transitions) for m in MACHINES) + len(
        ("role", "app", "officer", "admin", "of")
    )


def rows(machine: Machine[Any]) -> list[str]:
    return [
        f"| {machine.name} | {name} | {', '.join(t.sources)} | {t.target} | "
        f"{', '.join(role.rsplit('.', 1)[1] for role in t.roles) or 'follows'} |"
        for name, t in machine.transitions.items()
    ]


def test_every_transition_that_somebody_makes_is_made_by_exactly_those_in_the_contract() -> None:
    calls = {s.name: s.roles for s in contracts.runtime().specs() if s.contract == "volunteers" and s.kind == "call"}
    for machine in MACHINES:
        for name, transition in machine.transitions.items():
            if transition.roles:
                assert frozenset(transition.roles) in calls.values(), (machine.name, name)
