"""The real contract behind the volunteers' application: the accounts that it signs for."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.common.chain import Keyring
from apps.volunteers.accounts import chain_accounts
from ledger.registry import Account
from tests.apps.common import contract_chain
from tests.contracts.world import HACHIOJI, TACHIKAWA, World, account, key_of

MUNICIPALITIES = (HACHIOJI, TACHIKAWA)


def accounts() -> list[Account]:
    """Each municipality's application and administrator, and two officers with accounts of their own."""
    return [account(plan.account, plan.organisation, *plan.roles) for plan in chain_accounts(MUNICIPALITIES)]


def keyring() -> Keyring:
    return Keyring({a.account_id: key_of(a.account_id) for a in accounts()})


@dataclass
class CorpsChain(contract_chain.ContractChain):
    """With the accounts of the volunteers' application."""

    world: World = field(default_factory=lambda: World(*accounts()))
