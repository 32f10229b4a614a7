"""What is deleted when a member is removed, and what must be kept (E4c, E5c).

Everything that tells who a member was goes at once: account, name, address, mails, names and numbers of devices, files
that were not entered, and every document that no certified period rests on. Documents of a certified period are kept
until two years after its end, then deleted by the application itself. The chain's pseudonymous record stays.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from apps.common import personal
from apps.common.tables import User
from apps.common.web import Kit
from apps.ecopoints.people.tables import EcoDocument, EcoPerson, EcoPlate, EcoUpload
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, PeriodRow
from contracts.ecopoints.credits import RETENTION_MONTHS
from contracts.ecopoints.methodology import month_after, month_start_ms

SWEEP_S = 3_600.0


def document_subject(document: str) -> str:
    """Whose salt it is: a document's own, so that each can be forgotten by itself."""
    return f"document:{document}"


def kept_until_ms(session: Session, member: str, device: str) -> int:
    """E5c: until when a member's document about `device` (empty: about the member) is kept; 0: it need not be.

    It is evidence of every period in which the device has values and whose credits are certified or applied for: what
    the committee may still ask for must not be gone before it decides.
    """
    has_values = exists().where(
        DeviceMonthRow.device == DeviceRow.device, DeviceMonthRow.month >= PeriodRow.first_month,
        DeviceMonthRow.month <= PeriodRow.last_month,
    )  # fmt: skip
    periods = select(PeriodRow.last_month).join(
        DeviceRow,
        (DeviceRow.municipality == PeriodRow.municipality) & (DeviceRow.methodology == PeriodRow.methodology),
    )
    periods = periods.where(DeviceRow.member == member, PeriodRow.application != "", has_values)
    if device:
        periods = periods.where(DeviceRow.device == device)
    last = session.scalar(periods.order_by(PeriodRow.last_month.desc()).limit(1))
    return 0 if last is None else month_start_ms(month_after(last, 1 + RETENTION_MONTHS))


def delete_document(session: Session, document: EcoDocument) -> None:
    """Image and salt: the chain's commitment leads to nothing from now on."""
    personal.forget_subject(session, document_subject(document.document))
    session.delete(document)


def documents_of(session: Session, member: str) -> list[EcoDocument]:
    return list(session.scalars(select(EcoDocument).where(EcoDocument.member == member)))


def erase_member(session: Session, member: str, now_ms: int) -> None:
    """In the transaction that marks the member's leaving as decided by the chain."""
    for document in documents_of(session, member):
        until_ms = kept_until_ms(session, member, document.device)
        if until_ms > now_ms:
            document.keep_until_ms, document.name = until_ms, ""
        else:
            delete_document(session, document)
    for table in (EcoPlate, EcoUpload):
        session.execute(delete(table).where(table.member == member))
    person = session.get(EcoPerson, member)
    if person is not None:
        session.delete(person)
    session.flush()
    user = session.scalar(select(User).where(User.pseudonym == member))
    if user is not None:
        personal.forget_user(session, user)


def delete_due(session: Session, now_ms: int) -> int:
    """Documents of members who have left, once they need not be kept any more; how many."""
    due = session.scalars(
        select(EcoDocument).where(EcoDocument.keep_until_ms > 0, EcoDocument.keep_until_ms <= now_ms).limit(500)
    ).all()
    for document in due:
        delete_document(session, document)
    return len(due)


async def delete_kept(kit: Kit) -> None:
    """The worker: until it is cancelled."""
    while True:
        now_ms = kit.clock()
        if not await kit.database.write(lambda session: delete_due(session, now_ms)):  # noqa: B023
            await asyncio.sleep(SWEEP_S)
