"""The relief-supplies application put together: pages, menus, what follows from the chain's answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apps.common.application import Site
from apps.donations import arrivals, home, masters, masters_files, needs, offers, paper, receive, requests, stock
from apps.donations.copy import COPY
from apps.donations.signing import (
    ADMIN,
    OFFICER,
    ROLES,
    SUPPORTER,
    access_subject,
    record_mail,
    record_view,
)
from ledger.refusal import Text

HERE = Path(__file__).parent


def make_site(municipalities: Mapping[str, Text]) -> Site:
    """`municipalities`: the organisations of the chain, by code, with their names."""
    return Site(
        name="donations",
        pages=(
            *home.PAGES, *needs.PAGES, *offers.PAGES, *requests.PAGES, *receive.PAGES, *arrivals.PAGES,
            *masters.PAGES, *masters_files.PAGES, *stock.PAGES, *paper.PAGES,
        ),
        navigation=(
            "home", "needs", "offers", "mine", "requests", "scan", "arrivals", "situation", "stock", "shelters",
            "items", "accounts", "mails", "access_log",
        ),
        catalogue=HERE / "catalogue",
        texts={f"municipality.{code}": name for code, name in municipalities.items()},
        templates=HERE / "templates",
        static=HERE / "static",
        migrations=HERE / "migrations",
        roles=ROLES,
        registers_as=SUPPORTER,
        administrators=frozenset({ADMIN}),
        officers=frozenset({ADMIN, OFFICER}),
        auditors=frozenset({ADMIN}),
        access_subject=access_subject,
        follow_ups={
            "pledge": offers.offered,
            "offer": offers.offered,
            "request": requests.requested,
            "ship": requests.shipped,
            "receive": receive.received,
        },
        record_mail=record_mail,
        record_view=record_view,
        background=(COPY.keep, offers.lapse),
    )  # fmt: skip
