"""The status pages in Chromium: they renew themselves in place, fit a phone, and axe-core finds no fault."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.apps.common.screen import TOO_WIDE, WIDTHS, open_chromium, open_page
from tests.http.harness import Served, with_api

pytestmark = pytest.mark.browser


def test_the_overview_renews_itself_and_keeps_what_is_being_typed() -> None:
    async def scenario(api: Served) -> None:
        async with open_chromium() as browser, open_page(browser, 1280) as page:
            await page.goto(api.url + "/")
            await page.fill("#q", "being typed")
            await page.wait_for_timeout(300)
            api.network.commit(api.network.account("new.clerk"))
            await page.wait_for_selector('a[href="/blocks/1"]')
            assert await page.input_value("#q") == "being typed"

    with_api(scenario)


def test_the_pages_fit_a_phone_and_keep_the_rules_of_accessibility() -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        await api.submit(transaction)
        paths = (
            "/",
            "/?lang=en",
            f"/transactions/{transaction.id.hex()}",
            "/blocks/1",
            "/subjects/account%3Anew.clerk",
        )
        async with open_chromium() as browser:
            for width in WIDTHS:
                for path in paths:
                    async with open_page(browser, width) as page:
                        await page.goto(api.url + path)
                        assert await page.evaluate(TOO_WIDE) <= 0, (path, width)
                        await page.evaluate("window.stop()")
                        found = await Axe().run(page)
                        assert not found.response["violations"], (path, width, found.response["violations"])

    with_api(scenario)


def test_without_javascript_the_overview_says_that_it_renews() -> None:
    async def scenario(api: Served) -> None:
        async with open_chromium() as browser, open_page(browser, 320, javascript=False) as page:
            await page.goto(api.url + "/")
            assert await page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count() == 1
            assert await page.locator("text=八王子市").count() >= 1

    with_api(scenario)
