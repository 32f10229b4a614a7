"""Who signs what: each municipality has an account of its application, one of its administrator, one for each officer.

Volunteers, requesters and shops are no members of the ledger; their municipality's application acts for them under
their pseudonym. Officers sign with accounts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.common.mail import SentMail
from apps.common.outbox import Call
from apps.common.personal import Viewed
from apps.common.tables import User
from apps.volunteers.accounts import admin_account, app_account
from contracts.volunteers.types import VOLUNTEERS
from ledger.encoding import Value

VOLUNTEER = "volunteer"
REQUESTER = "requester"
FACILITY = "facility"
SHOP = "shop"
OFFICER = "officer"
ADMIN = "admin"
ROLES = (VOLUNTEER, REQUESTER, FACILITY, SHOP, OFFICER, ADMIN)

ASKING = frozenset({REQUESTER, FACILITY})
"""Residents who want a small hand, and facilities."""
OFFICERS = frozenset({OFFICER})
ADMINS = frozenset({ADMIN})
MUNICIPAL = frozenset({OFFICER, ADMIN})

MAIL_KINDS = frozenset({
    "registered", "returned", "certificate", "accepted", "waiting", "promoted", "declined", "cancelled", "asked",
    "consent", "confirmed", "points",
})  # fmt: skip
"""V9: the mails that the chain records, each about a volunteer."""


def app_call(municipality: str, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(app_account(municipality), VOLUNTEERS, method, arguments)


def officer_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    """Signed by the officer's own account; administrators give each officer one."""
    return Call(user.chain_account, VOLUNTEERS, method, arguments)


def admin_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(admin_account(user.organisation), VOLUNTEERS, method, arguments)


def requester_of(user: User) -> str:
    """Under which pseudonym somebody asks for help: another one than that of a volunteer who also asks."""
    return f"{user.pseudonym}-r"


def mail_reference(municipality: str, volunteer: str, about: str = "") -> str:
    """What a mail tells of, so that `record_mail` finds it again."""
    return f"{municipality}:{volunteer}:{about}"


def record_mail(sent: SentMail) -> Call | None:
    """V9. `reference` is that of `mail_reference`."""
    if sent.kind not in MAIL_KINDS:
        return None
    municipality, volunteer, about = sent.reference.split(":", 2)
    named: dict[str, Value] = {"mail": sent.code, "kind": sent.kind, "recipient": sent.recipient_hash}
    return app_call(municipality, "record_mail", {**named, "volunteer": volunteer, "about": about})


def record_view(viewed: Viewed) -> Call:
    """X5."""
    return app_call(
        viewed.organisation,
        "record_view",
        {
            "viewer": viewed.pseudonym,
            "municipality": viewed.organisation,
            "kind": viewed.kind.replace("_", "-"),
            "about": viewed.about,
        },
    )


def access_subject(user: User) -> str:
    return f"access:{user.organisation}"
