"""閲覧の記録: the call by which an application records on the chain who looked at personal data (X5)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ledger.contract import Context, Contract, Result, call
from ledger.refusal import Reason, Refused, Text
from ledger.types import MunicipalCode, TimeMs, whole

Viewer = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,63}")]
"""An officer, as the application calls it here."""
Kind = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,47}")]
About = Annotated[str, msgspec.Meta(max_length=64)]


class AccessReason(Reason):
    VIEWED_AHEAD = Text("閲覧した時刻が未来です", "the time of the view lies ahead")


class AccessLog(Contract):
    """Base of contracts whose applications keep personal data. They add `AccessReason` to their `reasons`."""

    @call(roles=[".app"])
    def record_view(
        self, ctx: Context, viewer: Viewer, municipality: MunicipalCode, kind: Kind, about: About = "",
        occurred_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """X5: an officer of a municipality has seen personal data: who (a pseudonym), what kind, about what, when."""
        at_ms = ctx.time_ms if occurred_ms is None else occurred_ms
        if at_ms > ctx.time_ms:
            raise Refused(AccessReason.VIEWED_AHEAD)
        ctx.emit("viewed", [f"access:{municipality}"], viewer=viewer, kind=kind, about=about, occurred_ms=at_ms)
        return None
