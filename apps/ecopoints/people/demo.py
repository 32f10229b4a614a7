"""The demonstration's people: who the members are, what is written on their devices, documents, a half year of a car.

Names, addresses and numbers are made up. The pictures are drawn here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import accounts
from apps.common.forms import Upload
from apps.common.seeding import Seeder
from apps.common.tables import User
from apps.ecopoints.people.documents import commitment_of, put_document
from apps.ecopoints.people.looking import identity
from apps.ecopoints.people.tables import EcoPerson, EcoPlate
from apps.ecopoints.signing import MEMBER, app_call
from apps.ecopoints.tables import MemberRow
from contracts.ecopoints.methodology import month_after
from ledger.encoding import Value

NAMES = (
    "佐藤 花子", "鈴木 一郎", "高橋 美咲", "田中 健太", "伊藤 さくら", "有限会社 渡辺電機", "山本 陽子", "中村 大輔",
    "小林 千尋", "加藤 翔", "吉田 真由美", "株式会社 山田製作所",
)  # fmt: skip
STREETS = ("本町", "旭町", "緑町", "南町", "東町", "栄町")
LABELS = {"pv": "屋根の太陽光", "ev": "通勤の車"}
CAR_SERIAL, CAR_MODEL = "OBD-2026-0417", "ZAA-ZE1"
MONTHS_TYPED = 6
PAPER = (900, 640)
RECEIPT = ("RECEIPT", "Charging station, 7 kW", "Serial H-00001-EV", "JPY 64,800", "Paid with thanks")
STATEMENT = ("METER STATEMENT", "Supply point P-00001-PV", "Generated 391 kWh", "Sold 235 kWh")


@dataclass(frozen=True, slots=True)
class Plate:
    """A simulated device as it stands on the chain, and what is written on it."""

    member: str
    kind: str
    commitment: str
    serial: str
    place: str


def name_of(number: int) -> str:
    """What member `number`, from 1, is called."""
    return NAMES[(number - 1) % len(NAMES)]


async def seed_people(seeder: Seeder, town: str, email: str, plates: Sequence[Plate], month: str) -> None:
    """Everything of one town. `month` is the last whole one; the first member has papers and a car that cannot report.

    `email`: of somebody who has applied and waits.
    """
    kit = seeder.kit
    await kit.database.write(lambda session: _put(session, town, email, plates, kit.clock()))
    member = plates[0].member
    if await seeder.rows("ecopoints", "documents", municipality=town):
        return
    for kind, lines in (("receipt", RECEIPT), ("meter-statement", STATEMENT)):
        await _hand_in(seeder, member, kind, picture(lines))
    await _type_a_car(seeder, town, member, month)


async def _type_a_car(seeder: Seeder, town: str, member: str, month: str) -> None:
    """A car that cannot report: half a year of its months is typed."""
    # No number is registered twice, not in another town either.
    serial_text, vin = f"{CAR_SERIAL}-{town}", f"{CAR_MODEL}-{town}"
    plate = EcoPlate(
        member=member, serial=identity(seeder.kit, serial_text), label=LABELS["ev"], serial_text=serial_text,
        place_text=vin,
    )  # fmt: skip
    arguments: dict[str, Value] = {
        "member": member, "kind": "ev", "methodology": "EN-S-012", "serial": plate.serial,
        "place": identity(seeder.kit, vin), "parameters": {"baseline_km_per_l_x10": 150, "km_per_kwh_x10": 60},
    }  # fmt: skip
    (made,) = await seeder.write(app_call(town, "register_device", arguments))
    await seeder.kit.database.write(lambda session: session.merge(plate))
    await seeder.write(
        *(
            app_call(town, "enter_value", {"device": made["device"], "month": at, "channel": channel, "value": value})
            for n in range(1, MONTHS_TYPED + 1)
            for at in (month_after(month, -n),)
            for channel, value in _typed(n).items()
        )
    )


def _typed(n: int) -> dict[str, int]:
    """Metres and, in the months whose bill was found, watt-hours; the others rest on the car's km/kWh."""
    distance = 620_000 + 37_500 * n
    return {"distance": distance} | ({"charged": distance // 6} if n % 2 else {})


async def _hand_in(seeder: Seeder, member: str, kind: str, data: bytes) -> None:
    kit = seeder.kit

    def put(session: Session) -> tuple[str, str, str]:
        row = session.get_one(MemberRow, member)
        document = put_document(session, kit.clock(), row, kind, "", Upload(f"{kind}.png", "image/png", data))
        return row.municipality, document.document, commitment_of(session, document)

    municipality, document, commitment = await kit.database.write(put)
    arguments = {"document": document, "member": member, "kind": kind, "commitment": commitment}
    await seeder.write(app_call(municipality, "register_document", arguments))


def picture(lines: Sequence[str]) -> bytes:
    """A paper with these lines, as a photo would show it."""
    image = Image.new("RGB", PAPER, "#fdfdf8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((30, 30, PAPER[0] - 30, PAPER[1] - 30), outline="#444", width=3)
    for number, line in enumerate(lines):
        draw.text((80, 80 + 100 * number), line, fill="#222", font=ImageFont.load_default(64 if number == 0 else 44))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _put(session: Session, town: str, email: str, plates: Sequence[Plate], now_ms: int) -> None:
    members = session.scalars(
        select(MemberRow).where(MemberRow.municipality == town, MemberRow.left_ms.is_(None)).order_by(MemberRow.number)
    )
    for row in members:
        user = session.scalar(select(User).where(User.pseudonym == row.member))
        session.merge(
            _person(row.member, user, town, row.kind, name_of(row.number + 1), row.number, "joined", row.joined_ms)
        )
    for plate in plates:
        session.merge(
            EcoPlate(
                member=plate.member, serial=plate.commitment, label=LABELS.get(plate.kind, ""),
                serial_text=plate.serial, place_text=plate.place,
            )
        )  # fmt: skip
    if accounts.find(session, email) is None:
        applicant = accounts.create(
            session, email=email, name="清水 直樹", password_hash="", roles=[MEMBER], now_ms=now_ms, is_confirmed=True
        )
        session.add(_person(applicant.pseudonym, applicant, town, "household", applicant.name, 77, "applied", now_ms))


def _person(
    member: str, user: User | None, town: str, kind: str, name: str, number: int, state: str, at_ms: int
) -> EcoPerson:
    return EcoPerson(
        member=member, user_id=user.id if user is not None else None, municipality=town, kind=kind, name=name,
        address=f"{STREETS[number % len(STREETS)]}{number % 5 + 1}-{number % 9 + 1}", phone="", state=state, reason="",
        applied_ms=at_ms,
    )  # fmt: skip
