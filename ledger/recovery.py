"""Starting again after the quorum is lost for good: what the recovery keys of the genesis can prove.

The genesis names keys that the municipalities hold offline, and how many of them must sign. Their signatures take the
place of a quorum's seals, for two kinds of block only: one that a survivor had prepared and that is carried on, and the
recovery block itself, proposed by nobody, whose one transaction (`governance.recover`) names the new validators.
"""

from __future__ import annotations

from ledger import crypto
from ledger.encoding import pack
from ledger.refusal import Reason, Refused, Text
from ledger.registry import RecoveryKeys
from ledger.types import Certificate, Header, Seal
from ledger.votes import Step

PROPOSER = "*"
"""Stands in the header of a recovery block where others name their proposer; no node can have this name."""
SEAL_PREFIX = "recovery-key-"
"""A recovery key's seal is named after its place in the genesis, from 1; no node may have a name like it."""
CONTRACT, METHOD = "governance", "recover"
SUBJECT = "network:recovery"
"""The history of this subject lists every recovery."""


class RecoveryReason(Reason):
    NO_RECOVERY_KEYS = Text("この台帳には復旧鍵がありません", "this chain has no recovery keys")
    NOT_A_RECOVERY_KEY = Text("{name} は復旧鍵ではありません", "{name} is not one of the genesis' recovery keys")
    KEY_TWICE = Text("{name} の署名が重複しています", "{name} has signed twice")
    BAD_RECOVERY_SEAL = Text("{name} の署名が正しくありません", "the signature of {name} is not valid")
    BELOW_THRESHOLD = Text(
        "復旧鍵の署名が足りません({count}/{threshold})", "{count} recovery keys have signed, {threshold} are needed"
    )


def payload(header: Header) -> bytes:
    """What a recovery key signs: the block, in a domain of its own."""
    return b"daicho/recovery/1\x00" + pack(Step(header.chain_id, header.height, 0, header.hash))


def is_recovery(header: Header, certificate: Certificate) -> bool:
    """Whether this must be proved by the recovery keys, and not by validators."""
    return header.proposer == PROPOSER or any(s.node_id.startswith(SEAL_PREFIX) for s in certificate.seals)


def seal(header: Header, keys: RecoveryKeys, key: crypto.SigningKey) -> Seal:
    """The signature of one recovery key; `Refused(RecoveryReason)` if it is none of the genesis' keys."""
    if key.public_key not in keys.keys:
        raise Refused(RecoveryReason.NOT_A_RECOVERY_KEY, name=key.public_key.hex()[:16])
    return Seal(f"{SEAL_PREFIX}{keys.keys.index(key.public_key) + 1}", key.sign(payload(header)))


def check_seals(header: Header, certificate: Certificate, keys: RecoveryKeys | None) -> None:
    """Whether enough distinct recovery keys have signed this block; `Refused(RecoveryReason)`."""
    if keys is None or not keys.keys:
        raise Refused(RecoveryReason.NO_RECOVERY_KEYS)
    by_name = {f"{SEAL_PREFIX}{place}": key for place, key in enumerate(keys.keys, start=1)}
    signed = payload(header)
    seen: set[str] = set()
    for given in certificate.seals:
        key = by_name.get(given.node_id)
        if key is None:
            raise Refused(RecoveryReason.NOT_A_RECOVERY_KEY, name=given.node_id)
        if given.node_id in seen:
            raise Refused(RecoveryReason.KEY_TWICE, name=given.node_id)
        if not crypto.verify(key, signed, given.signature):
            raise Refused(RecoveryReason.BAD_RECOVERY_SEAL, name=given.node_id)
        seen.add(given.node_id)
    if len(seen) < keys.threshold:
        raise Refused(RecoveryReason.BELOW_THRESHOLD, count=len(seen), threshold=keys.threshold)
