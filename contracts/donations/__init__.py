"""Matching of relief supplies (災害時の支援物資マッチング): needs, pledges, offers, requests, shipments, arrivals."""

from contracts.donations.contract import Donations

__all__ = ["Donations"]
