"""Steps that many stories of the handling pages have in common."""

from __future__ import annotations

import re

from apps.common.language import jst
from apps.volunteers.accounts import app_account, officer_account
from contracts.volunteers.certificates import showing_commitment
from tests.apps.common.harness import Browser, Seen
from tests.apps.volunteers.corps import DAY, HANA, HOUR, Corps
from tests.contracts.world import HACHIOJI

APP, OFFICER = app_account(HACHIOJI), officer_account(1, HACHIOJI)


def last_part(page: Seen, prefix: str) -> str:
    """The id in the address of the page, which must be the page of a record."""
    found = re.search(re.escape(prefix) + r"([a-z]+-[0-9a-z-]+)$", page.url)
    assert found is not None and page.status == 200, (page.status, page.url, page.main[:800])
    return found[1]


def typed(ms: int) -> str:
    return jst(ms).strftime("%Y-%m-%d %H:%M")


async def confirm(browser: Browser, changes: dict[str, str] | None = None) -> Seen:
    """Fill in the form of the page, look at the review, send it."""
    page = await browser.send(changes or {})
    assert page.status == 200, (page.status, page.main[:800])
    return await browser.send({"step": "confirm"})


def help_form(corps: Corps, starts_in: int = DAY, **more: str) -> dict[str, str]:
    starts = corps.clock() // HOUR * HOUR + starts_in
    return {
        "subject": "居間の電球の交換", "kind": "lightbulb", "starts": typed(starts), "ends": typed(starts + HOUR),
        "place": "north", "address": "八王子市元本郷町9-99", "details": "脚立はあります", **more,
    }  # fmt: skip


def published(corps: Corps, requester: str, *, starts_in: int = HOUR, capacity: int = 1, minutes: int = 120) -> str:
    """A posting of a requester that is open, past the pages."""
    starts = corps.clock() + starts_in
    made = corps.act(
        OFFICER, "post", kind="garden", place="north", starts_ms=starts, ends_ms=starts + minutes * 60_000,
        withdraw_until_ms=starts, capacity=capacity, requester=requester,
    )  # fmt: skip
    return str(made["posting"])


def begun(corps: Corps, volunteer: str, requester: str, *, minutes: int = 120) -> str:
    """An activity that has begun: the volunteer applied, came and showed the certificate."""
    posting = published(corps, requester, minutes=minutes)
    corps.act(APP, "apply", posting=posting, volunteer=volunteer)
    corps.clock.forward(HOUR)
    certificate = corps.row("volunteer", volunteer=volunteer)["volunteer"]["certificate"]
    code = f"code-of-{posting}"
    corps.act(APP, "show_certificate", certificate=certificate, commitment=showing_commitment(code))
    return str(corps.act(APP, "check_in", posting=posting, code=code, requester=requester)["activity"])


def reported(corps: Corps, requester: str, volunteer: str, *, minutes: int = 120) -> str:
    activity = begun(corps, volunteer, requester, minutes=minutes)
    corps.clock.forward(minutes * 60_000)
    corps.act(APP, "check_out", activity=activity, requester=requester)
    corps.act(APP, "report", activity=activity, requester=requester, outcome="well")
    return activity


def rule(corps: Corps, **more: int) -> str:
    asked: dict[str, object] = {"points": 100, "first_day": "2027-01-01", "last_day": "2027-12-31", **more}
    return str(corps.act(OFFICER, "set_rule", **asked)["rule"])  # type: ignore[arg-type]


def volunteers(corps: Corps) -> str:
    """Hana, who knows Vietnamese."""
    return corps.volunteer(HANA, "vietnamese")
