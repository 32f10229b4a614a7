"""Who signs what: each municipality has an account of its application, one of its gateway, and one for each officer.

Members and shops are no members of the ledger; their municipality's application acts for them under their pseudonym.
Officers sign with accounts of their own, because the contract asks for two different ones where money is at stake.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.common.outbox import Call
from apps.common.personal import Viewed
from apps.common.tables import User
from contracts.ecopoints.types import ECOPOINTS
from ledger.encoding import Value

MEMBER = "member"
SHOP = "shop"
OFFICER = "officer"
VERIFIER = "verifier"
ADMIN = "admin"
ROLES = (MEMBER, SHOP, OFFICER, VERIFIER, ADMIN)

MEMBERS = frozenset({MEMBER})
SHOPS = frozenset({SHOP})
OFFICERS = frozenset({OFFICER})
ADMINS = frozenset({ADMIN})
MUNICIPAL = frozenset({OFFICER, ADMIN})
READERS = frozenset({OFFICER, VERIFIER, ADMIN})


def app_account(municipality: str) -> str:
    """Acts for the municipality's members and shops."""
    return f"eco-app.{municipality}"


def gateway_account(municipality: str) -> str:
    """Writes the municipality's batches of readings."""
    return f"eco-gateway.{municipality}"


def admin_account(municipality: str) -> str:
    return f"eco-admin.{municipality}"


def app_call(municipality: str, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(app_account(municipality), ECOPOINTS, method, arguments)


def officer_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    """Signed by the officer's own account; administrators give each officer one."""
    return Call(user.chain_account, ECOPOINTS, method, arguments)


def admin_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    return Call(admin_account(user.organisation), ECOPOINTS, method, arguments)


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
