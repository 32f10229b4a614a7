"""A key at rest under a passphrase: scrypt (RFC 7914) and AES-256-GCM, as text in a file of its own.

PKCS#8 as the library writes it derives the key by 2,048 rounds of PBKDF2, which a stolen disk does not withstand. Files
of that form, made elsewhere, are still read (`edge/keys.py`); new ones are written in this one:

    -----BEGIN DAICHO SEALED KEY-----
    base64( 1 byte log2 N · 16 bytes salt · 12 bytes nonce · AES-256-GCM(seed), the head as associated data )
    -----END DAICHO SEALED KEY-----
"""

from __future__ import annotations

import base64
import binascii
import os
import textwrap
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

BEGIN, END = "-----BEGIN DAICHO SEALED KEY-----", "-----END DAICHO SEALED KEY-----"
LOG2_N = 16
"""64 MiB and about a fifth of a second for each guess."""
MAX_LOG2_N = 20
SALT, NONCE, SEED, TAG = 16, 12, 32, 16
HEAD = 1 + SALT + NONCE


class NotSealed(ValueError):
    """The file is no sealed key; the message says why."""


class WrongPassphrase(Exception):
    """The passphrase is not the one, or the file was changed: the two look the same."""


def is_sealed(text: bytes) -> bool:
    return text.lstrip().startswith(BEGIN.encode())


def seal(seed: bytes, passphrase: str) -> bytes:
    """The text of the file that holds `seed`."""
    head = bytes([LOG2_N]) + os.urandom(SALT + NONCE)
    body = head + AESGCM(_derived(passphrase, head)).encrypt(head[1 + SALT :], seed, head)
    lines = textwrap.wrap(base64.b64encode(body).decode(), 64)
    return "\n".join([BEGIN, *lines, END, ""]).encode()


def unseal(text: bytes, passphrase: str) -> bytes:
    """The seed. `NotSealed` if the file is damaged in form, `WrongPassphrase` otherwise."""
    try:
        inner = text.decode("ascii").strip().removeprefix(BEGIN).removesuffix(END)
        body = base64.b64decode("".join(inner.split()), validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise NotSealed(str(error)) from None
    if len(body) != HEAD + SEED + TAG or not 10 <= body[0] <= MAX_LOG2_N:
        raise NotSealed("its length or its cost is not that of a sealed key")
    head = body[:HEAD]
    try:
        return AESGCM(_derived(passphrase, head)).decrypt(head[1 + SALT :], body[HEAD:], head)
    except InvalidTag:
        raise WrongPassphrase from None


def _derived(passphrase: str, head: bytes) -> bytes:
    # The same words typed on another keyboard are the same bytes.
    words = unicodedata.normalize("NFKC", passphrase).encode()
    return Scrypt(salt=head[1 : 1 + SALT], length=32, n=1 << head[0], r=8, p=1).derive(words)
