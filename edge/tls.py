"""Mutual TLS 1.3 between nodes, bound to the keys that governance lists.

Each node's identity key signs a short-lived certificate for its connections. Whom to trust comes from the chain alone:
for each listed key a certificate authority is made up on the spot that has this key and the node's name. OpenSSL does
not look at a trust anchor's own signature, only at its name and key, so nothing but the list needs to travel. After the
handshake, a peer is the node whose anchor its certificate leads to.
"""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LEAF_LIFETIME_DAYS = 90
RENEW_BEFORE_DAYS = 30
_LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_FAR_AHEAD = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def anchor(node_id: str, public_key: bytes) -> bytes:
    """The trust anchor for a node, DER: its name and its key. The signature on it means nothing to anybody."""
    signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return (
        x509.CertificateBuilder()
        .subject_name(_name(node_id))
        .issuer_name(_name(node_id))
        .public_key(Ed25519PublicKey.from_public_bytes(public_key))
        .serial_number(1)
        .not_valid_before(_LONG_AGO)
        .not_valid_after(_FAR_AHEAD)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(signer, None)
        .public_bytes(Encoding.DER)
    )


class LinkCertificate:
    """This node's certificate for connections, signed by its identity key, renewed long before it ends."""

    def __init__(self, node_id: str, identity: Ed25519PrivateKey, now: datetime.datetime) -> None:
        key = Ed25519PrivateKey.generate()
        self.not_after = now + datetime.timedelta(days=LEAF_LIFETIME_DAYS)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(f"{node_id} link"))
            .issuer_name(_name(node_id))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(self.not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(identity, None)
        )
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(
            Encoding.PEM
        )

    def days_left(self, now: datetime.datetime) -> float:
        return (self.not_after - now) / datetime.timedelta(days=1)

    def load_into(self, context: ssl.SSLContext) -> None:
        # The library reads certificates from files only; this one is gone before anybody else could open it.
        fd, name = tempfile.mkstemp(suffix=".pem")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(self._pem)
            context.load_cert_chain(name)
        finally:
            Path(name).unlink()


def context(*, server: bool, link: LinkCertificate, trusted: Iterable[tuple[str, bytes]]) -> ssl.SSLContext:
    """A context that shows `link` and trusts exactly the given (node id, public key) pairs."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    for node_id, public_key in trusted:
        made.load_verify_locations(cadata=anchor(node_id, public_key))
    link.load_into(made)
    return made


def peer_of(certificate: Mapping[str, object] | None) -> str | None:
    """The node that a verified certificate (`getpeercert`) leads to: its issuer's name."""
    issuer = (certificate or {}).get("issuer")
    for part in cast("tuple[tuple[tuple[str, str], ...], ...]", issuer or ()):
        for key, value in part:
            if key == "commonName":
                return value
    return None


def is_signed_by(connection: ssl.SSLObject | None, public_key: bytes) -> bool:
    """Whether the certificate that the peer showed was signed by this identity key."""
    der = None if connection is None else connection.getpeercert(binary_form=True)
    if der is None:
        return False
    certificate = x509.load_der_x509_certificate(der)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature:
        return False
    return True
