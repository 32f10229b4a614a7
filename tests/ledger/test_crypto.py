"""The one signature check: what it accepts, and the published edge cases that it refuses."""

from __future__ import annotations

import pytest

from ledger import crypto
from ledger.crypto import SigningKey, public_key, verify

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def sqrt(value: int) -> int | None:
    """A square root modulo P, if there is one (RFC 8032, section 5.1.3)."""
    root = pow(value, (P + 3) // 8, P)
    if (root * root - value) % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    return root if (root * root - value) % P == 0 else None


def small_order_y() -> set[int]:
    """The y of every point whose order divides 8, from the curve -x^2 + y^2 = 1 + d x^2 y^2 alone.

    Order 1, 2: x = 0, so y = 1, -1. Order 4: y = 0. Order 8: doubling gives y = 0, that is y^2 = -x^2, so that
    d y^4 + 2 y^2 - 1 = 0.
    """
    found = {0, 1, P - 1}
    root = sqrt((1 + D) % P)
    assert root is not None
    for sign in (root, P - root):
        square = (-1 + sign) * pow(D, P - 2, P) % P
        y = sqrt(square)
        if y is not None:
            found |= {y, P - y}
    return found


def test_the_small_order_points_are_those_of_the_curve() -> None:
    assert small_order_y() == crypto._SMALL_ORDER_Y
    assert len(small_order_y()) == 5


@pytest.mark.parametrize("y", sorted(small_order_y()))
@pytest.mark.parametrize("sign", [0, 1])
def test_a_key_of_small_order_may_not_sign(y: int, sign: int) -> None:
    raw = (y | sign << 255).to_bytes(32, "little")
    assert public_key(raw) is None
    # With such a key, R = A and S = 0 would pass a lenient check for some messages.
    assert not any(verify(raw, bytes([n]), raw + bytes(32)) for n in range(16))


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_a_key_that_is_not_canonical_may_not_sign(y: int) -> None:
    assert public_key(y.to_bytes(32, "little")) is None


def test_a_signature_whose_s_is_not_reduced_is_refused() -> None:
    key = SigningKey(b"k" * 32)
    signature = key.sign(b"message")
    assert verify(key.public_key, b"message", signature)
    s = int.from_bytes(signature[32:], "little") + L
    assert not verify(key.public_key, b"message", signature[:32] + s.to_bytes(32, "little"))


def test_a_signature_whose_r_is_not_canonical_is_refused() -> None:
    key = SigningKey(b"k" * 32)
    for y in (P, P + 1):
        assert not verify(key.public_key, b"message", y.to_bytes(32, "little") + bytes(32))


def test_rfc_8032_vector() -> None:
    """RFC 8032, section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = SigningKey(seed)
    assert key.public_key.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = key.sign(b"\x72")
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify(key.public_key, b"\x72", signature)
    assert not verify(key.public_key, b"\x73", signature)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_and_signatures_of_another_length_are_refused(length: int) -> None:
    key = SigningKey(b"k" * 32)
    assert public_key(bytes(length)) is None
    assert not verify(key.public_key, b"m", key.sign(b"m")[:-1])
