"""Who may ask how often, and who may read: token buckets in a bounded table, bearer tokens by their hash."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from edge.http.settings import HttpSettings, Rate

MAX_BUCKETS = 10_000
"""Addresses or accounts remembered at a time; the one unheard of for longest is forgotten."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_ms: int


class TokenBuckets:
    """One bucket for each key. Pure: time is passed in, by a clock that never goes back."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_ms(self, key: str, now_ms: int) -> int:
        """How long until `key` may take a token: 0 if it may now."""
        bucket = self._buckets.get(key)
        tokens = self._rate.burst if bucket is None else self._filled(bucket, now_ms)
        return 0 if tokens >= 1 else int((1 - tokens) * 1000 / self._rate.per_s) + 1

    def take(self, key: str, now_ms: int, count: int = 1) -> bool:
        """Take `count` tokens; False if there is none. What there is not yet is owed: later requests wait for it."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = _Bucket(self._rate.burst, now_ms)
        bucket.tokens = self._filled(bucket, now_ms)
        bucket.at_ms = now_ms
        self._buckets.move_to_end(key)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= count
        return True

    def _filled(self, bucket: _Bucket, now_ms: int) -> float:
        gained = max(0, now_ms - bucket.at_ms) * self._rate.per_s / 1000
        return min(self._rate.burst, bucket.tokens + gained)


class ReadPolicy:
    """Reads are open on loopback; beyond it the configuration says who may read."""

    def __init__(self, settings: HttpSettings) -> None:
        self._reads = settings.reads
        self._hashes = {name: bytes.fromhex(digest) for name, digest in settings.read_tokens.items()}

    def reader(self, address: str | None, *, forwarded: bool, authorization: str | None) -> str | None:
        """Who reads (`loopback`, `everybody`, or the organisation whose token it is); None if they may not.

        `forwarded`: a proxy on this machine speaks for somebody elsewhere, so its address says nothing.
        """
        if self._reads == "everybody":
            return "everybody"
        if is_loopback(address) and not forwarded:
            return "loopback"
        if self._reads == "tokens" and authorization is not None:
            return self._organisation(authorization)
        return None

    def _organisation(self, authorization: str) -> str | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        digest = hashlib.sha256(token.strip().encode()).digest()
        found = None
        # Every hash is compared, each in constant time: how long it takes tells nothing.
        for name, expected in self._hashes.items():
            if hmac.compare_digest(digest, expected):
                found = name
        return found


def is_loopback(address: str | None) -> bool:
    """Whether the peer is on this machine."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
