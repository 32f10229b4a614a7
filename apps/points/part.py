"""The pages of points as a part of an application's site.

    POINTS = Use(
        contract=ECOPOINTS, app_call=app_call, officer_call=officer_call, admin_call=admin_call,
        residents=MEMBERS, shops=SHOPS, officers=OFFICERS, admins=ADMINS,
    )
    Site(..., parts=(part(POINTS),), navigation=("home", *NAVIGATION, "accounts"))

That is all: pages, texts in both languages, sentences of the stories, tables with their migrations, the copy of the
chain and what follows from its answers come with it. The application's own texts and templates lie over these. A
resident's account is opened by the application's contract (with the member or volunteer), under `User.pseudonym`; a
shop's by an officer on the page `points_shops`, for each user with a shop's role and the officer's municipality. Link
to `url("points")` (a resident's balance) and `url("points_till")` (a shop's day) from pages of your own.
`source_story` leads from the source that the contract gave to `accounts.issue` to the story behind it.
"""

from __future__ import annotations

from pathlib import Path

from apps.common.application import Part
from apps.points import office, payments, redemptions, residents, rewards, shops, statement_files, statements
from apps.points.codes import keep_code
from apps.points.use import Use

HERE = Path(__file__).parent
GROUPS = (residents, payments, shops, statements, statement_files, rewards, redemptions, office)
NAVIGATION = ("points", "points_till", "points_rewards", "points_statements", "points_shops", "points_totals")
"""For the menu: each visitor sees those that they may open."""


def part(use: Use) -> Part:
    """The pages and all that belongs to them; `Use` says how the application signs and who is who."""
    return Part(
        pages=tuple(page for group in GROUPS for page in group.pages(use)),
        catalogue=HERE / "catalogue",
        templates=HERE / "templates",
        migrations=HERE / "migrations",
        follow_ups={payments.PAY: keep_code, redemptions.REDEEM: keep_code},
        background=(use.copy.keep,),
    )
