"""書類: receipts and registrations that members hand in; the chain keeps a salted commitment to each image (E4b)."""

from __future__ import annotations

from contracts.ecopoints.members import active, known_device
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import DOCUMENTS, DOCUMENTS_OF, Document
from ledger.contract import Context, Result
from ledger.refusal import Refused
from ledger.table import Mark


def register(ctx: Context, *, document_id: str, member_id: str, kind: str, commitment: str, device_id: str) -> Result:
    """E4b: a member's document, about one of its devices or about itself."""
    member = active(ctx, member_id)
    if device_id:
        known_device(ctx, device_id)
    if DOCUMENTS.get(ctx.state, document_id) is not None:
        raise Refused(EcoReason.SAME_DOCUMENT)
    document = Document(document_id, member_id, member.municipality, kind, commitment, device_id, ctx.time_ms)
    DOCUMENTS.put(ctx.state, document_id, document)
    DOCUMENTS_OF.put(ctx.state, f"{member.municipality}/{member_id}/{document_id}", Mark())
    about = [f"device:{device_id}"] if device_id else []
    ctx.emit("document_registered", [f"document:{document_id}", f"member:{member_id}", *about], kind=kind)
    return {"document": document_id}
