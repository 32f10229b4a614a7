"""The signed packet in which a device, or its gateway, sends readings: one form for HTTP and MQTT.

The payload is the canonical byte form of a `Packet`; the device's Ed25519 key signs it in a domain of its own. The
sequence rises with each packet, so that one number is one packet for ever; packets may arrive late and in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import msgspec

from ledger.crypto import SigningKey, sha256, verify
from ledger.encoding import Wire, pack, unpack
from ledger.refusal import Reason, Refused, Text
from ledger.types import Signature, TimeMs, whole

DOMAIN = b"daicho/device-packet/1\x00"
MAX_PACKET_BYTES = 64 * 1024
MAX_READINGS = 1_500
"""A month of half hours in one packet."""
MAX_PACKETS = 1_000
MAX_VALUE = 10**15
CHECK_THREADS = 2
CHECKED_TOGETHER = 64


class PacketReading(Wire, frozen=True):
    """A register as it stood at the end of an interval (Wh, m, mL); None: the device answered that it has no data."""

    channel: Annotated[str, whole(r"[a-z][a-z_]{0,31}")]
    end_ms: TimeMs
    value: Annotated[int, msgspec.Meta(ge=0, le=MAX_VALUE)] | None


class Packet(Wire, frozen=True):
    device: Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
    sequence: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    readings: Annotated[tuple[PacketReading, ...], msgspec.Meta(min_length=1, max_length=MAX_READINGS)]


class SignedPacket(Wire, frozen=True):
    payload: Annotated[bytes, msgspec.Meta(max_length=MAX_PACKET_BYTES)]
    signature: Signature


class Packets(Wire, frozen=True):
    """What one request carries."""

    packets: Annotated[tuple[SignedPacket, ...], msgspec.Meta(min_length=1, max_length=MAX_PACKETS)]


class PacketReason(Reason):
    """Why a packet is not taken. Sending it again will not help, unless the reason says so."""

    BAD_PACKET = Text("パケットの形式が正しくありません", "the packet is malformed")
    UNKNOWN_DEVICE = Text("機器 {device} は登録されていません", "there is no device {device} in use")
    NO_KEY = Text(
        "機器 {device} には鍵が登録されていません", "the device {device} has no key: values are entered by hand"
    )
    BAD_SIGNATURE = Text("署名が機器の鍵と一致しません", "the signature is not by the device's key")
    SEQUENCE_USED = Text(
        "連番 {sequence} は別のパケットに使われています", "the sequence number {sequence} is another packet's"
    )
    NO_CHANNEL = Text("この機器に項目 {channel} はありません", "the device has no channel {channel}")
    IN_FUTURE = Text("計測時刻が未来です。機器の時計を確認してください", "it lies ahead: check the device's clock")
    REQUEST_TOO_LARGE = Text(
        "要求が大きすぎます(上限 {limit} バイト)", "the request is too large (limit {limit} bytes)"
    )
    BUSY = Text("混み合っています。しばらくして再送してください", "too busy: send the same again a little later")
    TOO_OLD = Text("計測時刻が古すぎます({days} 日以内)", "it is older than {days} days")


@dataclass(frozen=True, slots=True)
class Received:
    """A packet that could be read, with what identifies it; its signature is not checked yet."""

    packet: Packet
    digest: bytes
    signed: SignedPacket


def sign_packet(packet: Packet, key: SigningKey) -> SignedPacket:
    payload = pack(packet)
    return SignedPacket(payload, key.sign(DOMAIN + payload))


def open_packet(signed: SignedPacket) -> Received:
    """The packet inside; `Refused(BAD_PACKET)` if there is none."""
    try:
        packet = unpack(Packet, signed.payload, MAX_PACKET_BYTES)
    except Refused:
        raise Refused(PacketReason.BAD_PACKET) from None
    return Received(packet, sha256(signed.payload), signed)


def is_signed_by(received: Received, key: bytes) -> bool:
    return verify(key, DOMAIN + received.signed.payload, received.signed.signature)


class Checker:
    """Checks signatures in threads, many at a time: OpenSSL lets the other threads work meanwhile."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="packets")

    def check(self, claims: Sequence[tuple[Received, bytes]]) -> list[bool]:
        """For each packet and key, whether the key signed it."""
        parts = [claims[i : i + CHECKED_TOGETHER] for i in range(0, len(claims), CHECKED_TOGETHER)]
        return [ok for part in self._threads.map(_check_part, parts) for ok in part]

    def close(self) -> None:
        self._threads.shutdown(wait=True)


def _check_part(part: Sequence[tuple[Received, bytes]]) -> list[bool]:
    return [is_signed_by(received, key) for received, key in part]
