"""The codes of the chain and their words, and what people write, which stays here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import personal
from apps.common.accounts import new_pseudonym
from apps.common.forms import Option
from apps.common.tables import User
from apps.common.web import Visit
from apps.volunteers.tables import Words

KINDS = (
    "cafe", "kids_meal", "garden", "cleanup", "reading", "phone_help", "lightbulb", "carrying", "wiring", "snow",
    "watching", "interpreting", "event", "disaster", "other",
)  # fmt: skip
"""What is done: 認知症カフェ, 子ども食堂, 花壇 … (図表 63 of the report, and 災害ボランティア)."""
SKILLS = (
    "vietnamese", "english", "chinese", "korean", "sign_language", "gardening", "computers", "driving", "cooking",
    "reading_aloud", "carpentry", "wiring", "first_aid", "childcare", "dementia_care",
)  # fmt: skip
PLACES = ("central", "north", "south", "east", "west", "other_place")
"""Coarse areas of a municipality: never an address."""
OUTCOMES = ("well", "partly", "problem")


def code_of(name: str) -> str:
    """A name of ours as a code of the chain, which has no underscores."""
    return name.replace("_", "-")


def label(visit: Visit, part: str, code: str) -> str:
    """The words for a code of the chain; the code itself for one that another application has made."""
    key = f"{part}.{code.replace('-', '_')}"
    return visit.t(key) if key in visit.kit.catalogue else code


def options(visit: Visit, part: str, names: Iterable[str]) -> list[Option]:
    return [Option(code_of(name), visit.t(f"{part}.{name}")) for name in names]


def commit_words(session: Session, visit: Visit, title: str, words: str = "", address: str = "") -> str:
    """The commitment to what was written, which is kept here; empty where nothing was."""
    return keep_words(session, visit.now_ms, title, words, address)


def keep_words(session: Session, now_ms: int, title: str, words: str = "", address: str = "") -> str:
    """The same without a visitor."""
    if not (title or words or address):
        return ""
    data = "\x00".join((title, words, address)).encode()
    # The id of what it belongs to is the chain's to give: the salt hangs on a name of our own.
    commitment = personal.commit_to(session, f"words:{new_pseudonym()}", "words", data)
    row = Words(commitment=commitment, title=title, words=words, address=address, written_ms=now_ms)
    session.add(row)
    return commitment


def read_words(session: Session, commitments: Iterable[str]) -> Mapping[str, Words]:
    """By commitment; what was erased, or written in another application, is not there."""
    wanted = sorted({c for c in commitments if c})
    rows = session.scalars(select(Words).where(Words.commitment.in_(wanted))).all() if wanted else ()
    return {row.commitment: row for row in rows}


def people_by_pseudonym(session: Session, pseudonyms: Iterable[str]) -> Mapping[str, User]:
    """Who is behind the pseudonyms of volunteers (`x`) and requesters (`x-r`); erased ones are not there.

    What is shown of them is personal data: `note_view` first.
    """
    wanted = {p: p.removesuffix("-r") for p in pseudonyms if p}
    rows = session.scalars(select(User).where(User.pseudonym.in_(sorted(set(wanted.values()))))).all()
    found = {user.pseudonym: user for user in rows}
    return {p: found[own] for p, own in wanted.items() if own in found}
