"""A form's way from the first keystroke to the chain's answer, without JavaScript."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from apps.common.tables import Write
from tests.apps.common.example.application import Thing
from tests.apps.common.fakes import FakeChain, Refuse
from tests.apps.common.harness import Browser, Running

BLANKET = {"name": "毛布", "count": "12", "kind": "bedding", "detail": "新品のみ"}


async def count(running: Running, table: type[Thing] | type[Write]) -> int:
    return await running.kit.database.read(lambda s: s.scalar(select(func.count()).select_from(table))) or 0


async def send_and_work(running: Running, browser: Browser) -> None:
    """Confirm the reviewed form while the outbox works, as its worker would."""
    sending = asyncio.create_task(browser.send({"step": "confirm"}))
    while not sending.done():
        await running.kit.outbox.work_once()
        await asyncio.sleep(0.01)
    await sending


async def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        page = await browser.send({**BLANKET, "count": "many", "kind": ""})
        assert page.status == 422
        assert 'id="count-error"' in page.text and 'aria-describedby="count-error"' in page.text
        assert 'aria-invalid="true"' in page.text
        assert '<a href="#count">' in page.text and '<a href="#kind">' in page.text
        assert page.inputs["name"] == ["毛布"] and page.inputs["count"] == ["many"]
        assert "新品のみ</textarea>" in page.text
        assert await count(running, Thing) == 0


async def test_nothing_is_final_before_the_review(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        page = await browser.send(BLANKET)
        assert "まだ送信されていません" in page.main and "寝具" in page.main
        assert page.main.count("(入力なし)") == 2, "what was left blank is said to be blank"
        assert await count(running, Thing) == 0
        page = await browser.send({"step": "change"})
        assert page.inputs["name"] == ["毛布"] and "確認画面へ進む" in page.main


async def test_a_confirmed_form_reaches_the_chain_and_the_visitor_sees_it(running: Running, chain: FakeChain) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        await browser.send(BLANKET)
        await send_and_work(running, browser)
        assert 'role="status"' in browser.page.text and "登録しました" in browser.page.main
        assert "記録済み" in browser.page.main
        assert len(chain.blocks) == 1
        page = await browser.get("/")
        assert "登録しました" not in page.main.split("備品一覧")[0]


async def test_a_double_click_and_a_reload_do_it_once(running: Running, chain: FakeChain) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        await browser.send(BLANKET)
        review = browser.page
        fields = {**review.inputs, "step": "confirm"}
        sending = asyncio.gather(*(browser.post(review.url, fields) for _ in range(5)))
        while not sending.done():
            await running.kit.outbox.work_once()
            await asyncio.sleep(0.01)
        assert {page.status for page in await sending} == {200}
        again = await browser.post(review.url, fields)
        assert "二重には登録していません" in again.main
    assert await count(running, Thing) == 1 and await count(running, Write) == 1 and len(chain.blocks) == 1


async def test_what_the_chain_refuses_comes_back_with_the_reason_and_all_that_was_typed(
    running: Running, chain: FakeChain
) -> None:
    chain.contract = lambda transaction, arguments: Refuse("example.no_room")
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        await browser.send(BLANKET)
        await send_and_work(running, browser)
        assert browser.page.status == 409
        assert "台帳が断りました(example.no_room)" in browser.page.main
        assert browser.page.inputs["name"] == ["毛布"]
        chain.contract = lambda transaction, arguments: ({"id": "thing-1"}, [])
        await browser.send({"kind": "bedding"})
        await send_and_work(running, browser)
        assert "登録しました" in browser.page.main


async def test_while_the_chain_is_away_the_visitor_is_told_that_it_is_being_recorded(
    running: Running, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.common.form_page.WAIT_S", 0.05)
    chain.down = True
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        await browser.send(BLANKET)
        page = await browser.send({"step": "confirm"})
        assert "記録しています" in page.main and page.headers["Refresh"] == "2"
        chain.down = False
        await running.kit.outbox.work_once()
        page = await browser.get(page.url)
        assert "備品一覧" in page.main and "記録済み" in page.main


async def test_a_form_that_lay_too_long_keeps_what_was_typed(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        page = await browser.send({**BLANKET, "form_token": "0" * 64})
        assert page.status == 403 and "入力内容は残っています" in page.main
        assert page.inputs["name"] == ["毛布"]
        page = await browser.send({"kind": "bedding"})
        assert "まだ送信されていません" in page.main


async def test_a_form_sent_from_another_site_is_not_taken(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        await browser.get("/things/new")
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            page = await browser.post("/things/new", {**browser.page.inputs, **BLANKET}, headers=headers)
            assert page.status == 403
    assert await count(running, Thing) == 0


async def test_the_address_fills_a_form_in(running: Running) -> None:
    async with running.browser("officer@example.jp") as browser:
        page = await browser.get("/things/new?name=%E6%B0%B4&count=3")
        assert page.inputs["name"] == ["水"] and page.inputs["count"] == ["3"]
