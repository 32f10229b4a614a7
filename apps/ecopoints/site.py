"""The eco-point application put together: pages, menus, what follows from the chain's answers, what runs by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apps.common.application import Site
from apps.ecopoints import home
from apps.ecopoints.books import credits, grants, periods, rules
from apps.ecopoints.copy import COPY
from apps.ecopoints.export import pages as export
from apps.ecopoints.intake.batcher import WRITE_KIND
from apps.ecopoints.intake.mqtt import Broker
from apps.ecopoints.people import keeping
from apps.ecopoints.people import pages as people
from apps.ecopoints.signing import (
    ADMIN,
    ADMINS,
    MEMBER,
    MEMBERS,
    OFFICER,
    OFFICERS,
    ROLES,
    SHOPS,
    access_subject,
    admin_call,
    app_call,
    officer_call,
    record_view,
)
from apps.ecopoints.verifying import pages as verifying
from apps.ecopoints.working import attach_intake, expire_points, record_readings, settle_batch, take_messages
from apps.points.part import NAVIGATION, part
from apps.points.use import Use
from contracts.ecopoints.types import ECOPOINTS
from ledger.refusal import Text

HERE = Path(__file__).parent


def source_story(source: str) -> str:
    """Points come from a period by a rule, or from a correction."""
    period, _, rule = source.partition("/")
    return f"period:{period}" if period != "correction" else f"rule:{rule}"


POINTS = Use(
    contract=ECOPOINTS, app_call=app_call, officer_call=officer_call, admin_call=admin_call, residents=MEMBERS,
    shops=SHOPS, officers=OFFICERS, admins=ADMINS, source_story=source_story,
)  # fmt: skip


def make_site(municipalities: Mapping[str, Text], broker: Broker | None = None) -> Site:
    """`municipalities`: the organisations of the chain, by code, with their names. `broker`: sends readings, too."""
    listening = () if broker is None else (take_messages(broker),)
    return Site(
        name="ecopoints",
        pages=(
            *home.PAGES,
            *people.PAGES,
            *periods.PAGES,
            *rules.PAGES,
            *grants.PAGES,
            *credits.PAGES,
            *export.PAGES,
            *verifying.PAGES,
        ),
        parts=(part(POINTS),),
        navigation=(
            "home",
            "mine",
            *NAVIGATION,
            "members",
            "devices",
            "documents",
            "quarantine",
            "totals",
            "periods",
            "rules",
            "credits",
            "accounts",
            "access_log",
        ),
        catalogue=HERE / "catalogue",
        texts={f"municipality.{code}": name for code, name in municipalities.items()},
        templates=HERE / "templates",
        migrations=HERE / "migrations",
        roles=ROLES,
        registers_as=MEMBER,
        administrators=frozenset({ADMIN}),
        officers=frozenset({ADMIN, OFFICER}),
        auditors=frozenset({ADMIN}),
        access_subject=access_subject,
        follow_ups={WRITE_KIND: settle_batch, **people.FOLLOW_UPS, **periods.FOLLOW_UPS, **grants.FOLLOW_UPS},
        record_view=record_view,
        background=(COPY.keep, record_readings, expire_points(municipalities), keeping.delete_kept, *listening),
        attach=attach_intake,
    )
