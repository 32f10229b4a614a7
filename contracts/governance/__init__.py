"""Governance: who takes part, who votes, and which rules are in force, changed by a quorum of the organisations."""

from contracts.governance.contract import Governance

__all__ = ["Governance"]
