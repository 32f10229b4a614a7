"""What the intake asks of devices and periods, answered from the copy of the chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.ecopoints.intake.registry import KnownDevice
from apps.ecopoints.signing import gateway_account
from apps.ecopoints.tables import DeviceRow, PeriodRow


class CopiedRegistry:
    """`apps.ecopoints.intake.registry.Registry`: what the copy does not show yet is tried again."""

    def devices(self, session: Session, ids: Collection[str]) -> Mapping[str, KnownDevice]:
        rows = session.scalars(select(DeviceRow).where(DeviceRow.device.in_(ids)))
        return {row.device: _known(row) for row in rows}

    def is_closed(self, session: Session, methodology: str, municipality: str, month: str) -> bool:
        query = select(PeriodRow.period).where(
            PeriodRow.municipality == municipality, PeriodRow.methodology == methodology,
            PeriodRow.first_month <= month, PeriodRow.last_month >= month, PeriodRow.status != "open",
        )  # fmt: skip
        return session.scalar(query.limit(1)) is not None

    def account(self, municipality: str) -> str:
        return gateway_account(municipality)


def _known(row: DeviceRow) -> KnownDevice:
    return KnownDevice(
        row.device, row.kind, row.methodology, row.municipality, bytes.fromhex(row.key), dict(row.parameters)
    )  # fmt: skip
