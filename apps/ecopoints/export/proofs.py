"""Proofs as they were first handed out.

Two nodes can hold different certificates of one block, each with a quorum of its own; so a proof that is made again
need not be the same to the byte. The first one is kept, and every later export has it again. Deleting the rows loses no
more than that.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from apps.common.database import Base
from apps.common.web import Kit
from contracts.ecopoints.types import PERIODS, Period
from ledger.encoding import unpack
from ledger.proof import Proof
from ledger.schema import from_plain


class EcoProof(Base):
    """A proof file, by the transaction's id or the row's key."""

    __tablename__ = "eco_proofs"

    about: Mapped[str] = mapped_column(String(160), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


async def transaction(kit: Kit, transaction_id: bytes) -> bytes:
    """The proof of a transaction. `KeyError` if there is none, `ChainUnavailable`."""
    about = transaction_id.hex()
    kept = await _kept(kit, about)
    return kept if kept is not None else await _keep(kit, about, await kit.chain.proof(transaction_id))


async def period_row(kit: Kit, period: Period) -> bytes | None:
    """The proof of a period's row with these figures; None where the node that is asked does not have them (yet).

    What comes after them (an application, the certification) changes the row and not what it proves here.
    """
    key = PERIODS.key(period.period)
    kept = await _kept(kit, key.decode())
    if kept is not None and _says(kept, period):
        return kept
    found = await kit.chain.row_proof(key)
    return await _keep(kit, key.decode(), found) if _says(found, period) else None


def figures(period: Period) -> Period:
    """A period's row without what is not about its figures."""
    return msgspec.structs.replace(period, status="settled", application="", retain_until_ms=0)


def _says(proof: bytes, period: Period) -> bool:
    row = from_plain(Proof, msgspec.json.decode(proof)).row
    return row is not None and row.value is not None and figures(unpack(Period, row.value)) == figures(period)


async def _kept(kit: Kit, about: str) -> bytes | None:
    row = await kit.database.read(lambda session: session.get(EcoProof, about))
    return row.data if row is not None else None


async def _keep(kit: Kit, about: str, data: bytes) -> bytes:
    def put(session: Session) -> None:
        session.merge(EcoProof(about=about, data=data))

    await kit.database.write(put)
    return data
