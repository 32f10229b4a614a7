"""Lists of revoked and of suspended certificates (https://www.w3.org/TR/vc-bitstring-status-list/).

A list is a credential with one bit a certificate. Whoever checks a certificate takes the whole list, so that the issuer
does not learn which one was asked about.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from apps.volunteers.credentials.did import DidDocument
from apps.volunteers.credentials.findings import StaleStatusList, WrongStatusList, text_of
from apps.volunteers.credentials.integrity import ASSERTION, ProofOptions, Proved, add_proof, check_proof
from apps.volunteers.credentials.jcs import JsonObject
from apps.volunteers.credentials.multibase import decode_u, encode_public_key, encode_u
from apps.volunteers.credentials.times import read_stamp, write_stamp
from ledger.crypto import SigningKey
from ledger.refusal import BrokenInvariant

CONTEXT = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL, LIST, ENTRY = "BitstringStatusListCredential", "BitstringStatusList", "BitstringStatusListEntry"
REVOCATION, SUSPENSION = "revocation", "suspension"
PURPOSES = (REVOCATION, SUSPENSION)
LIST_ENTRIES = 131_072
"""16 kB: the least that the Recommendation allows, so that an entry hides among many."""
MAX_LIST_BYTES = 1024 * 1024
CLOCK_SKEW_MS = 5 * 60 * 1000
"""By how much a list may seem to come from the future: clocks of those who check are not exact."""
GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\x03"
"""No name, no time: what is made again is the same (RFC 1952)."""


# -- bits --------------------------------------------------------------------------------------------------------------


def encode_list(indices: Iterable[int]) -> str:
    """The list whose bits at `indices` are set. The same set is the same text, as long as zlib is the same."""
    bits = bytearray(LIST_ENTRIES // 8)
    for index in indices:
        if not 0 <= index < LIST_ENTRIES:
            raise BrokenInvariant(f"status index {index} is not of this list")
        bits[index // 8] |= 0x80 >> (index % 8)  # index 0 is the left-most bit
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(bytes(bits)) + deflate.flush()
    trailer = zlib.crc32(bits).to_bytes(4, "little") + len(bits).to_bytes(4, "little")
    return encode_u(GZIP_HEADER + packed + trailer)


def decode_list(text: str) -> bytes:
    """The bits; `ValueError` if it is no list, too short, or unpacks to more than a list can have."""
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        bits = unpack.decompress(decode_u(text), MAX_LIST_BYTES)
    except zlib.error as error:
        raise ValueError(f"encodedList: {error}") from None
    if not unpack.eof or unpack.unused_data:
        raise ValueError("encodedList: cut off, too long, or followed by something else")
    if len(bits) * 8 < LIST_ENTRIES:
        raise ValueError(f"encodedList: {len(bits) * 8} entries are fewer than {LIST_ENTRIES}")
    return bits


# -- the credential ----------------------------------------------------------------------------------------------------


def entry_of(url: str, purpose: str, status_index: int) -> JsonObject:
    """What a certificate says about where it stands in the list at `url`."""
    index = status_index % LIST_ENTRIES
    return {
        "id": f"{url}#{index}",
        "type": ENTRY,
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": url,
    }


@dataclass(frozen=True, slots=True)
class ListTerms:
    """Which list is made, by whom and for how long it counts."""

    url: str
    purpose: str
    issuer: str
    valid_from_ms: int
    valid_until_ms: int


def issue_list(indices: Iterable[int], terms: ListTerms, key: SigningKey) -> JsonObject:
    """The signed list with the bits at `indices` set (counted within this list)."""
    document: JsonObject = {
        "@context": [CONTEXT],
        "id": terms.url,
        "type": ["VerifiableCredential", CREDENTIAL],
        "issuer": terms.issuer,
        "validFrom": write_stamp(terms.valid_from_ms),
        "validUntil": write_stamp(terms.valid_until_ms),
        "credentialSubject": {
            "id": f"{terms.url}#list",
            "type": LIST,
            "statusPurpose": terms.purpose,
            "encodedList": encode_list(indices),
        },
    }
    method = f"{terms.issuer}#{encode_public_key(key.public_key)}"
    return add_proof(document, key, ProofOptions(method, terms.valid_from_ms))


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list whose proof holds and that counts now."""

    url: str
    purposes: tuple[str, ...]
    made_ms: int
    bits: bytes

    def is_set(self, index: int) -> bool:
        """Whether the certificate at `index` of this list is revoked (or suspended, as the purpose is)."""
        return bool(self.bits[index // 8] & 0x80 >> (index % 8))


class _Subject(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    status_purpose: str | tuple[str, ...]
    encoded_list: str


class _Issuer(msgspec.Struct, frozen=True):
    id: str


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: tuple[str, ...]
    issuer: str | _Issuer
    credential_subject: _Subject
    valid_from: str
    valid_until: str


def list_id(secured: JsonObject) -> str:
    """The address that a list claims to be of, unchecked: to find the list that a certificate names."""
    found = secured.get("id")
    return found if isinstance(found, str) else ""


def read_list(secured: JsonObject, issuer: DidDocument, now_ms: int) -> StatusList | WrongStatusList | StaleStatusList:
    """The list, if `issuer` signed it and it counts now."""
    url = list_id(secured)[:500]
    proved = check_proof(secured, issuer, ASSERTION, now_ms)
    if not isinstance(proved, Proved):
        return WrongStatusList(url, text_of(proved, "en"))
    try:
        found = msgspec.convert(proved.document, _Document)
        made_ms, until_ms = read_stamp(found.valid_from), read_stamp(found.valid_until)
        bits = decode_list(found.credential_subject.encoded_list)
    except ValueError as error:  # msgspec's is one
        return WrongStatusList(url, str(error)[:200])
    if CREDENTIAL not in found.type or found.credential_subject.type != LIST:
        return WrongStatusList(url, f"it is no {CREDENTIAL}")
    if (found.issuer if isinstance(found.issuer, str) else found.issuer.id) != issuer.did:
        return WrongStatusList(url, "its issuer is not who signed it")
    if until_ms < now_ms:
        return StaleStatusList(url, until_ms)
    if made_ms > now_ms + CLOCK_SKEW_MS:
        return WrongStatusList(url, f"it counts only from {found.valid_from} on")
    purpose = found.credential_subject.status_purpose
    return StatusList(url, (purpose,) if isinstance(purpose, str) else purpose, made_ms, bits)
