"""The real contract behind the relief application: the accounts that it signs for."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.common.chain import Keyring
from apps.donations.signing import APP, staff_account
from ledger.registry import Account
from tests.apps.common import contract_chain
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA, World, account, key_of

MUNICIPALITIES = (HACHIOJI, TACHIKAWA, OSHIMA)


def accounts() -> list[Account]:
    """What the application signs for: itself, and each municipality's administrator, officer and shelter staff."""
    found = [account(APP, HACHIOJI, "donations.app")]
    for code in MUNICIPALITIES:
        found.append(account(f"admin.{code}", code, "donations.admin"))
        found.append(account(f"officer.{code}", code, "donations.officer"))
        found.append(account(staff_account(code), code, "donations.shelter"))
    return found


def keyring() -> Keyring:
    return Keyring({a.account_id: key_of(a.account_id) for a in accounts()})


@dataclass
class ContractChain(contract_chain.ContractChain):
    """With the accounts of the relief application."""

    world: World = field(default_factory=lambda: World(*accounts()))
