"""The example's pages: a list that everybody sees, a form for officers, a mail to the one who registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from aiohttp import web
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from apps.common import forms
from apps.common.application import Site
from apps.common.database import Base
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option, Options
from apps.common.mail import SentMail
from apps.common.outbox import Call, Settled
from apps.common.tables import User
from apps.common.web import EVERYBODY, Flash, Kit, View, Visit
from ledger.encoding import Value

HERE = Path(__file__).parent
ACCOUNT = "example-app"
OFFICERS = frozenset({"officer", "admin"})


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    count: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    chain_id: Mapped[str] = mapped_column(String(60), default="")


@dataclass(frozen=True)
class NewThing:
    name: str = forms.text(max_length=40)
    count: int = forms.number(minimum=1, maximum=9999, unit="unit.pieces")
    kind: str = forms.choice()
    marks: tuple[str, ...] = forms.several()
    since: date | None = forms.optional_day()
    detail: str = forms.multiline(max_length=200)


async def show_things(visit: Visit) -> web.StreamResponse:
    things: Sequence[Thing] = await visit.kit.database.read(
        lambda session: session.scalars(select(Thing).order_by(Thing.id.desc()).limit(50)).all()
    )
    return visit.render("example/things.html", things=things)


async def show_secret(visit: Visit) -> web.StreamResponse:
    return visit.render("common/message.html", heading="secret.title", text="new_thing.lead")


async def kinds(visit: Visit) -> Options:
    options = [Option(kind, visit.t(f"kind.{kind}")) for kind in ("bedding", "food")]
    return {"kind": options, "marks": options}


def register(session: Session, visit: Visit, value: NewThing) -> Outcome:
    thing = Thing(name=value.name, count=value.count, state="waiting")
    session.add(thing)
    session.flush()
    call = Call(ACCOUNT, "example", "register", {"subject": f"thing:{thing.id}", "count": value.count})
    write = visit.kit.outbox.put(session, "thing.registered", call, reference=f"thing:{thing.id}", user=visit.user)
    return Outcome(visit.kit.path("home"), Flash("new_thing.done", {}), write)


def registered(kit: Kit, settled: Settled) -> None:
    """What follows from the chain's answer: the row says so, and who registered gets a mail."""
    write, session = settled.write, settled.session
    thing = session.get_one(Thing, int(write.reference.partition(":")[2]))
    thing.state = write.state
    if settled.receipt is None or not settled.done:
        return
    thing.chain_id = str(settled.receipt.result["id"])
    if write.user_id is not None:
        user = session.get_one(User, write.user_id)
        kit.mails.tell(session, user, "registered", reference=write.reference, account=ACCOUNT, thing=thing.name)


def record_mail(sent: SentMail) -> Call:
    arguments: dict[str, Value] = {"kind": sent.kind, "recipient_hash": sent.recipient_hash, "subject": sent.reference}
    return Call(sent.account, "example", "record_mail", arguments)


def make_site() -> Site:
    return Site(
        name="example",
        pages=(
            View("home", "/", show_things, EVERYBODY),
            FormPage("new_thing", "/things/new", OFFICERS, NewThing, register, options=kinds),
            View("secret", "/secret", show_secret, frozenset({"admin"})),
        ),
        navigation=("home", "new_thing", "accounts"),
        catalogue=HERE / "catalogue.toml",
        templates=HERE / "templates",
        migrations=HERE / "migrations",
        roles=("resident", "officer", "admin"),
        registers_as="resident",
        follow_ups={"thing.registered": registered},
        topics={"thing.registered": ("things",)},
        record_mail=record_mail,
    )
