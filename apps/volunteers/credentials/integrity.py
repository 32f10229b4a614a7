"""Data Integrity proofs of the cryptosuite eddsa-jcs-2022 (https://www.w3.org/TR/vc-di-eddsa/, section 3.3).

What is signed is SHA-256 of the canonical proof options followed by SHA-256 of the canonical document. Ed25519 through
`ledger/crypto.py`, the one place of this system where signatures are checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from apps.volunteers.credentials.did import DidDocument
from apps.volunteers.credentials.findings import Altered, RevokedKey, UnknownKey, WrongProof
from apps.volunteers.credentials.jcs import BadJson, Json, JsonObject, canonical
from apps.volunteers.credentials.multibase import decode_z, encode_z
from apps.volunteers.credentials.times import read_stamp, write_stamp
from ledger.crypto import SIGNATURE_BYTES, SigningKey, sha256, verify

TYPE, SUITE = "DataIntegrityProof", "eddsa-jcs-2022"
ASSERTION, AUTHENTICATION = "assertionMethod", "authentication"
"""Why something is signed: as a statement about somebody, or to show that one is who one says."""


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """What a signer says about its signature; `challenge` and `domain` bind a presentation to who asked for it."""

    method: str
    created_ms: int
    purpose: str = ASSERTION
    challenge: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    """A document whose proof holds."""

    document: JsonObject
    """Exactly what was signed: without its proof, and without contexts that were added after it."""
    method: str
    created_ms: int
    challenge: str
    domain: str


class _Proof(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    cryptosuite: str
    verification_method: str
    proof_purpose: str
    proof_value: str
    created: str = ""
    expires: str = ""
    challenge: str = ""
    domain: str = ""


def add_proof(document: JsonObject, key: SigningKey, options: ProofOptions) -> JsonObject:
    """The document with a proof; the same in, the same out."""
    config: JsonObject = {
        "type": TYPE,
        "cryptosuite": SUITE,
        "created": write_stamp(options.created_ms),
        "verificationMethod": options.method,
        "proofPurpose": options.purpose,
    }
    if options.challenge:
        config["challenge"] = options.challenge
    if options.domain:
        config["domain"] = options.domain
    return add_configured_proof(document, key, config)


def add_configured_proof(document: JsonObject, key: SigningKey, config: JsonObject) -> JsonObject:
    """The document with a proof whose options are `config`, to which its context is added as the suite demands."""
    if "@context" in document:
        config = {**config, "@context": document["@context"]}
    signature = key.sign(hash_data(document, config))
    return {**document, "proof": {**config, "proofValue": encode_z(signature)}}


def hash_data(document: JsonObject, config: JsonObject) -> bytes:
    """What is signed: 64 bytes."""
    return sha256(canonical(config)) + sha256(canonical(document))


def check_proof(
    secured: JsonObject, signer: DidDocument, purpose: str, now_ms: int
) -> Proved | WrongProof | UnknownKey | RevokedKey | Altered:
    """Whether `secured` is as `signer` signed it for `purpose`."""
    document = {name: value for name, value in secured.items() if name != "proof"}
    config = secured.get("proof")
    if not isinstance(config, dict):
        return WrongProof("it has no proof, or more than one")
    try:
        proof = msgspec.convert(config, _Proof)
        created_ms = read_stamp(proof.created) if proof.created else 0
        expired = bool(proof.expires) and read_stamp(proof.expires) < now_ms
        signature = decode_z(proof.proof_value)
    except ValueError as error:  # msgspec's is one
        return WrongProof(str(error)[:200])
    if (proof.type, proof.cryptosuite) != (TYPE, SUITE):
        return WrongProof(f"its proof is {proof.type[:40]} {proof.cryptosuite[:40]}, not {TYPE} {SUITE}")
    if proof.proof_purpose != purpose:
        return WrongProof(f"its proof is made for {proof.proof_purpose[:40]}, not for {purpose}")
    if expired:
        return WrongProof(f"its proof counted until {proof.expires[:40]}")
    options = {name: value for name, value in config.items() if name != "proofValue"}
    if "@context" in options:
        if not _begins_with(document.get("@context"), options["@context"]):
            return WrongProof("its proof was made in another context")
        document["@context"] = options["@context"]
    methods = signer.asserts if purpose == ASSERTION else signer.authenticates
    method = next((m for m in methods if m.id == proof.verification_method), None)
    if method is None:
        return UnknownKey(proof.verification_method[:200])
    if method.ends_ms is not None and method.ends_ms <= now_ms:
        return RevokedKey(method.id, method.ends_ms)
    try:
        signed = hash_data(document, options)
    except BadJson as error:
        return WrongProof(str(error))
    if len(signature) != SIGNATURE_BYTES or not verify(method.public_key, signed, signature):
        return Altered()
    return Proved(document, method.id, created_ms, proof.challenge, proof.domain)


def _begins_with(context: Json, beginning: Json) -> bool:
    """Whether `context` has all of `beginning`, in order, before anything else."""
    whole, first = (value if isinstance(value, list) else [value] for value in (context, beginning))
    return whole[: len(first)] == first
