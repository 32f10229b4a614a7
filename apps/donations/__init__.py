"""Matching of relief supplies after a disaster (災害時の支援物資マッチング): FUNCTIONS D1 to D13."""
