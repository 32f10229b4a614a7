"""The volunteers' application put together: pages, menus, what follows from the chain's answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apps.common.application import Site
from apps.points.part import NAVIGATION, part
from apps.points.use import Use
from apps.volunteers import home, mails
from apps.volunteers.copy import COPY
from apps.volunteers.handling import candidates, people, postings, rules, work
from apps.volunteers.issuing import holding, publishing
from apps.volunteers.issuing.recording import record_credentials
from apps.volunteers.signing import (
    ADMIN,
    ADMINS,
    OFFICER,
    OFFICERS,
    ROLES,
    SHOP,
    VOLUNTEER,
    access_subject,
    admin_call,
    app_call,
    officer_call,
    record_mail,
    record_view,
)
from apps.volunteers.taking_part import activities, me, showing
from contracts.volunteers.types import VOLUNTEERS
from ledger.refusal import Text

HERE = Path(__file__).parent
POINTS = Use(
    contract=VOLUNTEERS, app_call=app_call, officer_call=officer_call, admin_call=admin_call,
    residents=frozenset({VOLUNTEER}), shops=frozenset({SHOP}), officers=OFFICERS, admins=ADMINS,
    source_story=lambda source: f"activity:{source}",
)  # fmt: skip
"""Points are issued for activities: the story behind them is that of the activity."""


def make_site(municipalities: Mapping[str, Text]) -> Site:
    """`municipalities`: the organisations of the chain, by code, with their names."""
    return Site(
        name="volunteers",
        pages=(
            *home.PAGES, *activities.PAGES, *me.PAGES, *showing.PAGES, *postings.PAGES, *candidates.PAGES, *work.PAGES,
            *rules.PAGES, *people.PAGES, *holding.PAGES, *publishing.PAGES,
        ),
        navigation=(
            "home", "activities", "me", "certificate", "show", "help", "candidates", "asks", "office_postings",
            "reports", "office_volunteers", "rules", *NAVIGATION, "accounts", "mails", "access_log",
        ),
        parts=(part(POINTS),),
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
        background=(COPY.keep, mails.tell, record_credentials),
    )  # fmt: skip
