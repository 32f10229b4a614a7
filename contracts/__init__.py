"""The contracts of this build."""

from __future__ import annotations

from contracts.donations import Donations
from contracts.ecopoints import EcoPoints
from contracts.governance import Governance
from contracts.volunteers import Volunteers
from ledger.contract import Runtime


def runtime() -> Runtime:
    """The runtime with every contract in every version that this build has."""
    return Runtime([Governance(), Donations(), EcoPoints(), Volunteers()])
