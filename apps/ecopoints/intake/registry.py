"""What the intake needs to know of devices and periods: the application answers from its copy of the chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.orm import Session

from contracts.ecopoints.metering import Plan, plan_of


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that is registered and not retired. `key` empty: its values are entered by hand."""

    device: str
    kind: str
    methodology: str
    municipality: str
    key: bytes = b""
    parameters: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return plan_of(self.kind, self.parameters)


class Registry(Protocol):
    """Asked within the transaction that acts on the answer."""

    def devices(self, session: Session, ids: Collection[str]) -> Mapping[str, KnownDevice]:
        """Those of `ids` that are registered, retired ones too: what they measured before still counts."""
        ...

    def is_closed(self, session: Session, methodology: str, municipality: str, month: str) -> bool:
        """Whether a period that counts the month is closed: late readings of it are corrections."""
        ...

    def account(self, municipality: str) -> str:
        """The chain account that writes the municipality's batches."""
        ...
