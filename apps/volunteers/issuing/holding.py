"""証明書: the volunteer's own certificate to see, to download with the name, and to print as a card (V5d)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from apps.common.web import View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.credentials import certificate as credentials
from apps.volunteers.credentials.card import Face, print_card
from apps.volunteers.credentials.statuslist import PURPOSES
from apps.volunteers.issuing.issuer import Issuer, open_issuer, own_key
from apps.volunteers.issuing.publishing import ask
from apps.volunteers.signing import VOLUNTEER
from contracts.volunteers.queries import CertificateView, VolunteerView

VOLUNTEERS_ONLY = frozenset({VOLUNTEER})


@dataclass(frozen=True, slots=True)
class Own:
    """The newest certificate of who is signed in."""

    view: CertificateView
    skills: tuple[str, ...]


async def own_certificate(visit: Visit) -> Own | None:
    await own_writes(visit)
    person = await ask(visit, VolunteerView, "volunteer", volunteer=visit.signed_in.pseudonym)
    if person is None or not person.volunteer.certificate:
        return None
    view = await ask(visit, CertificateView, "certificate", certificate=person.volunteer.certificate)
    return None if view is None else Own(view, person.volunteer.skills)


async def named_copy(visit: Visit) -> tuple[Own, Issuer, credentials.Certificate]:
    """The certificate with the holder's name, as only they get it."""
    own = await own_certificate(visit)
    if own is None:
        raise web.HTTPNotFound
    made, user = own.view.certificate, visit.signed_in
    issuer, holder = await visit.kit.database.write(
        lambda session: (
            open_issuer(session, visit.kit, made.municipality),
            own_key(session, visit.kit, made.volunteer),
        )
    )
    return own, issuer, issuer.certificate(made, holder, own.skills, user.name[: credentials.MAX_NAME])


async def show_certificate(visit: Visit) -> web.StreamResponse:
    own = await own_certificate(visit)
    if own is None:
        return visit.render("volunteers/issuing/certificate.html", own=None)
    _, issuer, certificate = await named_copy(visit)
    lists = [issuer.publisher.status_url(purpose, certificate.status_index) for purpose in PURPOSES]
    return visit.render(
        "volunteers/issuing/certificate.html", own=own, certificate=certificate, lists=lists, label=words.label
    )


async def download_certificate(visit: Visit) -> web.StreamResponse:
    _, issuer, certificate = await named_copy(visit)
    data = credentials.write_file(issuer.sign(certificate))
    return visit.download(data, f"{certificate.number}.json", "application/vc+ld+json")


async def download_card(visit: Visit) -> web.StreamResponse:
    own, issuer, certificate = await named_copy(visit)
    if own.view.standing != "valid":
        raise web.HTTPNotFound
    keys = [f"skill.{skill.replace('-', '_')}" for skill in certificate.skills]
    texts = visit.kit.catalogue
    skills = [
        texts.text("ja", key, {}) if key in texts else skill
        for key, skill in zip(keys, certificate.skills, strict=True)
    ]
    data = print_card(Face(certificate, issuer.publisher, skills))
    return visit.download(data, f"{certificate.number}.pdf", "application/pdf")


PAGES = (
    View("certificate", "/me/certificate", show_certificate, VOLUNTEERS_ONLY),
    View("certificate_file", "/me/certificate.json", download_certificate, VOLUNTEERS_ONLY),
    View("certificate_card", "/me/certificate.pdf", download_card, VOLUNTEERS_ONLY),
)
