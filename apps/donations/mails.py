"""D8: the four mails. Each is queued in the transaction that marks the chain's answer, so that it goes out once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.tables import User
from apps.common.web import Kit
from apps.donations.names import read_names, towns
from apps.donations.signing import APP, SHELTER
from apps.donations.tables import Contact, NeedRow, OfferRow
from ledger.refusal import Language

MAX_STAFF = 5


@dataclass(frozen=True, slots=True)
class Recipient:
    email: str
    name: str
    language: Language


def shelter_recipients(session: Session, shelter: str) -> list[Recipient]:
    """Who gets the mails of a shelter: its contact; without one, the people whose accounts act for it."""
    contact = session.get(Contact, shelter)
    if contact is not None and contact.email:
        return [Recipient(contact.email, contact.person, "en" if contact.language == "en" else "ja")]
    staff = session.scalars(
        select(User).where(User.place == shelter, User.suspended_ms.is_(None)).order_by(User.id).limit(MAX_STAFF)
    )
    return [Recipient(u.email, u.name, "en" if u.language == "en" else "ja") for u in staff if SHELTER in u.roles]


def _tell_shelter(
    kit: Kit, session: Session, kind: str, shelter: str, reference: str, item: tuple[str, str], count: int, link: str
) -> None:
    for to in shelter_recipients(session, shelter):
        names = read_names(session, to.language, towns(kit))
        kit.mails.tell_address(
            session, to.email, to.language, kind, reference=reference, account=APP, name=to.name,
            shelter=names.shelter(shelter), item=names.item(*item), quantity=names.quantity(count, item[0]), link=link,
        )  # fmt: skip


def _tell_supporter(
    kit: Kit, session: Session, kind: str, supporter: str, reference: str, shelter: str, item: tuple[str, str],
    count: int, link: str, **more: object,
) -> None:  # fmt: skip
    user = session.scalar(select(User).where(User.pseudonym == supporter))
    if user is None:
        return  # erased since, or a supporter of another application
    names = read_names(session, "en" if user.language == "en" else "ja", towns(kit))
    kit.mails.tell(
        session, user, kind, reference=reference, account=APP, shelter=names.shelter(shelter), item=names.item(*item),
        quantity=names.quantity(count, item[0]), link=link, **more,
    )  # fmt: skip


def tell_shelter_of_pledge(kit: Kit, session: Session, need_id: str, offer: str, pledged: int) -> None:
    """D3c 提供物資登録."""
    need = session.get(NeedRow, need_id)
    if need is None:
        return
    link = kit.url("need", need=need_id)
    _tell_shelter(
        kit, session, "offer_registered", need.shelter, f"offer:{offer}", (need.item, need.size), pledged, link
    )


def tell_supporter_of_request(
    kit: Kit, session: Session, request: str, offer_id: str, need_id: str, quantity: int
) -> None:
    """D6c 送付依頼."""
    offer, need = session.get(OfferRow, offer_id), session.get(NeedRow, need_id)
    if offer is None or need is None:
        return
    link = kit.url("my_request", request=request)
    item = (offer.item, offer.size)
    _tell_supporter(kit, session, "request", offer.supporter, f"request:{request}", need.shelter, item, quantity, link)


def tell_shelter_of_shipment(
    kit: Kit, session: Session, request: str, shelter: str, item: tuple[str, str], quantity: int
) -> None:
    """D3f 提供物資発送."""
    link = kit.url("request", request=request)
    _tell_shelter(kit, session, "shipped", shelter, f"request:{request}", item, quantity, link)


def tell_supporter_of_arrival(
    kit: Kit, session: Session, request: str, supporter: str, shelter: str, item: tuple[str, str], count: int,
    box: int, boxes: int,
) -> None:  # fmt: skip
    """D9e 物資受領: for each box that has arrived."""
    link = kit.url("my_request", request=request)
    _tell_supporter(
        kit, session, "received", supporter, f"request:{request}", shelter, item, count, link, box=box, boxes=boxes
    )
