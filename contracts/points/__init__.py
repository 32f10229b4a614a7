"""ポイント: the points ledger that contracts share: accounts, lots, payments, settlement of shops, rewards.

A contract inherits `PointsContract`, adds `PointsReason` to its reasons, and grants points by `issue`.
"""

from contracts.points.accounts import close_account, issue, open_account, reverse
from contracts.points.codes import commitment
from contracts.points.contract import PointsContract
from contracts.points.reasons import PointsReason

__all__ = ["PointsContract", "PointsReason", "close_account", "commitment", "issue", "open_account", "reverse"]
