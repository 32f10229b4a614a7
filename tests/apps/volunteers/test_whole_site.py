"""What holds for the whole of the volunteers' application: roles, texts, forms, the start page."""

from __future__ import annotations

import re

import pytest

from apps.volunteers.signing import ROLES
from apps.volunteers.site import HERE, make_site
from apps.volunteers.words import KINDS, OUTCOMES, PLACES, SKILLS
from contracts.volunteers.certificates import EVENTS
from contracts.volunteers.transitions import APPLICATION, ASK
from tests.apps.common import checks
from tests.apps.volunteers.corps import ADMIN_MAIL, HANA, HOME, NAMES, NEIGHBOUR, OFFICER_MAIL, SHOP_MAIL, Corps


@pytest.mark.function("V11a")
async def test_no_page_opens_for_the_wrong_role(corps: Corps) -> None:
    assert await checks.denial_faults(corps.running, ROLES) == []


async def test_no_change_without_a_form_of_ours(corps: Corps) -> None:
    for email in (HOME, NEIGHBOUR):
        corps.requester(email)
    await corps.copied()
    for email in (ADMIN_MAIL, OFFICER_MAIL, HOME, NEIGHBOUR, HANA, SHOP_MAIL):
        assert await checks.form_token_faults(corps.running, email) == []


def test_no_text_is_missing_in_either_language(corps: Corps) -> None:
    assert checks.catalogue_gaps(make_site(NAMES), corps.kit.catalogue, HERE) == set()
    for part, names in (("kind", KINDS), ("skill", SKILLS), ("place", PLACES), ("outcome", OUTCOMES)):
        assert {n for n in names if f"{part}.{n}" not in corps.kit.catalogue} == set()


def test_every_event_of_the_contract_has_a_sentence(corps: Corps) -> None:
    code = "".join(p.read_text() for p in (HERE.parent.parent / "contracts" / "volunteers").glob("*.py"))
    events = set(re.findall(r'emit\(\s*"([a-z_]+)"', code)) | {f"certificate_{name}" for name in EVENTS.values()}
    ended = {t.target for t in APPLICATION.transitions.values()} - {"present", "no_show"}
    events |= {f"application_{status}" for status in ended}
    events |= {f"ask_{t.target}" for t in ASK.transitions.values()}
    assert len(events) > 40
    assert {e for e in events if f"event.{e}" not in corps.kit.catalogue} == set()


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_everybody_sees_how_much_is_going_on(corps: Corps, language: str) -> None:
    corps.volunteer(HANA)
    async with corps.as_() as visitor:
        page = await visitor.get(f"/?lang={language}")
        word = "登録ボランティア" if language == "ja" else "Registered volunteers"
        assert page.status == 200 and re.search(rf"{word}\s+1\s", page.main)
