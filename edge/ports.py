"""Free TCP ports for networks on one machine."""

from __future__ import annotations

import random
import socket

from ledger.refusal import Reason, Refused, Text

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which systems give ports to outgoing connections: a node's port stays free while it restarts."""


class PortReason(Reason):
    TAKEN = Text(
        "ポート {port} は使用中です。--base-port で別の番号を指定してください",
        "port {port} of {host} is in use. Remedy: name other ports with --base-port",
    )
    NONE_FREE = Text(
        "{host} に連続した空きポートが {count} 個ありません", "there are no {count} free ports in a row on {host}"
    )


def is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def check_ports(host: str, base: int, count: int) -> None:
    """`Refused(PortReason.TAKEN)` if one of `count` ports from `base` on is in use."""
    for port in range(base, base + count):
        if not is_free(host, port):
            raise Refused(PortReason.TAKEN, port=port, host=host)


def free_base_port(host: str, count: int) -> int:
    """The first of `count` free ports in a row. Several networks starting at once look in different places first."""
    starts = list(range(LOWEST, HIGHEST - count, 16))
    random.shuffle(starts)
    for base in starts:
        if all(is_free(host, port) for port in range(base, base + count)):
            return base
    raise Refused(PortReason.NONE_FREE, host=host, count=count)
