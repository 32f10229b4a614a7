"""What peers send each other survives the way, and whatever is no message is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.messages import Decided, Proposal, RoundChangeMessage
from edge.wire import Blocks, GetBlocks, PeerMessage, Status, Transactions, decode_message, encode_message
from ledger.refusal import Refused
from tests.edge.cluster import Cluster, make_genesis, note


def spoken() -> list[PeerMessage]:
    """One of each kind of message, as replicas really said them."""
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    cluster.lose(cluster.members[cluster[0].replica.leader])
    cluster.submit(next(m for m in cluster.members.values() if m.up), note(cluster.genesis))
    cluster.run(3_000)
    for member in cluster.members.values():
        if not member.up:
            member.start()
    cluster.run(3_000)
    kinds = {type(message): message for _, _, message in cluster.sent}
    chain = cluster[0].replica.chain
    block, certificate = chain.raw_block(1), chain.certificate(1)
    assert block is not None and certificate is not None
    return [*kinds.values(), Decided(block, certificate)]


def test_every_message_comes_out_as_it_went_in() -> None:
    messages = spoken()
    kinds = {type(m) for m in messages}
    assert kinds >= {Proposal, RoundChangeMessage, Transactions, Status, GetBlocks, Blocks, Decided}
    for message in messages:
        assert decode_message(encode_message(message)) == message


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        decode_message(data)


@given(st.data())
def test_a_damaged_message_is_refused_or_is_another_message(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(MESSAGES))
    raw = bytearray(encode_message(message))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_message(bytes(raw))
    except Refused as refused:
        assert refused.reason.code in {"malformed", "too_large"}


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_nesting_without_end_is_refused(depth: int) -> None:
    with pytest.raises(Refused):
        decode_message(b"\x91" * depth)


def test_a_message_that_is_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.wire.MAX_FRAME_BYTES", 100)
    raw = msgspec.msgpack.encode(["transactions", [b"x" * 200]])
    with pytest.raises(Refused) as refused:
        decode_message(raw)
    assert refused.value.reason.code == "too_large"


MESSAGES = spoken()
