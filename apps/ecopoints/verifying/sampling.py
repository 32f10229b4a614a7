"""The sample of a period: of the size that registered programme plans use, drawn so that anybody can draw it again.

The seed is the hash of the block in which the period was closed: nobody knew it while readings were still taken, and
everybody can read it in the chain afterwards. Members are put in the order of SHA-256(seed ‖ pseudonym), and the first
ones are the sample. So a member that a correction adds later moves at most one other out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from contracts.ecopoints.methodology.jcredit import sample_size
from ledger.crypto import sha256
from ledger.proof import Proof
from ledger.schema import from_plain


@dataclass(frozen=True, slots=True)
class Sample:
    """Who is looked at, in the order in which they were drawn."""

    seed: bytes
    members: tuple[str, ...]
    of: int
    """Members of the period."""


def draw(seed: bytes, members: Iterable[str]) -> Sample:
    ordered = sorted(members, key=lambda member: (sha256(seed + member.encode()), member))
    return Sample(seed, tuple(ordered[: sample_size(len(ordered))]), len(ordered))


def block_of(proof: bytes) -> tuple[int, bytes]:
    """Height and hash of the block that a transaction's proof file is about."""
    (step,) = from_plain(Proof, msgspec.json.decode(proof)).steps
    return step.header.height, step.header.hash
