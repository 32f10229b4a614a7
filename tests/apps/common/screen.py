"""Looking at pages as people do: Chromium at a phone's and a desk's width, with and without JavaScript, with axe-core.

The system's Chromium is used (Debian: `chromium`); DAICHO_CHROMIUM names another.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

WIDTHS = (320, 1280)
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21aa", "wcag22aa")
MIN_TARGET_PX = 44
MIN_TEXT_PX = 16

SMALL_TARGETS = """() => [...document.querySelectorAll(
  'button, input:not([type=hidden]), select, textarea, summary, nav a, .button, .links a, .problems a')]
  .map(e => e.matches('.choice input') ? e.closest('label') : e)
  .map(e => [e, e.getBoundingClientRect()])
  .filter(([e, r]) => r.width > 1 && r.height > 1 && (r.height < %d || r.width < %d))
  .map(([e, r]) => `${e.outerHTML.slice(0, 80)} ${r.width}x${r.height}`)"""
SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    && e.getClientRects().length && !e.closest('svg, script, style')
    && parseFloat(getComputedStyle(e).fontSize) < %d)
  .map(e => e.outerHTML.slice(0, 80))"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def chromium() -> str:
    found = os.environ.get("DAICHO_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("browser tests need Chromium. Remedy on Debian: apt-get install chromium")
    return found


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(
    browser: Browser, width: int, *, javascript: bool = True, language: str = "ja"
) -> AsyncIterator[Page]:
    """A visitor of their own: nothing is shared with other pages."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=javascript, locale=f"{language}-JP"
    )
    context.set_default_timeout(15_000)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def faults_of(page: Page) -> Sequence[str]:
    """What breaks the rules of X2 on the page as it stands: axe-core, width, sizes of targets and text.

    Needs a page with JavaScript (axe-core is a script).
    """
    results = await Axe().run(page, options={"runOnly": {"type": "tag", "values": list(AXE_TAGS)}})
    faults = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:160]} {violation['nodes'][0].get('failureSummary', '')}"
        for violation in results.response["violations"]
    ]
    faults += [f"small target: {e}" for e in await page.evaluate(SMALL_TARGETS % (MIN_TARGET_PX, MIN_TARGET_PX))]
    faults += [f"small text: {e}" for e in await page.evaluate(SMALL_TEXT % MIN_TEXT_PX)]
    if (extra := await page.evaluate(TOO_WIDE)) > 0:
        faults.append(f"the page is {extra} px wider than the screen")
    return faults
