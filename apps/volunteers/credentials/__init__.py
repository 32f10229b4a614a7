"""Volunteer certificates as W3C Verifiable Credentials: made, checked offline, shown once, printed (V5)."""
