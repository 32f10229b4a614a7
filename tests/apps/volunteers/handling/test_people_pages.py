"""Registration and certificates as officers handle them (FUNCTIONS V2)."""

from __future__ import annotations

import asyncio

import pytest

from tests.apps.volunteers.corps import ADMIN_MAIL, FOREIGN_MAIL, HANA, OFFICER_MAIL, Corps
from tests.apps.volunteers.handling.steps import APP, confirm
from tests.apps.volunteers.handling.test_postings_pages import mailed


@pytest.mark.function("V2b", "V2c", "V2d", "V2e", "X5")
async def test_an_officer_returns_an_application_and_registers_the_next_one(corps: Corps) -> None:
    hana = corps.pseudonym(HANA)
    corps.act(APP, "apply_as_volunteer", volunteer=hana, skills=["vietnamese"])
    async with corps.as_(OFFICER_MAIL) as officer, corps.as_(ADMIN_MAIL) as admin:
        await officer.get("/office/volunteers")
        assert hana[:8] in officer.page.main and "テスト" not in officer.page.main
        await officer.get(f"/office/volunteers/{hana}")
        assert "テスト hana" in officer.page.main and "ベトナム語" in officer.page.main
        await officer.get(f"/office/volunteers/{hana}/return")
        await confirm(officer, {"why": "incomplete"})
        await mailed(corps, "returned", HANA)
        corps.act(APP, "apply_as_volunteer", volunteer=hana, skills=["vietnamese"])
        await officer.get(f"/office/volunteers/{hana}/register")
        assert officer.page.inputs["valid_until"] == ["2028-03-31"]
        await officer.send({"valid_until": "2026-01-01"})
        assert officer.page.status == 422
        await confirm(officer, {"valid_until": "2028-03-31"})
        view = corps.row("volunteer", volunteer=hana)
        assert view["standing"] == "valid" and view["volunteer"]["certificate"] in officer.page.main
        await mailed(corps, "registered", HANA)
        await mailed(corps, "certificate", HANA)
        await officer.get(f"/office/volunteers/{hana}/skills")
        await officer.send({"skills": "gardening"})
        assert corps.row("volunteer", volunteer=hana)["volunteer"]["skills"] == ["gardening"]
        async with asyncio.timeout(20):
            while f"氏名と連絡先 を閲覧しました(対象: {hana})" not in (await admin.get("/access-log")).main:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)


@pytest.mark.function("V2f")
async def test_a_certificate_is_suspended_resumed_reissued_and_revoked(corps: Corps) -> None:
    hana = corps.volunteer(HANA)
    first = corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"]
    async with corps.as_(OFFICER_MAIL) as officer:
        for step, standing in (("suspend", "suspended"), ("resume", "valid")):
            await officer.get(f"/office/certificates/{first}/{step}")
            await confirm(officer, {"why": "lost"})
            assert corps.row("certificate", certificate=first)["standing"] == standing
        await officer.get(f"/office/volunteers/{hana}/reissue")
        await confirm(officer, {"valid_until": "2028-03-31"})
        second = corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"]
        assert second != first and "取消済み" in officer.page.main and "再発行" in officer.page.main
        await officer.get(f"/office/certificates/{second}/revoke")
        await confirm(officer, {"why": "misuse"})
        assert corps.row("certificate", certificate=second)["standing"] == "revoked"
        await officer.get(f"/office/certificates/{second}/resume")
        await officer.send({"why": "other"})
        await officer.send({"step": "confirm"})
        assert officer.page.status == 409


@pytest.mark.function("X6")
async def test_another_municipality_s_officer_sees_neither_volunteer_nor_certificate(corps: Corps) -> None:
    hana = corps.volunteer(HANA)
    certificate = corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"]
    async with corps.as_(FOREIGN_MAIL) as foreign:
        for path in (f"/office/volunteers/{hana}", f"/office/certificates/{certificate}/revoke", f"/volunteers/{hana}"):
            assert (await foreign.get(path)).status == 404
        await foreign.get("/office/volunteers?state=registered")
        assert hana[:8] not in foreign.page.main
