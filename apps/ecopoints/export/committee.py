"""認証委員会に提出する会員一覧: who the pseudonyms are. Personal data: made for officers alone, never for the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import sheets
from apps.common.language import jst
from apps.common.tables import User
from apps.ecopoints.export.gathering import Gathered

HEADING = ("会員(仮名)", "氏名・名称", "メールアドレス", "種別", "参加日", "機器(登録日)")
KINDS = {"household": "家庭", "firm": "事業者"}
GONE = "(退会により削除)"
TOGETHER = 500


def committee_list(session: Session, found: Gathered) -> bytes:
    """A row for each member of the period, as CSV. Whose personal data was deleted stands there as a pseudonym."""
    names = sorted(found.members)
    people: dict[str, User] = {}
    for start in range(0, len(names), TOGETHER):
        rows = select(User).where(User.pseudonym.in_(names[start : start + TOGETHER]))
        people |= {user.pseudonym: user for user in session.scalars(rows)}
    devices = _devices(found)
    return sheets.write_csv(
        HEADING,
        [
            [
                member.member, *_who(people.get(member.member)), KINDS[member.kind], jst(member.joined_ms).date(),
                "、".join(devices[member.member]),
            ]
            for member in sorted(found.members.values(), key=lambda m: m.number)
        ],
    )  # fmt: skip


def _who(user: User | None) -> tuple[str, str]:
    return (user.name, user.email) if user is not None else (GONE, "")


def _devices(found: Gathered) -> Mapping[str, Sequence[str]]:
    devices: dict[str, list[str]] = {member: [] for member in found.members}
    for row in found.reductions:
        device = found.devices[row.device]
        devices[row.member].append(f"{row.device}({jst(device.registered_ms).date().isoformat()})")
    return devices
