"""All pages of members and of what their municipality does for them, and what follows from the chain's answers."""

from __future__ import annotations

from apps.ecopoints.people import (
    devices,
    documents,
    joining,
    members,
    mine,
    quarantine,
    totals,
    uploads,
    values,
)

PAGES = (
    *mine.PAGES, *joining.PAGES, *members.PAGES, *devices.PAGES, *values.PAGES, *uploads.PAGES, *documents.PAGES,
    *quarantine.PAGES, *totals.PAGES,
)  # fmt: skip
FOLLOW_UPS = {**joining.FOLLOW_UPS, **members.FOLLOW_UPS}
