"""Role x function (E9): who may open which page of the eco-point application. A page without a row here fails."""

from __future__ import annotations

import pytest

from apps.common.web import EVERYBODY, SIGNED_IN
from apps.ecopoints.signing import ADMIN, MEMBER, OFFICER, ROLES, SHOP, VERIFIER
from tests.apps.common import checks
from tests.apps.ecopoints.town import Town

LETTERS = {"M": MEMBER, "S": SHOP, "O": OFFICER, "V": VERIFIER, "A": ADMIN}
ALL, IN = "everybody", "signed in"

MATRIX = {
    # The kit's pages.
    "sent": ALL, "live": ALL, "story": ALL, "proof": ALL, "sign_in": ALL, "register": ALL, "confirm": ALL,
    "forgot": ALL, "reset": ALL, "sign_out": IN, "change_password": IN, "accounts": "A", "account_new": "A",
    "account_edit": "A", "account_delete": "A", "mails": "OA", "access_log": "A",
    "home": ALL,
    # Members, their devices, values and documents.
    "mine": "M", "join": "M", "leave": "M", "applications": "OA", "application_accept": "O", "application_return": "O",
    "members": "OA", "member": "MOVA", "member_new": "O", "member_edit": "O", "member_remove": "O", "entries": "MOVA",
    "devices": "OVA", "device": "MOVA", "new_solar": "O", "new_car": "O", "new_generator": "O", "new_meter": "O",
    "device_key": "O", "device_retire": "O", "enter_solar": "MO", "enter_car": "MO", "enter_generator": "MO",
    "enter_meter": "MO", "upload": "MO", "upload_form": "MO", "upload_look": "MO", "documents": "MOVA",
    "document": "MOVA", "document_file": "MOVA", "document_new": "MO", "document_delete": "MO",
    "quarantine": "OVA", "quarantine_month": "OVA", "quarantine_review": "O", "totals": "OVA", "totals_csv": "OVA",
    # Periods, rules, grants and credits.
    "periods": "OVA", "period": "OVA", "period_devices": "OVA", "corrections": "OVA", "period_open": "O",
    "period_close": "O", "period_settle": "O", "rules": "OVA", "rule": "OVA", "rule_new": "O", "rule_end": "O",
    "grant": "OVA", "grant_propose": "O", "grant_release": "O", "credits": "OVA", "credits_csv": "OVA",
    "application": "OVA", "credit_apply": "O", "credit_register": "O", "credit_reject": "O", "credit_sell": "O",
    "export": "OVA", "export_zip": "OVA", "export_committee": "O",
    "sample": "OVA", "evidence": "OVA", "evidence_readings": "OVA", "reading_proof": "OVA",
    # Points.
    "points": "M", "points_history": "M", "points_pay": "M", "points_payments": "M", "points_payment": "MSOA",
    "points_cancel": "M", "points_till": "S", "points_take": "S", "points_confirm": "S", "points_refund": "S",
    "points_statements": "SOA", "points_close": "S", "points_statement": "SOA", "points_statement_csv": "SOA",
    "points_statement_pdf": "SOA", "points_approve": "O", "points_reject": "O", "points_burn": "O", "points_paid": "O",
    "points_rewards": "MOA", "points_reward_new": "OA", "points_reward_edit": "OA", "points_restock": "OA",
    "points_redeem": "M", "points_redemptions": "MOA", "points_redemption": "MOA", "points_order_cancel": "M",
    "points_fetch": "O", "points_hand_out": "O", "points_shops": "OA", "points_shop_open": "OA",
    "points_shop_close": "OA", "points_totals": "OA",
}  # fmt: skip
"""Page -> who may open it: letters of roles."""


@pytest.mark.function("E9a")
async def test_every_page_is_for_the_roles_of_its_row_and_no_page_lacks_one(town: Town) -> None:
    assert set(LETTERS.values()) == set(ROLES)
    assert {name: _who(page.roles) for name, page in town.kit.pages.items()} == MATRIX


def _who(roles: frozenset[str]) -> str:
    if roles == EVERYBODY:
        return ALL
    if roles == SIGNED_IN:
        return IN
    return "".join(letter for letter, role in LETTERS.items() if role in roles)


@pytest.mark.function("E9a")
async def test_no_page_opens_for_the_wrong_role(town: Town) -> None:
    assert await checks.denial_faults(town.running, ROLES) == []
