"""The story of a record (X4): its events in order, each with block, time and a proof to download and check offline."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from apps.common.chain import ChainUnavailable, Step
from apps.common.web import EVERYBODY, View, Visit
from ledger.refusal import fill

PAGE_STEPS = 50
MAX_SUBJECT = 160
TRANSACTION_ID = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Told:
    """One step as the page shows it."""

    sentence: str
    step: Step


def tell(visit: Visit, step: Step) -> str:
    """The step as a sentence: `event.<name>` of the catalogue, filled with the event's data.

    Values that are codes may have words of their own: `<field>_value.<value>`.
    """
    catalogue = visit.kit.catalogue
    key = f"event.{step.event.name}"
    if key not in catalogue:
        return visit.t("event.other", name=step.event.name)
    words = {
        name: visit.t(f"{name}_value.{value}") if f"{name}_value.{value}" in catalogue else value
        for name, value in step.event.data.items()
    }
    text = catalogue.texts[key]
    return fill(text.ja if visit.language == "ja" else text.en, words)


async def show_story(visit: Visit) -> web.StreamResponse:
    subject, after = visit.part("subject")[:MAX_SUBJECT], visit.query("after", 60)
    try:
        steps, more = await visit.kit.chain.history(subject, after, PAGE_STEPS)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None
    if not steps and not after:
        raise web.HTTPNotFound
    told = [Told(tell(visit, step), step) for step in steps]
    return visit.render("common/story.html", subject=subject, told=told, more=more)


async def download_proof(visit: Visit) -> web.StreamResponse:
    """The proof of one transaction as a file: it is checked with the genesis and without any node."""
    name = visit.part("transaction_id")
    if TRANSACTION_ID.match(name) is None:
        raise web.HTTPNotFound
    try:
        proof = await visit.kit.chain.proof(bytes.fromhex(name))
    except KeyError:
        raise web.HTTPNotFound from None
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None
    return visit.download(proof, f"proof-{name[:16]}.json", "application/json")


STORY_PAGES = (
    View("story", "/story/{subject}", show_story, EVERYBODY),
    View("proof", "/proof/{transaction_id}", download_proof, EVERYBODY),
)
"""On the chain there is no personal data, so stories are open to everybody, as the chain is to its auditors."""
