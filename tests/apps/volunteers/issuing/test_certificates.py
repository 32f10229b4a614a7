"""A volunteer's certificate as a file: signed at registration, checked from what the site publishes (V2, V5)."""

from __future__ import annotations

import asyncio
import json

import pytest

from apps.volunteers.credentials.checking import Terms, Valid, check_certificate
from apps.volunteers.credentials.did import read_document
from apps.volunteers.credentials.findings import Revoked, Suspended
from apps.volunteers.credentials.jcs import JsonObject, read_object
from apps.volunteers.issuing.issuer import digest_of
from tests.apps.common.harness import Browser
from tests.apps.volunteers.corps import FOREIGN_VOLUNTEER, HANA, HOME, Corps
from tests.apps.volunteers.handling.steps import OFFICER
from tests.contracts.world import HACHIOJI, TACHIKAWA


async def got(browser: Browser, path: str) -> JsonObject:
    page = await browser.get(path)
    assert page.status == 200, (path, page.status)
    return read_object(page.data)


async def recorded(corps: Corps, certificate: str, other_than: str = "") -> str:
    """The digest of the signed file on the chain, once it is there."""
    async with asyncio.timeout(20):
        while (found := digest_on_chain(corps, certificate)) == other_than:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found


def digest_on_chain(corps: Corps, certificate: str) -> str:
    return str(corps.row("certificate", certificate=certificate)["certificate"]["digest"])


async def checked(corps: Corps, secured: JsonObject) -> object:
    """What somebody without an account finds out from the addresses that the certificate names."""
    base = corps.kit.settings.base_url
    async with corps.as_() as anybody:
        document = read_document(await got(anybody, f"/{HACHIOJI}/did.json"))
        entries = secured["credentialStatus"]
        assert isinstance(entries, list)
        lists = []
        for entry in entries:
            assert isinstance(entry, dict)
            lists.append(await got(anybody, str(entry["statusListCredential"]).removeprefix(base)))
    return check_certificate(secured, Terms([document], lists, corps.clock()))


@pytest.mark.function("V2c", "V2d", "V2f", "V5a", "V5d")
async def test_a_downloaded_certificate_is_checked_from_what_is_published_and_follows_the_chain(corps: Corps) -> None:
    hana = corps.volunteer(HANA, "vietnamese", "gardening")
    certificate = str(corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"])
    corps.clock.forward(60_000)
    async with corps.as_(HANA) as me:
        secured = await got(me, "/me/certificate.json")
    found = await checked(corps, secured)
    assert isinstance(found, Valid), found
    assert "テスト hana" in json.dumps(secured, ensure_ascii=False), "the holder's copy has the name"
    corps.act(OFFICER, "suspend_certificate", certificate=certificate)
    assert isinstance(await checked(corps, secured), Suspended)
    corps.act(OFFICER, "resume_certificate", certificate=certificate)
    assert isinstance(await checked(corps, secured), Valid)
    corps.act(OFFICER, "revoke_certificate", certificate=certificate)
    assert isinstance(await checked(corps, secured), Revoked)


@pytest.mark.function("V2c", "V5d", "X1")
async def test_the_chain_has_the_digest_of_the_file_without_the_name(corps: Corps) -> None:
    hana = corps.volunteer(HANA, "vietnamese")
    certificate = str(corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"])
    first = await recorded(corps, certificate)
    async with corps.as_(HANA) as me:
        named = await got(me, "/me/certificate.json")
    assert digest_of(named) != first, "what has the name is signed apart"
    corps.act(OFFICER, "change_skills", volunteer=hana, skills=["gardening"])
    assert len(await recorded(corps, certificate, other_than=first)) == 64, "what is said now is signed anew"
    async with corps.as_(HANA) as me:
        page = await me.get("/me/certificate")
        assert certificate in page.main and "有効" in page.main and "花壇" in page.main
        await me.get(f"/story/certificate:{certificate}")
        assert "電子署名を記録" in me.page.main


@pytest.mark.function("V5a", "V5d")
async def test_the_number_on_a_card_leads_to_what_it_is_worth_now(corps: Corps) -> None:
    hana = corps.volunteer(HANA)
    certificate = str(corps.row("volunteer", volunteer=hana)["volunteer"]["certificate"])
    async with corps.as_(HANA) as me, corps.as_() as anybody:
        card = await me.get("/me/certificate.pdf")
        assert card.status == 200 and card.data.startswith(b"%PDF-")
        for path in (f"/c/{certificate}", f"/certificates/{certificate}"):
            await anybody.get(path)
            assert "有効" in anybody.page.main and "八王子市" in anybody.page.main
            assert "テスト" not in anybody.page.text and hana not in anybody.page.text
        corps.act(OFFICER, "revoke_certificate", certificate=certificate)
        await anybody.get(f"/c/{certificate}?lang=en")
        assert "revoked" in anybody.page.main
        assert (await me.get("/me/certificate.pdf")).status == 404, "no card of one that does not count"
        assert (await anybody.get("/c/cert-of-nobody")).status == 404
        assert "was issued" in anybody.page.main


@pytest.mark.function("V5d", "X6")
async def test_each_municipality_publishes_its_own_key_and_lists(corps: Corps) -> None:
    corps.volunteer(FOREIGN_VOLUNTEER, municipality=TACHIKAWA)
    async with corps.as_() as anybody, corps.as_(FOREIGN_VOLUNTEER) as me, corps.as_(HOME) as home:
        first, again = [await got(anybody, f"/{HACHIOJI}/did.json") for _ in range(2)]
        other = await got(anybody, f"/{TACHIKAWA}/did.json")
        assert first == again and first["verificationMethod"] != other["verificationMethod"]
        secured = await got(me, "/me/certificate.json")
        assert not isinstance(await checked(corps, secured), Valid), "Hachioji did not sign it"
        assert (await got(anybody, "/schemas/volunteer-certificate.json"))["title"]
        wrong = ("/999999/did.json", f"/{HACHIOJI}/status/other/1", f"/{HACHIOJI}/status/revocation/0")
        for path in (*wrong, f"/{HACHIOJI}/status/revocation/1001", "/c/%20"):
            assert (await anybody.get(path)).status == 404, path
        assert (await home.get("/me/certificate.json")).status == 403


async def test_who_has_no_certificate_is_told_so(corps: Corps) -> None:
    async with corps.as_(HANA) as me:
        await me.get("/me/certificate")
        assert "まだ証明書はありません" in me.page.main
        assert (await me.get("/me/certificate.json")).status == 404
