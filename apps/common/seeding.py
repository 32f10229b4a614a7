"""Writing a demonstration's records through an application's own outbox, each after those that it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.common.chain import Plain
from apps.common.outbox import Call
from apps.common.tables import Write
from apps.common.web import Kit
from ledger.encoding import Value, unpack
from ledger.refusal import Reason, Refused, Scalar, Text
from ledger.types import Receipt

WAIT_S = 60.0


class SeedingReason(Reason):
    NOT_WRITTEN = Text(
        "デモデータの {method} を書き込めませんでした: {detail}",
        "the demonstration's {method} was not written: {detail}",
    )


@dataclass(slots=True)
class Seeder:
    """Each call is on the chain before the next begins, and queries show it."""

    kit: Kit
    height: int = field(default=0)
    """Of the last write."""

    async def write(self, *calls: Call) -> list[Mapping[str, Scalar]]:
        """The results of calls that do not rest on each other. `Refused(NOT_WRITTEN)` names what the chain said."""
        outbox = self.kit.outbox
        ids = await self.kit.database.write(lambda session: [outbox.put(session, "seed", call).id for call in calls])
        return [self._result(await outbox.wait(number, WAIT_S)) for number in ids]

    def _result(self, write: Write) -> Mapping[str, Scalar]:
        if write.state != "done" or write.receipt is None or write.height is None:
            detail = write.reason_ja or write.last_error or write.state
            raise Refused(SeedingReason.NOT_WRITTEN, method=write.method, detail=detail)
        self.height = max(self.height, write.height)
        return unpack(Receipt, write.receipt, len(write.receipt)).result

    async def ask(self, contract: str, method: str, **arguments: Value) -> Plain:
        return await self.kit.chain.query(contract, method, arguments, self.height)

    async def rows(self, contract: str, method: str, **arguments: Value) -> Sequence[Mapping[str, Plain]]:
        """The first page of a query's rows."""
        found = await self.ask(contract, method, **arguments)
        rows = found.get("rows") if isinstance(found, dict) else None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
