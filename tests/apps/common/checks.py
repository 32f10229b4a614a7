"""Checks that every application gets for nothing: who may open what, texts in both languages, sizes of pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from apps.common import forms
from apps.common.application import Site
from apps.common.form_page import FormPage
from apps.common.text import Catalogue
from apps.common.web import EVERYBODY, SIGNED_IN
from tests.apps.common.harness import Running, add_user

MAX_PAGE_BYTES = 60_000
KEY = re.compile(r"""\bt\(\s*["']([a-z0-9_.]+)["']|(?:Problem|Flash)\(\s*["']([a-z0-9_.]+)["']""")


async def denial_faults(running: Running, roles: Iterable[str]) -> list[str]:
    """Every page × every role and a visitor who did not sign in: the pages that do not answer as `Page.roles` says.

    What may not be opened must answer 403 (a GET of a visitor: lead to signing in); what may be opened must not.
    """
    faults: list[str] = []
    users = {role: f"matrix-{role}@example.jp" for role in roles}
    for role, email in users.items():
        add_user(running.kit, role, email=email)
    for role, email in {"": "", **users}.items():
        async with running.browser(email) as browser:
            for page in running.kit.pages.values():
                if page.name in ("live", "sign_out"):
                    continue  # a stream that does not end; the end of the session that the matrix needs
                allowed = page.roles == EVERYBODY or (bool(role) and (page.roles == SIGNED_IN or role in page.roles))
                path = re.sub(r"\{[^}]*\}", "999999", page.path)
                for method in page.methods:
                    seen = await (
                        browser.get(path, follow=False) if method == "GET" else browser.post(path, {}, follow=False)
                    )
                    is_denied = seen.status == 403 or (
                        seen.status == 303 and seen.headers["Location"].startswith("/sign-in?next=")
                    )
                    if method == "POST" and allowed:
                        continue  # 403 for the missing form token: `form_token_faults` looks at that
                    if is_denied == allowed or seen.status >= 500:
                        faults.append(f"{role or 'nobody'} {method} {page.name}: {seen.status}")
    return faults


async def form_token_faults(running: Running, email: str) -> list[str]:
    """Every page that takes a POST, sent by a signed-in user without a form token: those that do not answer 403."""
    faults: list[str] = []
    async with running.browser(email) as browser:
        for page in running.kit.pages.values():
            if "POST" not in page.methods:
                continue
            path = re.sub(r"\{[^}]*\}", "999999", page.path)
            seen = await browser.post(path, {"step": "confirm"}, follow=False)
            if seen.status not in (403, 404):
                faults.append(f"{page.name}: {seen.status}")
    return faults


def catalogue_gaps(site: Site, catalogue: Catalogue, *folders: Path) -> set[str]:
    """Keys that pages, forms, templates and code of `folders` use and the catalogue lacks."""
    wanted: set[str] = {f"role.{role}" for role in site.roles} | {"site.name"}
    wanted |= {f"{name}.title" for name in site.navigation}
    for page in (page for whose in (*site.parts, site) for page in whose.pages):
        if isinstance(page, FormPage):
            wanted |= {f"{page.name}.title", f"{page.name}.submit"}
            wanted |= {f"{page.name}.{name}" for name, spec in forms.specs(page.form).items() if spec.kind != "hidden"}
            wanted |= {spec.unit for spec in forms.specs(page.form).values() if spec.unit}
    for folder in folders:
        for file in [*folder.rglob("*.html"), *folder.rglob("*.py")]:
            wanted |= {a or b for a, b in KEY.findall(file.read_text(encoding="utf-8")) if not (a or b).endswith(".")}
    return {key for key in wanted if key not in catalogue}
