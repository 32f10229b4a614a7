"""Eco-points and J-Credits (地域エコポイントと J-クレジット): devices, readings, reductions, grants, credits."""

from contracts.ecopoints.contract import EcoPoints

__all__ = ["EcoPoints"]
