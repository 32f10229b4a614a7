"""The accounts of the chain with which the application of a municipality signs, and those of its officers."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.volunteers.transitions import ADMIN, APP, OFFICER
from edge.init import AccountPlan


def app_account(municipality: str) -> str:
    """Acts for the municipality's volunteers, requesters and shops."""
    return f"vol-app.{municipality}"


def admin_account(municipality: str) -> str:
    return f"vol-admin.{municipality}"


def officer_account(number: int, municipality: str) -> str:
    """In the demonstration; elsewhere officers' accounts have any name."""
    return f"vol-officer-{number}.{municipality}"


def chain_accounts(codes: Sequence[str]) -> list[AccountPlan]:
    """Of each municipality: its application and administrator, and two officers."""
    found = []
    for code in codes:
        found.append(AccountPlan(app_account(code), code, (APP,)))
        found.append(AccountPlan(admin_account(code), code, (ADMIN,)))
        found += [AccountPlan(officer_account(number, code), code, (OFFICER,)) for number in (1, 2)]
    return found
