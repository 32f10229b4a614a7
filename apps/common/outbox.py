"""The outbox: how an application writes to the chain without losing or repeating anything, whenever it is killed.

One database transaction holds the application's own row and a `Write` row with the *signed bytes*. The worker hands the
bytes in until a receipt comes, and marks the row in one transaction with everything that follows from it (mails,
further writes). The chain takes the same bytes only once, so handing them in again is always safe.

A transaction that outlived its expiry is signed anew only when it is known to be dead: a certified block later than its
expiry exists, and a node that has this block does not know the transaction.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from apps.common.chain import Chain, ChainUnavailable, Committed, Keyring, NotAdmitted
from apps.common.database import Database
from apps.common.language import Clock
from apps.common.tables import User, Write
from ledger.encoding import Value, encode, pack
from ledger.types import Receipt, Transaction, TransactionBody

LIFETIME_MS = 50 * 60 * 1000
"""A little less than the hour that the chain allows, so that a clock that is ahead does no harm."""
SUBMIT_TIMEOUT_S = 30.0
FIRST_RETRY_MS = 500
LAST_RETRY_MS = 30_000
BATCH = 64
"""Writes on their way at a time."""
IDLE_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """A write that the chain has decided: what a follow-up is handed, with the session of the deciding transaction."""

    session: Session
    write: Write
    receipt: Receipt | None
    """None if no node would ever take it (then `write.reason` says why)."""

    @property
    def done(self) -> bool:
        return self.write.state == "done"


FollowUp = Callable[[Settled], None]
"""What follows from a decided write, in one database transaction with its marking. Like all database work it may be run
more than once, and has no effect but on the session: it writes rows, queues mails, queues further writes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract, to be signed for `account`."""

    account: str
    contract: str
    method: str
    arguments: Mapping[str, Value]


async def _nothing(kind: str) -> None:
    return


class Outbox:
    def __init__(
        self, database: Database, chain: Chain, keyring: Keyring, clock: Clock, follow_ups: Mapping[str, FollowUp]
    ) -> None:
        self._database = database
        self._chain = chain
        self._keyring = keyring
        self._clock = clock
        self._follow_ups = follow_ups
        self._wake = asyncio.Event()
        self._decided: dict[int, asyncio.Event] = {}
        self.after_decision: Callable[[str], Awaitable[None]] = _nothing
        """Told the kind of a write whose decision is in the database (to wake the mail worker and live lists)."""

    def put(self, session: Session, kind: str, call: Call, *, reference: str = "", user: User | None = None) -> Write:
        """Queue a call in the caller's transaction. `kind` names its follow-up."""
        now_ms = self._clock()
        arguments = encode(dict(call.arguments))
        transaction = self._sign(call.account, call.contract, call.method, arguments, now_ms + LIFETIME_MS)
        write = Write(
            kind=kind,
            reference=reference,
            user_id=user.id if user is not None else None,
            account=call.account,
            contract=call.contract,
            method=call.method,
            arguments=arguments,
            raw=transaction.raw,
            transaction_id=transaction.id,
            expires_ms=now_ms + LIFETIME_MS,
            state="waiting",
            next_ms=now_ms,
            created_ms=now_ms,
        )
        session.add(write)
        session.flush()
        return write

    def wake(self) -> None:
        """Tell the worker that something was put in (it finds out by itself within a second)."""
        self._wake.set()

    async def wait(self, write_id: int, timeout_s: float) -> Write:
        """The write once it is decided, or as it stands after `timeout_s`."""
        decided = self._decided.setdefault(write_id, asyncio.Event())
        self.wake()
        try:
            write = await self._database.read(lambda session: session.get_one(Write, write_id))
            if write.state == "waiting":
                async with asyncio.timeout(timeout_s):
                    await decided.wait()
        except TimeoutError:
            pass
        finally:
            self._decided.pop(write_id, None)
        return await self._database.read(lambda session: session.get_one(Write, write_id))

    async def run(self) -> None:
        """The worker: until it is cancelled."""
        while True:
            self._wake.clear()
            if not await self.work_once():
                try:
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def work_once(self) -> int:
        """Hand in what is due; how many writes were tried."""
        now_ms = self._clock()
        due = await self._database.read(
            lambda session: list(
                session.scalars(
                    select(Write)
                    .where(Write.state == "waiting", Write.next_ms <= now_ms)
                    .order_by(Write.next_ms, Write.id)
                    .limit(BATCH)
                )
            )
        )
        async with asyncio.TaskGroup() as group:
            for write in due:
                group.create_task(self._try(write))
        return len(due)

    async def _try(self, write: Write) -> None:
        """One write. A fault of ours in what follows from it delays this write only, and is seen in its row."""
        try:
            await self._advance(write)
        except DBAPIError:
            raise
        except Exception as fault:
            log.exception("a fault at write %d (%s)", write.id, write.kind)
            await self._later(write, f"fault of ours: {type(fault).__name__}")

    async def _advance(self, write: Write) -> None:
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT_S):
                if self._clock() < write.expires_ms:
                    committed = await self._chain.submit(write.raw, "committed")
                else:
                    committed = await self._chain.find(write.transaction_id)
                    if committed is None and await self._is_dead(write):
                        return await self._sign_again(write)
        except (ChainUnavailable, TimeoutError) as error:
            return await self._later(write, str(error) or "no answer in time")
        except NotAdmitted as refusal:
            return await self._not_admitted(write, refusal)
        if committed is None:
            return await self._later(write, "not in a block yet")
        return await self._settle(write, committed)

    async def _is_dead(self, write: Write) -> bool:
        """Whether the transaction can never be committed any more."""
        head = await self._chain.head()
        if head.time_ms <= write.expires_ms:
            return False  # block time has not passed the expiry: a later block may still hold it
        return await self._chain.find(write.transaction_id, min_height=head.height) is None

    async def _not_admitted(self, write: Write, refusal: NotAdmitted) -> None:
        # "Expired" and "duplicate" are no verdicts: the first copy may be in a block, or still on its way into one.
        committed = await self._chain_find(write)
        if committed is not None:
            return await self._settle(write, committed)
        if refusal.code in ("expired", "duplicate"):
            return await self._later(write, str(refusal))
        await self._decide(write, "refused", None, refusal.code, refusal.ja, refusal.en)

    async def _chain_find(self, write: Write) -> Committed | None:
        try:
            return await self._chain.find(write.transaction_id)
        except ChainUnavailable:
            return None

    async def _settle(self, write: Write, committed: Committed) -> None:
        receipt = committed.receipt
        if receipt.done:
            return await self._decide(write, "done", committed, "", "", "")
        ja = self._chain.reason_text(receipt.reason, receipt.params, "ja")
        en = self._chain.reason_text(receipt.reason, receipt.params, "en")
        await self._decide(write, "refused", committed, receipt.reason, ja, en)

    async def _decide(
        self, write: Write, state: str, committed: Committed | None, reason: str, ja: str, en: str
    ) -> None:
        def mark(session: Session) -> None:
            row = session.get_one(Write, write.id, with_for_update=True)
            if row.state != "waiting":
                return  # another worker was first, and its transaction holds what follows
            row.state, row.settled_ms = state, self._clock()
            row.reason, row.reason_ja, row.reason_en = reason, ja, en
            row.last_error = ""
            if committed is not None:
                row.height, row.block_ms = committed.height, committed.time_ms
                row.receipt = pack(committed.receipt)
            follow_up = self._follow_ups.get(row.kind)
            if follow_up is not None:
                follow_up(Settled(session, row, committed.receipt if committed is not None else None))

        await self._database.write(mark)
        log.info("write %d (%s) is %s %s", write.id, write.kind, state, reason)
        if (decided := self._decided.get(write.id)) is not None:
            decided.set()
        self.wake()
        await self.after_decision(write.kind)

    async def _later(self, write: Write, why: str) -> None:
        delay_ms = min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(write.tries, 10))
        delay_ms += secrets.randbelow(delay_ms // 2)

        def postpone(session: Session) -> None:
            row = session.get_one(Write, write.id)
            row.tries += 1
            row.next_ms = self._clock() + delay_ms
            row.last_error = why[:300]

        await self._database.write(postpone)

    async def _sign_again(self, write: Write) -> None:
        def replace(session: Session) -> None:
            row = session.get_one(Write, write.id, with_for_update=True)
            if row.state != "waiting" or row.transaction_id != write.transaction_id:
                return
            now_ms = self._clock()
            transaction = self._sign(row.account, row.contract, row.method, row.arguments, now_ms + LIFETIME_MS)
            row.raw, row.transaction_id, row.expires_ms = transaction.raw, transaction.id, now_ms + LIFETIME_MS
            row.signed += 1
            row.next_ms = now_ms

        await self._database.write(replace)

    def _sign(self, account: str, contract: str, method: str, arguments: bytes, expires_ms: int) -> Transaction:
        key = self._keyring.key(account)
        body = TransactionBody(
            chain_id=self._chain.chain_id,
            sender=account,
            public_key=key.public_key,
            contract=contract,
            method=method,
            args=arguments,
            nonce=secrets.token_bytes(16),
            expires_at_ms=expires_ms,
        )
        return Transaction.sign(body, key)
