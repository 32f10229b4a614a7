"""The limits of the HTTP API and who may read: values, with defaults fit for one town hall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and so many at once."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class HttpSettings:
    reads: Literal["loopback", "tokens", "everybody"] = "loopback"
    """Who may read from beyond loopback: nobody, whoever holds a token of `read_tokens`, or everybody."""
    read_tokens: Mapping[str, str] = field(default_factory=dict)
    """Name of an organisation -> SHA-256 (hexadecimal) of its bearer token."""
    address_rate: Rate = Rate(2_000, 4_000)
    """Requests of one address beyond loopback."""
    account_rate: Rate = Rate(1_000, 5_000)
    """Transactions of one account that this node accepts."""
    max_connections: int = 2_048
    max_streams: int = 512
    """Event streams open at a time."""
    max_waiting: int = 20_000
    """Submissions that wait for their block at a time."""
    header_timeout_ms: int = 10_000
    """From the opening of a connection to the end of its first request's header."""
    body_timeout_ms: int = 10_000
    idle_timeout_ms: int = 75_000
    """Between the requests of a connection."""
    write_timeout_ms: int = 30_000
    """How long a client may leave an answer unread before it is cut off."""
    heartbeat_ms: int = 15_000
    """An event stream without events carries a comment this often."""
