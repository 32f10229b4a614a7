"""Text traces: a scenario goes in line by line, and what the core does comes out under each line.

A trace begins with words for people (`#`), then who there is (`validators n1 n2 n3 n4`, `me n2`, `term 1000`), then
events (`> …`), each followed by the effects it had. `pytest tests/consensus --rewrite-traces` writes the effects anew.

Blocks are letters; a letter's block was built by whoever is named after it at first (`A@n1`), at the current height.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from consensus import core
from consensus.effects import (
    Broadcast,
    BuildBlock,
    CheckBlock,
    Deliver,
    Effect,
    FallBehind,
    Misbehaved,
    PersistPrepared,
    PersistVote,
    RecordEvidence,
    Send,
    SendDecided,
    SetTimer,
)
from consensus.events import (
    Advanced,
    BlockBuilt,
    BlockChecked,
    Event,
    PeerLost,
    PreparedRecord,
    Received,
    Restarted,
    Tick,
    WorkPending,
)
from consensus.messages import (
    Commit,
    Message,
    Prepare,
    PrePrepare,
    Proposal,
    RoundChange,
    RoundChangeMessage,
    Vote,
)
from consensus.state import Config, State
from consensus.votes import payload_of
from ledger import merkle
from ledger.encoding import pack
from ledger.registry import Parameters
from ledger.types import ZERO_HASH, Block, Header, Validator, ValidatorSet

V = TypeVar("V", PrePrepare, Prepare, Commit, RoundChange)
CHAIN_ID = hashlib.sha256(b"trace").digest()


def public_key(node: str) -> bytes:
    return hashlib.sha256(node.encode()).digest()


def signature(node: str, payload: bytes) -> bytes:
    return hashlib.blake2b(public_key(node) + payload).digest()


class TraceScheme:
    """Signs for one node only, and checks for all."""

    def __init__(self, me: str) -> None:
        self._me = me

    def sign(self, key: bytes, payload: bytes) -> bytes | None:
        return signature(self._me, payload) if key == public_key(self._me) else None

    def verify(self, key: bytes, payload: bytes, given: bytes) -> bool:
        return hashlib.blake2b(key + payload).digest() == given


@dataclass
class Player:
    """Plays a trace: reads its lines, steps the core, and says what came of it."""

    names: list[str] = field(default_factory=list)
    me: str = ""
    term: int = 1_000
    heartbeat_ms: int = 60_000
    now_ms: int = 0
    state: State | None = None
    head: Header | None = None
    blocks: dict[str, Block] = field(default_factory=dict)

    # -- the cast ------------------------------------------------------------------------------------------------------

    @property
    def validators(self) -> ValidatorSet:
        return ValidatorSet.of([Validator(n, "132012", public_key(n)) for n in self.names])

    @property
    def parameters(self) -> Parameters:
        return Parameters(self.term, 100, 200_000, self.heartbeat_ms)

    def genesis_head(self, proposer: str) -> Header:
        empty = merkle.EMPTY_ROOT
        digest = self.validators.hash
        return Header(CHAIN_ID, 0, ZERO_HASH, 1_000, proposer, 0, empty, empty, ZERO_HASH, digest, digest)

    def block(self, word: str) -> Block:
        """`A@n1` makes block A by n1 on the head; `A` is that block again."""
        name, _, proposer = word.partition("@")
        if name not in self.blocks:
            head = self.current_head
            empty = merkle.EMPTY_ROOT
            header = Header(
                CHAIN_ID,
                head.height + 1,
                head.hash,
                head.time_ms + 1 + ord(name[0]),
                proposer or self.me,
                0,
                empty,
                empty,
                ZERO_HASH,
                self.validators.hash,
                self.validators.hash,
            )
            self.blocks[name] = Block(header, ())
        return self.blocks[name]

    @property
    def current_head(self) -> Header:
        if self.head is None:
            self.head = self.genesis_head(self.names[0])
        return self.head

    def name_of(self, digest: bytes | None) -> str:
        return next((n for n, b in self.blocks.items() if b.header.hash == digest), "?")

    # -- lines in ------------------------------------------------------------------------------------------------------

    def play(self, lines: list[str]) -> Iterator[str]:
        """The trace with its effects written anew."""
        for line in lines:
            words = line.split()
            if not words or line.startswith("#"):
                yield line
            elif words[0] == "validators":
                self.names = words[1:]
                yield line
            elif words[0] == "me":
                self.me = words[1]
                yield line
            elif words[0] == "term":
                self.term = int(words[1])
                yield line
            elif words[0] == "head":
                self.head = self.genesis_head(words[1])
                yield line
            elif words[0] == ">":
                yield line
                yield from ("  " + shown for shown in self.perform(words[1:]))

    def perform(self, words: list[str]) -> list[str]:
        if words[0] == "at":
            self.now_ms = int(words[1])
            words = words[2:]
        event = self.event(words)
        if self.state is None:
            config = Config(self.me, CHAIN_ID, TraceScheme(self.me))
            self.state = core.initial(config, self.current_head, self.validators)
        before = msgspec.structs.asdict(self.state)
        after, effects = core.step(self.state, event)
        if msgspec.structs.asdict(self.state) != before:
            raise AssertionError("the step has changed the state that it was given")
        self.state = after
        return [self.shown(effect) for effect in effects] or ["nothing"]

    def event(self, words: list[str]) -> Event:
        now = self.now_ms
        match words:
            case ["start", *rest]:
                return self.restarted(rest)
            case ["tick"]:
                return Tick(now)
            case ["work", "none"]:
                return WorkPending(now, None, 0)
            case ["work", since, *rest]:
                return WorkPending(now, int(since), int(rest[1]) if rest[:1] == ["passed"] else 0)
            case ["lost", peer]:
                return PeerLost(now, peer)
            case ["built", word, round_]:
                block = self.block(word)
                return BlockBuilt(now, block.header.height, int(round_), pack(block), block.header.hash)
            case ["nothing", "to", "build", round_]:
                return BlockBuilt(now, self.current_head.height + 1, int(round_), b"", b"")
            case ["valid", word, round_]:
                block = self.block(word)
                return BlockChecked(now, block.header.height, int(round_), block.header.hash, None)
            case ["invalid", word, round_]:
                block = self.block(word)
                return BlockChecked(now, block.header.height, int(round_), block.header.hash, "wrong_state_root")
            case ["advanced", word]:
                self.head = self.block(word).header
                self.blocks = {}
                return Advanced(now, self.head, self.validators, self.parameters)
            case ["advanced", word, "validators", *names]:
                self.head = self.block(word).header
                self.blocks = {}
                self.names = names
                return Advanced(now, self.head, self.validators, self.parameters)
            case [sender, *rest]:
                return Received(now, sender, self.message(sender, rest))
            case _:
                raise ValueError(f"no such line: {words}")

    def restarted(self, words: list[str]) -> Restarted:
        """`start [observe N] [journal VOTE; VOTE …]`, a vote as `prepare 0 A`, `prepared 0 A n1 n2 n3`."""
        observe = 0
        if words[:1] == ["observe"]:
            observe, words = int(words[1]), words[2:]
        votes: list[Vote] = []
        prepared: PreparedRecord | None = None
        for entry in " ".join(words[1:]).split(";") if words else []:
            parts = entry.split()
            if parts[0] == "prepared":
                block = self.block(parts[2])
                prepares = tuple(self.prepare(n, int(parts[1]), block) for n in parts[3:])
                prepared = PreparedRecord(block.header.height, int(parts[1]), block.header.hash, pack(block), prepares)
            else:
                message = self.message(self.me, parts)
                votes.append(message.round_change if isinstance(message, RoundChangeMessage) else self.vote(message))
        return Restarted(
            self.now_ms, self.current_head, self.validators, self.parameters, tuple(votes), prepared, observe
        )

    @staticmethod
    def vote(message: Message) -> Vote:
        if isinstance(message, Prepare | Commit):
            return message
        if isinstance(message, Proposal):
            return message.pre_prepare
        raise ValueError("only votes stand in a journal")

    def message(self, node: str, words: list[str]) -> Message:
        """`prepare R A`, `commit R A`, `proposes R A [changes …] [prepares …]`, `change R [prepared R A n1 n2 n3]`.

        `forged` at the end spoils the signature; `height N` moves a vote to another height; `as nX` signs for nX.
        """
        forged = words[-1] == "forged"
        words = words[:-1] if forged else words
        height: int | None = None
        if "height" in words:
            place = words.index("height")
            height = int(words[place + 1])
            words = words[:place] + words[place + 2 :]
        match words:
            case ["prepare", round_, word]:
                return self.signed(node, self.prepare(node, int(round_), self.block(word), height), forged)
            case ["commit", round_, word]:
                block = self.block(word)
                commit = Commit(height or block.header.height, int(round_), block.header.hash, node, b"")
                return self.signed(node, commit, forged)
            case ["proposes", round_, word, *rest]:
                return self.proposal(node, int(round_), self.block(word), rest, forged)
            case ["change", round_, *rest]:
                return self.change(node, int(round_), rest, forged, height)
            case _:
                raise ValueError(f"no such message: {words}")

    def signed(self, node: str, vote: V, forged: bool) -> V:
        made = bytes(64) if forged else signature(node, payload_of(CHAIN_ID, vote))
        return msgspec.structs.replace(vote, signature=made)

    def prepare(self, node: str, round_: int, block: Block, height: int | None = None) -> Prepare:
        unsigned = Prepare(height or block.header.height, round_, block.header.hash, node, b"")
        return self.signed(node, unsigned, False)

    def proposal(self, node: str, round_: int, block: Block, words: list[str], forged: bool) -> Proposal:
        """`changes n1 n2 n3=0A` (n3 claims A prepared in round 0), `prepares 0 n1 n2 n3`."""
        changes: list[RoundChange] = []
        prepares: list[Prepare] = []
        if words[:1] == ["changes"]:
            end = words.index("prepares") if "prepares" in words else len(words)
            for word in words[1:end]:
                who, _, claim = word.partition("=")
                changes.append(self.claim(who, round_, claim))
            if end < len(words):
                at = int(words[end + 1])
                prepares = [self.prepare(n, at, block) for n in words[end + 2 :]]
        unsigned = PrePrepare(block.header.height, round_, block.header.hash, node, b"")
        return Proposal(self.signed(node, unsigned, forged), pack(block), tuple(changes), tuple(prepares))

    def claim(self, node: str, round_: int, claim: str) -> RoundChange:
        prepared_round = int(claim[:-1]) if claim else None
        digest = self.block(claim[-1]).header.hash if claim else None
        height = self.current_head.height + 1
        return self.signed(node, RoundChange(height, round_, prepared_round, digest, node, b""), False)

    def change(self, node: str, round_: int, words: list[str], forged: bool, height: int | None) -> RoundChangeMessage:
        height = height or self.current_head.height + 1
        if words[:1] != ["prepared"]:
            unsigned = RoundChange(height, round_, None, None, node, b"")
            return RoundChangeMessage(self.signed(node, unsigned, forged), None, ())
        prepared_round, block = int(words[1]), self.block(words[2])
        unsigned = RoundChange(height, round_, prepared_round, block.header.hash, node, b"")
        prepares = tuple(self.prepare(n, prepared_round, block) for n in words[3:])
        return RoundChangeMessage(self.signed(node, unsigned, forged), pack(block), prepares)

    # -- effects out ---------------------------------------------------------------------------------------------------

    def shown(self, effect: Effect) -> str:
        match effect:
            case PersistVote():
                return f"persist {self.shown_vote(effect.vote)}"
            case PersistPrepared():
                who = " ".join(p.node_id for p in effect.record.prepares)
                return f"persist prepared {effect.record.round} {self.name_of(effect.record.digest)} by {who}"
            case Broadcast():
                return f"broadcast {self.shown_message(effect.message)}"
            case Send():
                return f"send {effect.to} {self.shown_message(effect.message)}"
            case BuildBlock():
                return f"build round {effect.round}{' even empty' if effect.empty_allowed else ''}"
            case CheckBlock():
                how = "fresh" if effect.fresh else "again"
                return f"check {self.name_of(effect.digest)} round {effect.round} {how}"
            case Deliver():
                who = " ".join(s.node_id for s in effect.certificate.seals)
                name = self.name_of(effect.certificate.block_hash)
                return f"deliver {name} round {effect.certificate.round} sealed by {who}"
            case SetTimer():
                return f"timer {effect.at_ms}"
            case RecordEvidence():
                return f"evidence {self.shown_vote(effect.first)} | {self.shown_vote(effect.second)}"
            case FallBehind():
                return f"behind: height {effect.height} from {effect.peer}"
            case SendDecided():
                return f"send {effect.to} decided height {effect.height}"
            case Misbehaved():
                return f"blame {effect.peer}: {effect.what}"

    def shown_vote(self, vote: Vote) -> str:
        match vote:
            case PrePrepare():
                return f"pre-prepare {vote.node_id} {vote.round} {self.name_of(vote.digest)}"
            case Prepare():
                return f"prepare {vote.node_id} {vote.round} {self.name_of(vote.digest)}"
            case Commit():
                return f"commit {vote.node_id} {vote.round} {self.name_of(vote.digest)}"
            case RoundChange():
                claim = (
                    "" if vote.prepared_round is None else f"={vote.prepared_round}{self.name_of(vote.prepared_digest)}"
                )
                return f"change {vote.node_id}{claim} {vote.round}"

    def shown_message(self, message: Message) -> str:
        match message:
            case Proposal():
                changes = "".join(f" ({self.shown_vote(c)})" for c in message.round_changes)
                prepares = "".join(f" ({self.shown_vote(p)})" for p in message.prepares)
                pre_prepare = message.pre_prepare
                return f"proposal {pre_prepare.round} {self.name_of(pre_prepare.digest)}{changes}{prepares}"
            case RoundChangeMessage():
                proof = f" with {len(message.prepares)} prepares" if message.prepares else ""
                return f"{self.shown_vote(message.round_change)}{proof}"
            case Prepare() | Commit():
                return self.shown_vote(message)
            case _:
                return type(message).__name__.lower()
