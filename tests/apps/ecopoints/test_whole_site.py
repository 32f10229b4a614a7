"""What holds for the whole eco-point application: roles, texts, the start page."""

from __future__ import annotations

import re

import pytest

from apps.ecopoints.site import HERE, make_site
from tests.apps.common import checks
from tests.apps.ecopoints.town import ADMIN_MAIL, MEMBER_MAIL, NAMES, OFFICER_MAIL, SHOP_MAIL, VERIFIER_MAIL, Town


async def test_no_change_without_a_form_of_ours(town: Town) -> None:
    for email in (ADMIN_MAIL, OFFICER_MAIL, MEMBER_MAIL, SHOP_MAIL, VERIFIER_MAIL):
        assert await checks.form_token_faults(town.running, email) == []


async def test_no_text_is_missing_in_either_language(town: Town) -> None:
    assert checks.catalogue_gaps(make_site(NAMES), town.kit.catalogue, HERE) == set()


def test_every_event_of_the_contract_has_a_sentence(town: Town) -> None:
    code = "".join(p.read_text() for p in (HERE.parent.parent / "contracts" / "ecopoints").glob("*.py"))
    events = set(re.findall(r'emit\(\s*"([a-z_]+)"', code)) | {"reading_released", "reading_rejected", "viewed"}
    assert len(events) > 25
    assert {e for e in events if f"event.{e}" not in town.kit.catalogue} == set()


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_everybody_sees_what_was_saved(town: Town, language: str) -> None:
    async with town.as_() as visitor:
        page = await visitor.get(f"/?lang={language}")
        assert page.status == 200 and "0 kg" in page.main
