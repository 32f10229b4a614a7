"""認証委員会に提出する一覧: who the pseudonyms are, and which devices. Personal data: for officers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import sheets
from apps.common.language import jst
from apps.common.sheets import Cell
from apps.common.tables import User
from apps.ecopoints.export.archive import COMMITTEE_DEVICES, COMMITTEE_MEMBERS
from apps.ecopoints.export.gathering import Gathered
from apps.ecopoints.people.looking import plates_of
from apps.ecopoints.people.tables import EcoPerson

MEMBERS = ("会員(仮名)", "氏名・名称", "住所", "電話番号", "メールアドレス", "種別", "参加日")
DEVICES = ("機器", "会員(仮名)", "呼び名", "製造番号", "供給地点番号・車台番号", "登録日")
KINDS = {"household": "家庭", "firm": "事業者"}
GONE = "(退会により削除)"
TOGETHER = 500


def committee_lists(session: Session, found: Gathered) -> Mapping[str, bytes]:
    """Files of the export: a line for each member, and one for each device.

    Whose personal data was deleted stands there as a pseudonym.
    """
    members: list[list[Cell]] = [
        [member.member, *_who(session, member.member), KINDS[member.kind], jst(member.joined_ms).date()]
        for member in sorted(found.members.values(), key=lambda m: m.number)
    ]
    return {
        COMMITTEE_MEMBERS: sheets.write_csv(MEMBERS, members),
        COMMITTEE_DEVICES: sheets.write_csv(DEVICES, _devices(session, found)),
    }


def _who(session: Session, member: str) -> tuple[str, str, str, str]:
    """Name, address, phone, e-mail. Whoever is served on paper has no account."""
    person = session.get(EcoPerson, member)
    user = session.scalar(select(User).where(User.pseudonym == member))
    if person is None:
        return (user.name, "", "", user.email) if user is not None else (GONE, "", "", "")
    return person.name, person.address, person.phone, user.email if user is not None else ""


def _devices(session: Session, found: Gathered) -> Iterator[Sequence[Cell]]:
    for start in range(0, len(found.reductions), TOGETHER):
        rows = found.reductions[start : start + TOGETHER]
        plates = plates_of(session, sorted({row.member for row in rows}))
        for row in rows:
            device = found.devices[row.device]
            plate = plates.get((row.member, device.serial))
            written = (plate.label, plate.serial_text, plate.place_text) if plate is not None else (GONE, "", "")
            yield [row.device, row.member, *written, jst(device.registered_ms).date()]
