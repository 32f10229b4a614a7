"""Members, devices, readings and documents of the tests of the members' pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from apps.common.tables import User
from apps.ecopoints.intake.packets import Packet, PacketReading, sign_packet
from apps.ecopoints.intake.taking import Intake
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.working import batcher_of
from ledger.crypto import SigningKey
from tests.apps.common.harness import Browser, Seen
from tests.apps.ecopoints.town import MEMBER_MAIL, OFFICER_MAIL, Town

KEY = SigningKey(b"\x07" * 32)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
SOLAR = {"label": "屋根", "serial": "PCS-0001", "place": "03-0011-2233-4455-6677-8899", "capacity_w": "3000"}
CAR = {
    "label": "通勤の車", "serial": "OBD-77", "place": "ZAA-ZE1-123456", "baseline_km_per_l_x10": "150",
    "baseline_fuel": "gasoline",
}  # fmt: skip
PERSON = {
    "municipality": "132012",
    "kind": "household",
    "name": "佐藤 花子",
    "address": "八王子市元本郷町",
    "phone": "042-626-3111",
    "agreed": "1",
}


class Folk:
    """What people of the town do on the pages."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def pseudonym(self, email: str = MEMBER_MAIL) -> str:
        row = self.town.kit.database.read_now(lambda s: s.scalar(select(User).where(User.email == email)))
        assert row is not None
        return row.pseudonym

    async def join(self, email: str = MEMBER_MAIL, **changes: str) -> str:
        """The member applies and an officer registers them."""
        async with self.town.as_(email) as member, self.town.as_(OFFICER_MAIL) as officer:
            await member.get("/join")
            await confirm(member, PERSON | changes)
            pseudonym = self.pseudonym(email)
            await officer.get(f"/applications/{pseudonym}/accept")
            page = await officer.send({"sure": "1"})
            assert page.status == 200, page.main
        return pseudonym

    async def device(self, member: str, kind: str = "solar", **changes: str) -> str:
        """A device that an officer registers; its id."""
        async with self.town.as_(OFFICER_MAIL) as officer:
            await officer.get(f"/members/{member}/devices/{kind}")
            page = await confirm(officer, ({"solar": SOLAR, "car": CAR}[kind]) | changes)
            found = re.search(r"/devices/(device-[^/?]+)$", page.url)
            assert found is not None, page.main
            return found[1]

    async def send(self, device: str, *readings: tuple[str, int, int], sequence: int = 1, manual: bool = False) -> None:
        """Readings (channel, end, register) that the device sends, until they are on the chain."""
        await self.town.copied()
        intake = Intake(self.town.kit.database, CopiedRegistry())
        packet = Packet(device, sequence, tuple(PacketReading(c, end, v) for c, end, v in readings))
        (outcome,) = await intake.take([sign_packet(packet, KEY)], self.town.clock())
        intake.close()
        assert outcome.status == "stored", outcome
        await self.record()

    async def record(self) -> None:
        """What is stored goes to the chain."""
        batcher = batcher_of(self.town.kit)
        while await batcher.plan_once():
            await self.town.kit.outbox.work_once()
        await self.town.copied()

    def ask(self, method: str, **arguments: Any) -> Any:
        return self.town.chain.world.query("ecopoints", method, **arguments)

    async def document(self, browser: Browser, member: str, data: bytes = PNG, **changes: str) -> str:
        await browser.get(f"/members/{member}/documents/new")
        page = await browser.send({"kind": "receipt", **changes}, files={"file": ("領収書.png", data)})
        found = re.search(r"/documents/(doc-[0-9a-f]+)$", page.url)
        assert found is not None, page.main
        return found[1]


async def confirm(browser: Browser, fields: Mapping[str, str | Sequence[str]]) -> Seen:
    """The form filled in, looked at once more, and sent."""
    page = await browser.send(fields)
    assert page.status == 200, page.main
    return await browser.send({"step": "confirm"})
