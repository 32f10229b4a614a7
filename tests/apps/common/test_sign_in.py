"""Signing in and what belongs to it, as a person does it and as somebody tries to get around it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import accounts, sessions
from apps.common.tables import Mail, SignedIn, Throttle, User
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import PASSWORD, Browser, Running, add_user


def last_mail(running: Running) -> Mail:
    return running.kit.database.read_now(lambda s: s.scalars(select(Mail).order_by(Mail.id.desc()).limit(1)).one())


def link(running: Running) -> str:
    found = re.search(r"http://127\.0\.0\.1(/\S+)", last_mail(running).body)
    assert found is not None
    return found[1]


def cookie(browser: Browser) -> str:
    return next(c.value for c in browser._session.cookie_jar if c.key == "session")


@pytest.mark.function("D11b", "V11a")
async def test_signing_in_leads_back_to_where_the_visitor_wanted_to_go(running: Running) -> None:
    async with running.browser() as browser:
        page = await browser.get("/things/new")
        assert "/sign-in?next=" in page.url
        page = await browser.send({"email": "OFFICER@example.jp ", "password": PASSWORD})
        assert page.url.endswith("/things/new") and "ログインしました" in page.main
        assert "テスト officer" in page.text


@pytest.mark.parametrize(
    "where", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
async def test_signing_in_never_leads_to_another_site(running: Running, where: str) -> None:
    async with running.browser() as browser:
        await browser.get("/sign-in")
        page = await browser.send({"email": "officer@example.jp", "password": PASSWORD, "next": where}, follow=False)
        assert page.headers["Location"] == "/"


async def test_the_session_changes_on_signing_in_and_ends_on_signing_out(running: Running) -> None:
    async with running.browser() as browser:
        await browser.get("/sign-in")
        before = cookie(browser)
        await browser.send({"email": "officer@example.jp", "password": PASSWORD})
        after = cookie(browser)
        assert before != after
        page = await browser.get("/")
        token = re.search(r'name="form_token" value="(\w+)"', page.text)
        assert token is not None
        await browser.post("/sign-out", {"form_token": token[1]})
        page = await browser.get("/things/new", headers={"Cookie": f"session={after}"})
        assert "/sign-in" in page.url, "the old cookie opens nothing"


async def test_a_wrong_password_and_an_unknown_address_look_the_same(running: Running) -> None:
    texts = []
    for email in ("officer@example.jp", "nobody@example.jp"):
        async with running.browser() as browser:
            await browser.get("/sign-in")
            page = await browser.send({"email": email, "password": "wrong password"})
            assert page.status == 422 and page.inputs["email"] == [email] and page.inputs["password"] == [""]
            texts.append(page.main.replace(email, ""))
    assert texts[0] == texts[1]


async def test_after_ten_failures_the_account_waits_even_with_the_right_password(
    running: Running, clock: FakeClock
) -> None:
    def fail(session: Session) -> None:
        for number in range(accounts.MAX_TRIES_ACCOUNT):
            accounts.count_try(session, "officer@example.jp", f"10.0.0.{number}", clock())

    running.kit.database.write_now(fail)
    async with running.browser() as browser:
        await browser.get("/sign-in")
        page = await browser.send({"email": "officer@example.jp", "password": PASSWORD})
        assert "しばらくログインできません" in page.main
        clock.forward(accounts.WINDOW_MS + 1)
        await browser.get("/sign-in")
        assert (await browser.send({"email": "officer@example.jp", "password": PASSWORD})).status == 200


def test_one_address_that_tries_many_accounts_waits(running: Running, clock: FakeClock) -> None:
    def work(session: Session) -> bool:
        for number in range(accounts.MAX_TRIES_ADDRESS):
            accounts.count_try(session, f"{number}@example.jp", "10.0.0.1", clock())
        return accounts.is_throttled(session, "new@example.jp", "10.0.0.1", clock())

    assert running.kit.database.write_now(work)


def test_the_table_of_failures_is_bounded(running: Running, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MAX_THROTTLES", 40)

    def work(session: Session) -> int:
        for number in range(100):
            accounts.count_try(session, f"{number}@example.jp", f"10.0.{number}.1", clock() + number)
        return session.scalar(select(func.count()).select_from(Throttle)) or 0

    assert running.kit.database.write_now(work) <= 41


async def test_registering_takes_effect_with_the_link_in_the_mail_only_when_the_button_is_pressed(
    running: Running,
) -> None:
    async with running.browser() as browser:
        await browser.get("/register")
        page = await browser.send(
            {"name": "山田花子", "email": "hanako@example.jp", "password": "長い合言葉を使います。"}
        )
        assert "確認のメールを送りました" in page.main

        def user(session: Session) -> User:
            return session.scalars(select(User).where(User.email == "hanako@example.jp")).one()

        path = link(running)
        await browser.get(path)
        assert running.kit.database.read_now(user).confirmed_ms is None, "opening the link confirms nothing"
        page = await browser.send({})
        assert "メールアドレスを確認しました" in page.main
        assert running.kit.database.read_now(user).confirmed_ms is not None
        assert (await browser.get(path)).status == 410


async def test_registering_twice_tells_only_the_owner(running: Running) -> None:
    async with running.browser() as browser:
        await browser.get("/register")
        page = await browser.send({"name": "x", "email": "officer@example.jp", "password": "another pass phrase"})
        assert "確認のメールを送りました" in page.main
        assert last_mail(running).kind == "already_registered"
        await browser.get("/sign-in")
        assert (await browser.send({"email": "officer@example.jp", "password": "another pass phrase"})).status == 422


async def test_a_forgotten_password_is_replaced_once_and_ends_all_sessions(running: Running) -> None:
    async with running.browser("officer@example.jp") as elsewhere, running.browser() as browser:
        await browser.get("/forgot")
        await browser.send({"email": "officer@example.jp"})
        path = link(running)
        await browser.get(path)
        await browser.send({"password": "a brand new pass phrase"})
        assert (await browser.get(path)).status == 404
        assert "/sign-in" in (await elsewhere.get("/things/new")).url
        page = await browser.sign_in("officer@example.jp", "a brand new pass phrase")
        assert page.status == 200 and "テスト officer" in page.text


async def test_asking_for_an_unknown_addresss_password_tells_nothing(running: Running) -> None:
    async with running.browser() as browser:
        await browser.get("/forgot")
        page = await browser.send({"email": "nobody@example.jp"})
        assert "登録のあるメールアドレスであれば" in page.main


async def test_an_old_link_and_an_old_session_are_over(running: Running, clock: FakeClock) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/forgot")
        await browser.send({"email": "officer@example.jp"})
        clock.forward(accounts.LINK_LIFETIME_MS[accounts.RESET] + 1)
        assert (await browser.get(link(running))).status == 404
        clock.forward(sessions.IDLE_MS + 1)
        assert "/sign-in" in (await browser.get("/things/new")).url
    running.kit.database.write_now(lambda session: sessions.sweep(session, clock()))
    assert running.kit.database.read_now(lambda s: s.scalars(select(SignedIn)).all()) == []


@pytest.mark.function("D11a")
async def test_an_administrator_adds_changes_suspends_and_deletes_accounts(running: Running) -> None:
    async with running.browser("admin@example.jp") as browser:
        await browser.get("/accounts/new")
        await browser.send({"name": "鈴木", "email": "suzuki@example.jp", "roles": ["officer"]})
        page = await browser.send({"step": "confirm"})
        assert "アカウントを作り" in page.main and "suzuki@example.jp" in page.main
        assert last_mail(running).kind == "welcome"
        user = running.kit.database.read_now(
            lambda s: s.scalars(select(User).where(User.email == "suzuki@example.jp")).one()
        )
        assert user.organisation == "132012"
        await browser.get(f"/accounts/{user.id}")
        await browser.send({"state": "suspended", "roles": ["resident"]})
        await browser.send({"step": "confirm"})
        changed = running.kit.database.read_now(lambda s: s.get_one(User, user.id))
        assert changed.suspended_ms is not None and changed.roles == ["resident"]
        await browser.get(f"/accounts/{user.id}/delete")
        assert (await browser.send({})).status == 422
        await browser.send({"sure": "1"})
        assert running.kit.database.read_now(lambda s: s.get(User, user.id)) is None


@pytest.mark.function("X6")
async def test_an_administrator_reaches_only_their_own_municipalitys_accounts(running: Running) -> None:
    other = add_user(running.kit, "officer", email="tachikawa@example.jp", organisation="132021")
    async with running.browser("admin@example.jp") as browser:
        assert "tachikawa@example.jp" not in (await browser.get("/accounts")).text
        for path in (f"/accounts/{other.id}", f"/accounts/{other.id}/delete"):
            assert (await browser.get(path)).status == 404


async def test_a_suspended_account_is_out_at_once(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:

        def suspend(session: Session) -> None:
            session.scalars(select(User).where(User.email == "officer@example.jp")).one().suspended_ms = 1

        running.kit.database.write_now(suspend)
        assert "/sign-in" in (await browser.get("/things/new")).url
        await browser.get("/sign-in")
        assert (await browser.send({"email": "officer@example.jp", "password": PASSWORD})).status == 422


async def test_nobody_is_flooded_with_mails(running: Running) -> None:
    async with running.browser() as browser:
        for _ in range(accounts.MAX_LINKS_ACCOUNT + 3):
            await browser.get("/forgot")
            page = await browser.send({"email": "officer@example.jp"})
            assert "登録のあるメールアドレスであれば" in page.main
    mails = running.kit.database.read_now(lambda s: s.scalars(select(Mail)).all())
    assert len(mails) == accounts.MAX_LINKS_ACCOUNT
