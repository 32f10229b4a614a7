"""What holds for every page: who may open it, where it can be embedded, how large it is, what an error looks like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from apps.common.security import client_address
from apps.common.web import may_open
from tests.apps.common import checks
from tests.apps.common.example.application import ACCOUNT, make_site
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import Running, database_url, keyring, serve, settings


@pytest.mark.function("D11c", "E9a")
async def test_no_page_opens_for_the_wrong_role(running: Running) -> None:
    assert await checks.denial_faults(running, ("resident", "officer", "admin")) == []


async def test_the_matrix_finds_a_page_that_is_open_by_mistake(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.common.security.may_open", lambda roles, user: True)
    assert any("secret" in fault for fault in await checks.denial_faults(running, ("resident",)))


async def test_no_change_without_a_form_of_ours(running: Running) -> None:
    assert await checks.form_token_faults(running, "admin@example.jp") == []


async def test_every_answer_carries_the_security_headers(running: Running) -> None:
    async with running.browser() as browser:
        for path in ("/", "/sign-in", "/nowhere", "/secret"):
            page = await browser.get(path)
            policy = page.headers["Content-Security-Policy"]
            assert (
                "script-src 'self'" in policy and "unsafe-inline" not in policy and "frame-ancestors 'none'" in policy
            )
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert "Strict-Transport-Security" not in page.headers
            assert "<script>" not in page.text and " style=" not in page.text and " onclick=" not in page.text


async def test_pages_are_small_and_their_assets_are_kept(running: Running) -> None:
    async with running.browser("admin@example.jp") as browser:
        for path in ("/", "/things/new", "/accounts", "/mails", "/mailbox"):
            page = await browser.get(path)
            assert page.status == 200 and len(page.text.encode()) < checks.MAX_PAGE_BYTES
        start = browser.page.text.index("/static/common/style.css")
        address = browser.page.text[start : browser.page.text.index('"', start)]
        style = await browser.get(address)
        assert len(style.text.encode()) < 15_000
        assert "immutable" in style.headers["Cache-Control"]


async def test_an_unknown_address_says_so_in_both_languages(running: Running) -> None:
    async with running.browser() as browser:
        page = await browser.get("/nowhere")
        assert page.status == 404 and "ページが見つかりません" in page.main
        page = await browser.get("/nowhere", headers={"Accept-Language": "en"})
        assert "There is no such page" in page.main


async def test_the_chosen_language_stays(running: Running) -> None:
    async with running.browser() as browser:
        assert '<html lang="ja">' in (await browser.get("/")).text
        assert '<html lang="en">' in (await browser.get("/?lang=en")).text
        assert "Equipment" in (await browser.get("/")).main


async def test_a_fault_of_ours_shows_a_page_and_tells_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    async def fall(visit: object) -> None:
        raise RuntimeError("secret detail taro@example.jp")

    page = running.kit.pages["home"]
    monkeypatch.setattr(type(page), "handle", lambda self, visit: fall(visit))
    async with running.browser() as browser:
        answer = await browser.get("/")
    assert answer.status == 500 and "処理できませんでした" in answer.main and "secret" not in answer.text


def test_roles_decide_and_nothing_else() -> None:
    assert may_open(frozenset({"*"}), None)
    assert not may_open(frozenset({"+"}), None)
    assert not may_open(frozenset({"admin"}), None)


async def test_behind_tls_cookies_are_secure_and_browsers_stay_with_tls(
    tmp_path: Path, clock: FakeClock, chain: FakeChain
) -> None:
    kit_settings = settings(database_url("sqlite", tmp_path), base_url="https://supplies.example.lg.jp")
    async with serve(make_site(), kit_settings, chain, keyring(ACCOUNT), clock) as site, site.browser() as browser:
        page = await browser.get("/sign-in")
        assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
        cookie = page.headers["Set-Cookie"]
        assert cookie.startswith("__Host-session=")
        assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))


async def test_a_visitors_claim_of_an_address_counts_only_behind_our_own_proxy(running: Running) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": "1.1.1.1, 2.2.2.2"})
    assert client_address(request, running.kit.settings) not in ("1.1.1.1", "2.2.2.2")
    assert client_address(request, replace(running.kit.settings, trusted_proxies=1)) == "2.2.2.2"


async def test_too_large_a_body_is_refused_before_it_is_read(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        page = await browser.send({"detail": "x" * 400_000})
        assert page.status == 413 and "大きすぎます" in page.main
