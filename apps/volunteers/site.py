"""The volunteers' application put together: pages, menus, what follows from the chain's answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apps.common.application import Site
from apps.volunteers import home, mails
from apps.volunteers.copy import COPY
from apps.volunteers.handling import candidates, people, postings, rules, work
from apps.volunteers.signing import ADMIN, OFFICER, ROLES, VOLUNTEER, access_subject, record_mail, record_view
from ledger.refusal import Text

HERE = Path(__file__).parent


def make_site(municipalities: Mapping[str, Text]) -> Site:
    """`municipalities`: the organisations of the chain, by code, with their names."""
    return Site(
        name="volunteers",
        pages=(
            *home.PAGES, *postings.PAGES, *candidates.PAGES, *work.PAGES, *rules.PAGES, *people.PAGES,
        ),
        navigation=(
            "home", "help", "candidates", "asks", "office_postings", "reports", "office_volunteers", "rules",
            "accounts", "mails", "access_log",
        ),
        catalogue=HERE / "catalogue",
        texts={f"municipality.{code}": name for code, name in municipalities.items()},
        templates=HERE / "templates",
        migrations=HERE / "migrations",
        roles=ROLES,
        registers_as=VOLUNTEER,
        administrators=frozenset({ADMIN}),
        officers=frozenset({ADMIN, OFFICER}),
        auditors=frozenset({ADMIN}),
        access_subject=access_subject,
        follow_ups={},
        record_mail=record_mail,
        record_view=record_view,
        background=(COPY.keep, mails.tell),
    )  # fmt: skip
