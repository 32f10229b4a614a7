"""Who signs what: shelters and municipalities with accounts of their own, supporters through the application's.

Supporters need no permission and are no members of the ledger; the application acts for them under their pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.common.mail import SentMail
from apps.common.outbox import Call
from apps.common.personal import Viewed
from apps.common.tables import User
from ledger.encoding import Value

CONTRACT = "donations"
APP = "app.donations"

SUPPORTER = "supporter"
SHELTER = "shelter"
OFFICER = "officer"
ADMIN = "admin"
ROLES = (SUPPORTER, SHELTER, OFFICER, ADMIN)

RECEIVING = frozenset({SHELTER, OFFICER})
MUNICIPAL = frozenset({SHELTER, OFFICER, ADMIN})
OFFICERS = frozenset({OFFICER})
ADMINS = frozenset({ADMIN})
SUPPORTERS = frozenset({SUPPORTER})

MAIL_KINDS = frozenset({"offer_registered", "shipped", "request", "received"})
"""D8: the mails that the chain records."""


def staff_account(municipality: str) -> str:
    """The municipality's account for shelters that have none of their own; the application knows who sits where."""
    return f"staff.{municipality}"


def account_of(user: User, role: str) -> str:
    """The chain account that signs what `user` does in `role`."""
    match role:
        case "officer" | "admin":
            return f"{role}.{user.organisation}"
        case "shelter":
            return user.chain_account or staff_account(user.organisation)
        case _:
            return APP


def receiving_role(user: User) -> str:
    """In which role somebody of the receiving side acts: an officer's reaches further."""
    return OFFICER if OFFICER in user.roles else SHELTER


def receiving_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(account_of(user, receiving_role(user)), CONTRACT, method, arguments)


def officer_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(account_of(user, OFFICER), CONTRACT, method, arguments)


def admin_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(account_of(user, ADMIN), CONTRACT, method, arguments)


def app_call(method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(APP, CONTRACT, method, arguments)


def record_mail(sent: SentMail) -> Call | None:
    """D8e. `reference` is `offer:…` or `request:…`."""
    if sent.kind not in MAIL_KINDS:
        return None
    about = sent.reference.partition(":")[2]
    return app_call(
        "record_mail", {"mail": sent.code, "kind": sent.kind, "recipient": sent.recipient_hash, "about": about}
    )


def record_view(viewed: Viewed) -> Call:
    """X5."""
    return app_call(
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
