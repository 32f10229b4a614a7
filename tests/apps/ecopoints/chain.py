"""The real contract behind the eco-point application: the accounts that it signs for."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.common.chain import Keyring
from apps.ecopoints.signing import admin_account, app_account, gateway_account
from ledger.registry import Account
from tests.apps.common import contract_chain
from tests.contracts.world import HACHIOJI, TACHIKAWA, World, account, key_of

MUNICIPALITIES = (HACHIOJI, TACHIKAWA)


def accounts() -> list[Account]:
    """Each municipality's administrator, application and gateway, and two officers with accounts of their own."""
    found = []
    for code in MUNICIPALITIES:
        found.append(account(admin_account(code), code, "ecopoints.admin"))
        found.append(account(app_account(code), code, "ecopoints.app"))
        found.append(account(gateway_account(code), code, "ecopoints.gateway"))
        found += [account(f"eco-officer-{n}.{code}", code, "ecopoints.officer") for n in (1, 2)]
    return found


def keyring() -> Keyring:
    return Keyring({a.account_id: key_of(a.account_id) for a in accounts()})


@dataclass
class EcoChain(contract_chain.ContractChain):
    """With the accounts of the eco-point application."""

    world: World = field(default_factory=lambda: World(*accounts()))
