"""Vectors of forms: encoding, hashes, signatures, transactions, receipts, headers, validator sets, quorums, leaders."""

from __future__ import annotations

import msgpack
from msgspec.structs import replace

from consensus import quorum as consensus_quorum
from consensus.state import Config, State
from ledger import crypto
from ledger.crypto import SigningKey, tagged_hash
from ledger.encoding import MAX_DEPTH, Value, decode, encode, pack
from ledger.genesis import genesis_block
from ledger.refusal import Refused
from ledger.registry import DEFAULT_PARAMETERS
from ledger.types import (
    Block,
    Header,
    Receipt,
    SignedTransaction,
    Transaction,
    TransactionBody,
    TransactionReason,
    Validator,
    ValidatorSet,
)
from tests.independent.chain import HACHIOJI, START_MS, Sample, key_of
from tests.vector_files import tagged

GOOD_VALUES: list[Value] = [
    None, True, False, 0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**63, 2**64 - 1,
    -1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63),
    "", "a", "台帳", "é", "e\u0301", "\U0001f5fb", "\x00", "x" * 31, "x" * 32, "x" * 255, "x" * 256,
    b"", b"\x00\xff", bytes(255), bytes(256),
    [], [1, [2, [3]]], list(range(15)), list(range(16)),
    {}, {"a": 1, "b": [None]}, {"": 0, "B": 1, "a": 2, "aa": 3, "ä": 4, "台": 5, "\U0001f5fb": 6},
    {f"key-{i:02}": i for i in range(16)},
]  # fmt: skip

BAD_BYTES = [
    ("nothing", ""),
    ("a float", "ca3f800000"),
    ("a double", "cb3ff0000000000000"),
    ("an extension type", "d40100"),
    ("a time stamp", "d6ff00000000"),
    ("5 in two bytes", "cc05"),
    ("127 as a signed number", "d07f"),
    ("-1 in two bytes", "d0ff"),
    ("256 in five bytes", "ce00000100"),
    ("a long head for a short text", "d90161"),
    ("a long head for a short byte string", "c50001ff"),
    ("a long head for a short array", "dc000101"),
    ("a long head for a short map", "de0001a16101"),
    ("keys out of order", "82a16201a16102"),
    ("a key twice", "82a16101a16102"),
    ("a key that is no text", "810102"),
    ("a key of bytes", "81c4016102"),
    ("not UTF-8", "a1ff"),
    ("half a surrogate pair", "a3eda080"),
    ("the byte that is never used", "c1"),
    ("cut short", "93 01 02".replace(" ", "")),
    ("something behind the end", "c0c0"),
    ("17 levels", "91" * MAX_DEPTH + "c0"),
]

EDGE_CASES = "Chalkias, Garillot, Nikolaenko, Taming the many EdDSAs, SSR 2020 (ed25519-speccheck), case "
PUBLISHED = [
    ("8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
     "0000000000000000000000000000000000000000000000000000000000000000"),
    ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
     "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"),
    ("9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f"
     "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009"),
    ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512"
     "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09"),
    ("e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7"
     "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405"),
    ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
     "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"),
    ("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
     "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"),
    ("fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
     "454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607"),
    ("84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
     "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
     "084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09"),
]  # fmt: skip
"""Message, public key, signature."""

ORDER = 2**252 + 27742317777372353535851937790883648493


def encoding() -> object:
    good = [{"value": tagged(value), "hex": encode(value)} for value in GOOD_VALUES]
    bad = []
    for about, data in BAD_BYTES:
        try:
            decode(bytes.fromhex(data))
        except Refused as refused:
            bad.append({"about": about, "hex": data, "rule": refused.reason.code})
    return {"good": good, "bad": bad}


def hashes() -> object:
    tags = ["genesis/1", "transaction/1", "header/1", "validators/1", "state/key", "state/value", "state/node"]
    named = [(f"daicho/{tag}", data) for tag in tags for data in (b"", b"\x90")]
    return {"tagged": [{"tag": tag, "data": data, "hash": tagged_hash(tag.encode(), data)} for tag, data in named]}


def signatures() -> object:
    key = SigningKey(bytes(range(32)))
    message = "災害".encode()
    signature = key.sign(message)
    s = int.from_bytes(signature[32:], "little")
    other = key_of("another")
    cases = [
        ("as it should be", key.public_key, message, signature),
        ("of nothing", key.public_key, b"", key.sign(b"")),
        ("another message", key.public_key, message + b"\x00", signature),
        ("another key", other.public_key, message, signature),
        ("S + L", key.public_key, message, signature[:32] + (s + ORDER).to_bytes(32, "little")),
        ("a byte less", key.public_key, message, signature[:-1]),
        ("a key with a byte more", key.public_key + b"\x00", message, signature),
        ("a key that is p + 1, not canonical", (2**255 - 18).to_bytes(32, "little"), message, signature),
        ("a key that is 1, of small order; R = 1, S = 0", (1).to_bytes(32, "little"), message,
         (1).to_bytes(32, "little") + bytes(32)),
    ]  # fmt: skip
    cases += [
        (f"{EDGE_CASES}{number}", bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(given))
        for number, (message, public, given) in enumerate(PUBLISHED)
    ]
    return {
        "seed": bytes(range(32)),
        "signatures": [
            {
                "about": about,
                "public_key": public,
                "message": signed,
                "signature": given,
                "valid": crypto.verify(public, signed, given),
            }
            for about, public, signed, given in cases
        ],
    }


def _rule(raw: bytes) -> str:
    """The rule that a transaction breaks by itself."""
    try:
        return "" if Transaction.parse(raw).is_signed() else TransactionReason.BAD_SIGNATURE.code
    except Refused as refused:
        return refused.reason.code


def transactions(sample: Sample) -> object:
    key = key_of("clerk")
    needs: dict[str, Value] = {"needs": [["rice", 20], ["water", 2**40]], "note": None, "token": b"\x01" * 16}
    bodies = [_body(sample, 0, {}), _body(sample, 1, needs)]
    good = []
    for body, args in zip(bodies, ({}, needs), strict=True):
        made = Transaction.sign(body, key)
        good.append(
            {
                "seed": b"clerk".ljust(32, b"."),
                "fields": body,
                "args": tagged(args),
                "body": pack(body),
                "signed": made.signing_payload,
                "signature": made.signature,
                "id": made.id,
                "transaction": made.raw,
            }
        )
    bad = [{"about": about, "transaction": raw, "rule": _rule(raw)} for about, raw in _bad(bodies[1], key)]
    return {"good": good, "bad": bad}


def _body(sample: Sample, number: int, args: dict[str, Value]) -> TransactionBody:
    key, nonce = key_of("clerk").public_key, bytes([number]) * 16
    chain_id, until_ms = sample.chain.chain_id, START_MS + 60_000
    return TransactionBody(chain_id, "clerk", key, "donations", "register_need", encode(args), nonce, until_ms)


def _bad(body: TransactionBody, key: SigningKey) -> list[tuple[str, bytes]]:
    made = Transaction.sign(body, key)
    signed_elsewhere = key.sign(b"daicho/commit/1\x00" + pack(body))
    fields = list(msgpack.unpackb(pack(body)))
    longer = bytes(msgpack.packb([*fields, 0]))
    capital = bytes(msgpack.packb([fields[0], "Clerk", *fields[2:]]))
    broken = bytes(msgpack.packb([fields[0], "clerk\n", *fields[2:]]))
    late = bytes(msgpack.packb([*fields[:7], 2**53]))

    def sign(raw_body: bytes) -> bytes:
        return pack(SignedTransaction(raw_body, key.sign(b"daicho/transaction/1\x00" + raw_body)))

    return [
        ("signed under another tag", pack(SignedTransaction(pack(body), signed_elsewhere))),
        ("one bit of the signature", made.raw[:-1] + bytes([made.raw[-1] ^ 1])),
        ("another nonce", pack(SignedTransaction(pack(replace(body, nonce=bytes(16))), made.signature))),
        ("a field more", sign(longer)),
        ("a capital letter in the sender", sign(capital)),
        ("a line break behind the sender", sign(broken)),
        ("a time beyond its range", sign(late)),
        ("a body that is not canonical", sign(pack(body)[:1] + b"\xc5\x00\x20" + pack(body)[3:])),
        ("something behind the end", made.raw + b"\xc0"),
        ("nothing", b""),
    ]


def receipts(sample: Sample) -> object:
    found: list[tuple[bytes, Receipt]] = []
    for height in (1, 4, 7, 13):
        found += zip(sample.chain.raw_receipts(height), sample.chain.receipts(height), strict=True)
    return {"receipts": [{"hex": raw, "receipt": receipt} for raw, receipt in found]}


def genesis(sample: Sample) -> object:
    made = sample.genesis
    header = genesis_block(made).block.header
    return {"genesis": made, "hex": pack(made), "chain_id": made.chain_id, "header": header, "hash": header.hash}


def all_headers(sample: Sample) -> list[Header]:
    blocks = (sample.chain.block(height) for height in range(sample.chain.height + 1))
    return [block.header for block in blocks if isinstance(block, Block)]


def headers(sample: Sample) -> object:
    return {"headers": [{"header": h, "hex": pack(h), "hash": h.hash} for h in all_headers(sample)]}


def some_set(n: int) -> ValidatorSet:
    names = [f"node-{i}" for i in range(1, n + 1)]
    return ValidatorSet.of([Validator(name, HACHIOJI, key_of(name).public_key) for name in names])


def validators(sample: Sample) -> object:
    first = genesis_block(sample.genesis).next_validators
    sets = [first, *(members for _, members in sample.chain.validator_changes(0, 100)), some_set(1), some_set(10)]
    return {
        "sets": [{"members": s.members, "hex": pack(s), "hash": s.hash, "f": s.faults, "q": s.quorum} for s in sets]
    }


def quorum() -> object:
    return {"quorum": [{"n": n, "f": some_set(n).faults, "q": some_set(n).quorum} for n in range(1, 65)]}


class _NoKeys:
    def sign(self, public_key: bytes, payload: bytes) -> bytes | None:
        return None

    def verify(self, public_key: bytes, payload: bytes, signature: bytes) -> bool:
        return False


def leaders() -> object:
    cases = [
        (["a", "b", "c", "d"], "", 1, 1000, range(6)),
        (["a", "b", "c", "d"], "c", 7, 1000, range(6)),
        (["a", "b", "c", "d"], "c", 2000, 1000, range(3)),
        (["a", "b", "c", "d"], "d", 2000, 1000, range(3)),
        (["a", "b", "d"], "c", 8, 1000, range(3)),
        (["a", "b", "d"], "c", 1000, 1000, range(3)),
        (["a", "b", "c"], "d", 9, 10, range(3)),
        (["a", "b", "c"], "*", 14, 1000, range(3)),
        (["node-1", "node-10", "node-2"], "node-10", 5, 1, range(4)),
        (["a"], "a", 3, 1, range(2)),
    ]
    found = []
    for ids, last, height, term, rounds in cases:
        state = _state(list(ids), last, height, term)
        found += [
            {"ids": ids, "last": last, "height": height, "leader_term_blocks": term, "round": r,
             "leader": consensus_quorum.proposer(state, r)}
            for r in rounds
        ]  # fmt: skip
    return {"leaders": found}


def _state(ids: list[str], last: str, height: int, term: int) -> State:
    zero = bytes(32)
    parent = Header(zero, height - 1, zero, 0, last, 0, zero, zero, zero, zero, zero)
    members = ValidatorSet(tuple(Validator(i, HACHIOJI, key_of(i).public_key) for i in ids))
    parameters = replace(DEFAULT_PARAMETERS, leader_term_blocks=term)
    return State(Config(ids[0], zero, _NoKeys()), parent, members, parameters)
