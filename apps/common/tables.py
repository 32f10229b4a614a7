"""The kit's tables. Times are milliseconds since 1970. Personal data is in `User`, `Mail` and `Letter`, nowhere else.

Each application has a database of its own with its own pseudonyms, so that what two of them know cannot be joined.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base


class User(Base):
    """A person who signs in. `pseudonym` is what the chain may know of them; it means nothing without this row."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(40), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Trimmed and in lower case."""
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list[str]] = mapped_column(JSON)
    organisation: Mapped[str] = mapped_column(String(6), default="")
    """The municipality whose officer this is; empty for residents and supporters."""
    place: Mapped[str] = mapped_column(String(64), default="")
    """What within the municipality this account acts for (a shelter's id, a shop's id): the application's to say."""
    chain_account: Mapped[str] = mapped_column(String(64), default="")
    """The account that signs what this user does; empty: the application's own."""
    language: Mapped[str] = mapped_column(String(2), default="ja")
    created_ms: Mapped[int] = mapped_column(BigInteger)
    confirmed_ms: Mapped[int | None] = mapped_column(BigInteger)
    """When the address was confirmed by its link."""
    suspended_ms: Mapped[int | None] = mapped_column(BigInteger)


class SignedIn(Base):
    """A session of somebody who signed in. Visitors who did not have none: their form tokens need no row."""

    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class LinkToken(Base):
    """A link sent by mail: to confirm an address, to choose a new password. Good once."""

    __tablename__ = "link_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    expires_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class Throttle(Base):
    """Failed tries of one address or one account in the running window. The key is a hash, the table is bounded."""

    __tablename__ = "throttles"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    window_ends_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    tries: Mapped[int]


class FormUse(Base):
    """A form that was sent: the same form sent again (a double click, a reload) leads to the first one's result."""

    __tablename__ = "form_uses"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    location: Mapped[str] = mapped_column(String(500))
    write_id: Mapped[int | None] = mapped_column(BigInteger)
    used_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class Write(Base):
    """The outbox: one call on its way to the chain, as the signed bytes. See `apps/common/outbox.py`."""

    __tablename__ = "writes"
    __table_args__ = (Index("writes_due", "state", "next_ms"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    """Which follow-up takes the receipt."""
    reference: Mapped[str] = mapped_column(String(120), index=True)
    """The application's own word for what this is about (`pledge:17`)."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    account: Mapped[str] = mapped_column(String(64))
    contract: Mapped[str] = mapped_column(String(48))
    method: Mapped[str] = mapped_column(String(48))
    arguments: Mapped[bytes] = mapped_column(LargeBinary)
    """The canonical bytes of the arguments, to sign them again if the transaction died of age."""
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    """The signed transaction. Always these bytes, however often they are sent."""
    transaction_id: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """waiting, done, refused."""
    tries: Mapped[int] = mapped_column(default=0)
    signed: Mapped[int] = mapped_column(default=1)
    """How often it was signed: more than once only after the earlier transaction was known to be dead."""
    next_ms: Mapped[int] = mapped_column(BigInteger)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    settled_ms: Mapped[int | None] = mapped_column(BigInteger)
    height: Mapped[int | None] = mapped_column(BigInteger)
    block_ms: Mapped[int | None] = mapped_column(BigInteger)
    receipt: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The canonical bytes of the chain's receipt."""
    reason: Mapped[str] = mapped_column(String(120), default="")
    """The code of the refusal, for people's eyes its texts below."""
    reason_ja: Mapped[str] = mapped_column(Text, default="")
    reason_en: Mapped[str] = mapped_column(Text, default="")
    last_error: Mapped[str] = mapped_column(String(300), default="")


class Mail(Base):
    """A mail to be sent, being sent, sent, or given up. See `apps/common/mail.py`."""

    __tablename__ = "mails"
    __table_args__ = (Index("mails_due", "state", "next_ms"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    reference: Mapped[str] = mapped_column(String(120), index=True)
    account: Mapped[str] = mapped_column(String(64))
    """The chain account that records the sending."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    """Of the recipient's hash on the chain."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """waiting, sent, failed."""
    tries: Mapped[int] = mapped_column(default=0)
    next_ms: Mapped[int] = mapped_column(BigInteger)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    settled_ms: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str] = mapped_column(String(300), default="")


class Letter(Base):
    """What the demo's own mail server took in: the demo mailbox page shows it."""

    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(200), index=True)
    recipient: Mapped[str] = mapped_column(String(254), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    received_ms: Mapped[int] = mapped_column(BigInteger)


class Salt(Base):
    """The salt of one commitment on the chain. Deleting it makes the commitment meaningless (erasure)."""

    __tablename__ = "salts"
    __table_args__ = (UniqueConstraint("subject", "purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(120))
    purpose: Mapped[str] = mapped_column(String(40))
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))


class Cursor(Base):
    """How far a follower has read the chain's events: moved in the same transaction as what it wrote."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    height: Mapped[int] = mapped_column(BigInteger)
