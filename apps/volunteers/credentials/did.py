"""Who signs: a municipality as did:web, which publishes its document, and a holder as did:key, which is its own.

did:key: https://w3c-ccg.github.io/did-key-spec/ · did:web: https://w3c-ccg.github.io/did-method-web/ · the document's
form: https://www.w3.org/TR/cid-1.0/. Only Ed25519 keys as Multikey are known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import msgspec

from apps.volunteers.credentials.jcs import Json, JsonObject
from apps.volunteers.credentials.multibase import decode_public_key, encode_public_key
from apps.volunteers.credentials.times import read_stamp, write_stamp

DID_CONTEXT = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
KEY, WEB = "did:key:", "did:web:"
MAX_METHODS = 64
HOST = re.compile(r"[a-z0-9.-]{1,253}(%3A\d{1,5})?", re.ASCII)
SEGMENT = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class BadDid(ValueError):
    """No DID, or no document of one, that is known here. The message says why."""


@dataclass(frozen=True, slots=True)
class Method:
    """A public key under its name."""

    id: str
    public_key: bytes
    ends_ms: int | None = None
    """From when on nothing that it signed counts any more, however early it says it was signed: it was stolen."""


@dataclass(frozen=True, slots=True)
class DidDocument:
    """What a DID may sign with. `asserts`: what it states about others; `authenticates`: that it is itself."""

    did: str
    asserts: tuple[Method, ...]
    authenticates: tuple[Method, ...] = ()


# -- did:key -----------------------------------------------------------------------------------------------------------


def key_did(public_key: bytes) -> str:
    return KEY + encode_public_key(public_key)


def key_method(did: str) -> str:
    """The name of the one key of a did:key."""
    return f"{did}#{did.removeprefix(KEY)}"


def resolve_key_did(did: str) -> DidDocument:
    """The document that a did:key is; `BadDid` if it is none of an Ed25519 key."""
    if not did.startswith(KEY):
        raise BadDid(f"{did[:80]!r} is no did:key")
    try:
        public_key = decode_public_key(did.removeprefix(KEY))
    except ValueError as error:
        raise BadDid(f"{did[:80]!r}: {error}") from None
    method = Method(key_method(did), public_key)
    return DidDocument(did, (method,), (method,))


# -- did:web -----------------------------------------------------------------------------------------------------------


def web_did(base_url: str, *path: str) -> str:
    """The DID whose document is at `base_url`/`path`/did.json, or, without a path, at /.well-known/did.json."""
    parts = urlsplit(base_url)
    segments = [*filter(None, parts.path.split("/")), *path]
    did = ":".join([WEB + quote(parts.netloc.lower(), safe=""), *segments])
    web_did_url(did)  # refuses what is none
    return did


def web_did_url(did: str) -> str:
    """Where the document of a did:web is published; `BadDid` if it is no did:web."""
    host, *segments = did.removeprefix(WEB).split(":")
    if not did.startswith(WEB) or not HOST.fullmatch(host) or not all(map(SEGMENT.fullmatch, segments)):
        raise BadDid(f"{did[:120]!r} is no did:web")
    return f"https://{unquote(host)}/{'/'.join(segments or ['.well-known'])}/did.json"


def web_document(did: str, keys: Sequence[bytes], *, stolen: Sequence[tuple[bytes, int]] = ()) -> JsonObject:
    """The document to publish: every public key that ever signed a certificate which is to stay valid, newest first.

    `stolen`: keys that no longer count, each with the time from which on they do not.
    """
    methods: list[Json] = [_method(did, key) for key in keys]
    methods += [{**_method(did, key), "revoked": write_stamp(since_ms)} for key, since_ms in stolen]
    names: list[Json] = [f"{did}#{encode_public_key(key)}" for key in (*keys, *(key for key, _ in stolen))]
    return {"@context": list(DID_CONTEXT), "id": did, "verificationMethod": methods, "assertionMethod": names}


def _method(did: str, public_key: bytes) -> JsonObject:
    name = encode_public_key(public_key)
    return {"id": f"{did}#{name}", "type": "Multikey", "controller": did, "publicKeyMultibase": name}


# -- reading a document ------------------------------------------------------------------------------------------------


class _Method(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: str
    controller: str
    public_key_multibase: str = ""
    expires: str = ""
    revoked: str = ""


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    """What of a document is read here; it may say more (services, other kinds of keys)."""

    id: str
    verification_method: tuple[_Method, ...] = ()
    assertion_method: tuple[str | _Method, ...] = ()
    authentication: tuple[str | _Method, ...] = ()


def read_document(value: JsonObject) -> DidDocument:
    """The document; `BadDid` if it is none. Keys of other kinds are left out."""
    try:
        found = msgspec.convert(value, _Document)
    except msgspec.ValidationError as error:
        raise BadDid(f"it is no DID document: {error}") from None
    if not found.id.startswith("did:"):
        raise BadDid(f"it is no DID document: its id is {found.id[:80]!r}")
    if max(len(found.verification_method), len(found.assertion_method), len(found.authentication)) > MAX_METHODS:
        raise BadDid(f"the DID document has more than {MAX_METHODS} keys")
    named = {method.id: method for method in found.verification_method}
    return DidDocument(
        found.id, _methods(found.id, found.assertion_method, named), _methods(found.id, found.authentication, named)
    )


def _methods(did: str, listed: Sequence[str | _Method], named: dict[str, _Method]) -> tuple[Method, ...]:
    methods = []
    for entry in listed:
        # A relative name (#key-1) is one of this document.
        name = entry.id if isinstance(entry, _Method) else entry
        method = entry if isinstance(entry, _Method) else (named.get(name) or named.get(name.removeprefix(did)))
        if method is None or method.type != "Multikey" or method.controller != did:
            continue
        try:
            ends = [read_stamp(text) for text in (method.expires, method.revoked) if text]
            key = decode_public_key(method.public_key_multibase)
        except ValueError:
            continue
        methods.append(Method(did + name if name.startswith("#") else name, key, min(ends, default=None)))
    return tuple(methods)
