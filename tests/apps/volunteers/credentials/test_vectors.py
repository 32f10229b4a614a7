"""The published test vectors of the specifications, in `vectors/` with their sources."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from apps.volunteers.credentials import did as dids
from apps.volunteers.credentials.findings import Altered
from apps.volunteers.credentials.integrity import ASSERTION, Proved, add_configured_proof, check_proof, hash_data
from apps.volunteers.credentials.jcs import canonical
from apps.volunteers.credentials.multibase import (
    base58_decode,
    base58_encode,
    decode_public_key,
    decode_z,
    encode_public_key,
)
from ledger.crypto import SigningKey, sha256

VECTORS = Path(__file__).parent / "vectors"


@cache
def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_the_canonical_forms_and_hashes_are_those_of_the_recommendation() -> None:
    vector = load("eddsa-jcs-2022")
    options = {**vector["proofOptions"], "@context": vector["unsigned"]["@context"]}
    assert canonical(vector["unsigned"]).decode() == vector["canonicalDocument"]
    assert canonical(options).decode() == vector["canonicalProof"]
    assert sha256(canonical(vector["unsigned"])).hex() == vector["documentHash"]
    assert sha256(canonical(options)).hex() == vector["proofHash"]
    assert hash_data(vector["unsigned"], options).hex() == vector["combinedHash"]


@pytest.mark.function("V5d")
def test_the_proof_is_that_of_the_recommendation() -> None:
    vector = load("eddsa-jcs-2022")
    secret = decode_z(vector["secretKeyMultibase"])
    assert secret[:2] == b"\x80\x26"  # multicodec ed25519-priv
    key = SigningKey(secret[2:])
    assert encode_public_key(key.public_key) == vector["publicKeyMultibase"]
    secured = add_configured_proof(vector["unsigned"], key, vector["proofOptions"])
    proof = secured["proof"]
    assert isinstance(proof, dict)
    assert proof["proofValue"] == vector["proofValue"]
    assert decode_z(vector["proofValue"]).hex() == vector["signature"]


@pytest.mark.function("V5d")
def test_the_signed_credential_of_the_recommendation_is_accepted_and_any_change_of_it_is_not() -> None:
    vector = load("eddsa-jcs-2022")
    unsigned = vector["unsigned"]
    proof = {**vector["proofOptions"], "@context": unsigned["@context"], "proofValue": vector["proofValue"]}
    signer = dids.resolve_key_did("did:key:" + vector["publicKeyMultibase"])
    found = check_proof({**unsigned, "proof": proof}, signer, ASSERTION, 0)
    assert isinstance(found, Proved)
    assert found.document == unsigned
    for name in unsigned.keys() - {"@context"}:
        changed = {**unsigned, name: "other", "proof": proof}
        assert check_proof(changed, signer, ASSERTION, 0) == Altered()


@pytest.mark.parametrize("number", range(5))
def test_did_key_of_its_specification(number: int) -> None:
    vector = load("did-key")["keys"][number]
    key = SigningKey(bytes.fromhex(vector["seed"]))
    assert dids.key_did(key.public_key) == vector["did"]
    assert base58_encode(key.public_key) == vector["publicKeyBase58"]
    assert base58_decode(vector["publicKeyBase58"]) == key.public_key
    document = dids.resolve_key_did(vector["did"])
    assert document.asserts == document.authenticates == (dids.Method(document.asserts[0].id, key.public_key),)
    assert document.asserts[0].id == f"{vector['did']}#{vector['did'].removeprefix('did:key:')}"


@pytest.mark.parametrize("number", range(3))
def test_a_did_key_of_another_kind_of_key_is_refused(number: int) -> None:
    other = load("did-key")["others"][number]
    with pytest.raises(dids.BadDid, match="not an Ed25519"):
        dids.resolve_key_did(other)


def test_a_published_public_key_is_read_back() -> None:
    text = load("eddsa-jcs-2022")["publicKeyMultibase"]
    assert encode_public_key(decode_public_key(text)) == text
