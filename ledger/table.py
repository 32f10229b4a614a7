"""Typed tables in the state: the only way in which contracts and rules read and write it.

The state key of a row is `<contract>/<table>/<id>`; its value is the canonical form of the row.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from ledger.encoding import Wire, pack, unpack
from ledger.kv import Reader, after_prefix

Row = TypeVar("Row", bound=Wire)


class Mark(Wire, frozen=True):
    """A row of an index: that it is there says everything."""


class Writer(Reader, Protocol):
    def put(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> None: ...


class Table(Generic[Row]):
    def __init__(self, contract: str, name: str, row: type[Row]) -> None:
        self._prefix = f"{contract}/{name}/".encode()
        self._row = row
        self.contract = contract
        self.name = name

    def key(self, row_id: str) -> bytes:
        return self._prefix + row_id.encode()

    def get(self, state: Reader, row_id: str) -> Row | None:
        value = state.get(self.key(row_id))
        return None if value is None else unpack(self._row, value)

    def put(self, state: Writer, row_id: str, row: Row) -> None:
        state.put(self.key(row_id), pack(row))

    def delete(self, state: Writer, row_id: str) -> None:
        state.delete(self.key(row_id))

    def page(self, state: Reader, *, prefix: str = "", after: str = "", limit: int) -> list[tuple[str, Row]]:
        """Up to `limit` rows whose id begins with `prefix` and comes after `after`, in the order of their ids."""
        start = self.key(after) + b"\x00" if after else self.key(prefix)
        stop = after_prefix(self.key(prefix))
        rows: list[tuple[str, Row]] = []
        if limit <= 0:
            return rows
        for key, value in state.scan(max(start, self.key(prefix)), stop):
            rows.append((key[len(self._prefix) :].decode(), unpack(self._row, value)))
            if len(rows) == limit:
                break
        return rows
