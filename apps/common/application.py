"""An application from a declaration: a `Site` lists its pages, texts and follow-ups, `make_application` serves it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiohttp import web
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from apps.common import account_pages, accounts, security, sessions
from apps.common.access_log import show_access_log
from apps.common.chain import Chain, Keyring
from apps.common.database import Database
from apps.common.kit_pages import KIT_PAGES, KIT_ROUTES
from apps.common.language import Clock, system_clock
from apps.common.live import Live
from apps.common.mail import Mails, Record
from apps.common.mail_pages import mail_pages
from apps.common.outbox import FollowUp, Outbox, Settled
from apps.common.pdf import MissingFont
from apps.common.personal import RecordView
from apps.common.render import KIT_STATIC, Renderer
from apps.common.settings import Settings, Smtp
from apps.common.smtp_sink import SmtpSink
from apps.common.story import STORY_PAGES
from apps.common.tables import FormUse, Letter, User
from apps.common.text import Catalogue
from apps.common.web import Kit, Page, View, Visit
from ledger.refusal import Text

KIT = web.AppKey("kit", Kit)
SWEEP_S = 600.0
RESTART_S = 2.0
END_AGAIN_S = 1.0
MAX_LETTERS = 2_000
FORM_USE_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000

log = logging.getLogger(__name__)

Background = Callable[[Kit], Awaitable[None]]
"""A task of the application's own that runs until it is cancelled (a follower of the chain's events)."""


@dataclass(frozen=True)
class Part:
    """Pages that several applications share, with what belongs to them. The application's own texts lie over these."""

    pages: Sequence[Page]
    catalogue: Path | None = None
    templates: Path | None = None
    migrations: Path | None = None
    follow_ups: Mapping[str, Callable[[Kit, Settled], None]] = field(default_factory=dict)
    topics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    background: Sequence[Background] = ()


@dataclass(frozen=True)
class Site:
    """What an application declares."""

    name: str
    """`donations`: names its folder of static files and, in the catalogue, `site.name` shows people its title."""
    pages: Sequence[Page]
    """The first one named `home` is where people start."""
    parts: Sequence[Part] = ()
    """What it shares with other applications."""
    navigation: Sequence[str] = ()
    """Names of pages in the main menu; each visitor sees those that they may open. Labels: `<page>.title`."""
    catalogue: Path | None = None
    """A TOML file, or a folder of them."""
    texts: Mapping[str, Text] = field(default_factory=dict)
    """Sentences that only the deployment knows (the names of its municipalities)."""
    templates: Path | None = None
    static: Path | None = None
    migrations: Path | None = None
    roles: Sequence[str] = ()
    """Roles of users, in the order in which the account pages show them. Labels: `role.<name>`."""
    registers_as: str = ""
    """The role that people get who make an account themselves; empty: only administrators make accounts."""
    administrators: frozenset[str] = frozenset({"admin"})
    """Roles that manage accounts."""
    officers: frozenset[str] = frozenset({"admin"})
    """Roles that see which mails were sent and which could not be."""
    auditors: frozenset[str] = frozenset({"admin"})
    """Roles that see the access log."""
    access_subject: Callable[[User], str] | None = None
    """The chain's subject of the access log that a user of an auditing role sees."""
    follow_ups: Mapping[str, Callable[[Kit, Settled], None]] = field(default_factory=dict)
    """Kind of a write -> what follows from its decision, in the same database transaction."""
    topics: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Kind of a write -> the live lists that its decision changes."""
    record_mail: Record | None = None
    """The call that records a sent mail on the chain."""
    record_view: RecordView | None = None
    """The call that records on the chain that an officer saw personal data (X5)."""
    background: Sequence[Background] = ()
    attach: Callable[[Kit, web.Application], None] | None = None
    """Adds what is no page: addresses that machines call, without session and form token."""


def make_kit(site: Site, settings: Settings, chain: Chain, keyring: Keyring, clock: Clock = system_clock) -> Kit:
    """Everything that the pages of `site` use; the database is brought up to date."""
    database = Database(settings.database_url)
    with_own: tuple[Part | Site, ...] = (*site.parts, site)
    database.migrate(*(whose.migrations for whose in with_own if whose.migrations is not None))
    texts = [whose.catalogue for whose in with_own if whose.catalogue is not None]
    catalogue = Catalogue.load(*texts, more=site.texts)
    pages = {page.name: page for page in all_pages(site, settings)}
    follow_ups: dict[str, FollowUp] = {}
    outbox = Outbox(database, chain, keyring, clock, follow_ups)
    static = {"common": KIT_STATIC} | ({site.name: site.static} if site.static is not None else {})
    layout = {"site": site, "settings": settings, "navigation": tuple(site.navigation)}
    kit = Kit(
        settings=settings,
        database=database,
        catalogue=catalogue,
        renderer=Renderer([whose.templates for whose in reversed(with_own) if whose.templates], static, layout),
        chain=chain,
        outbox=outbox,
        mails=Mails(settings, database, catalogue, outbox, clock, site.record_mail),
        live=Live(),
        clock=clock,
        pages=pages,
        record_view=site.record_view,
    )
    topics: dict[str, Sequence[str]] = {}
    for whose in with_own:
        follow_ups.update({kind: partial(follow_up, kit) for kind, follow_up in whose.follow_ups.items()})
        topics.update(whose.topics)

    async def after_decision(kind: str) -> None:
        kit.mails.wake()
        await kit.live.touch(*topics.get(kind, ()))

    outbox.after_decision = after_decision
    return kit


def all_pages(site: Site, settings: Settings) -> Iterator[Page]:
    """The kit's pages, those of shared parts, the application's; a later one of the same name replaces an earlier."""
    yield from KIT_PAGES
    yield from STORY_PAGES
    yield from account_pages.pages(site)
    yield from mail_pages(site.officers, demo=settings.demo)
    if site.access_subject is not None:
        yield View("access_log", "/access-log", show_access_log(site.access_subject), site.auditors)
    for part in site.parts:
        yield from part.pages
    yield from site.pages


def make_application(site: Site, kit: Kit) -> web.Application:
    """The web application, with its workers while it runs."""
    application = web.Application(client_max_size=security.MAX_BODY_BYTES)
    application[KIT] = kit
    application.middlewares.append(_errors)
    for page in kit.pages.values():
        for method in page.methods:
            application.router.add_route(method, page.path, _handler(kit, page))
        if "GET" in page.methods:
            application.router.add_route("HEAD", page.path, _handler(kit, page))
    for folder, path in {"common": KIT_STATIC, site.name: site.static}.items():
        if path is not None:
            application.router.add_get(f"/static/{folder}/{{name}}", _static(path))
    for path_pattern, handler in KIT_ROUTES:
        application.router.add_get(path_pattern, handler)
    if site.attach is not None:
        site.attach(kit, application)
    application.on_shutdown.append(lambda _: kit.live.close())
    application.cleanup_ctx.append(_workers(site, kit))
    return application


def _handler(kit: Kit, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await security.open_visit(request, kit, page)
        try:
            response = await security.answer(visit, page)
        except web.HTTPException as error:
            response = error_page(visit, error.status) if error.status >= 400 else _led_elsewhere(error)
        security.finish(visit, response)
        return response

    return handle


def _led_elsewhere(error: web.HTTPException) -> web.Response:
    """A page that raised a redirect (`web.HTTPSeeOther`), as an answer that can carry cookies."""
    return web.Response(status=error.status, headers={"Location": error.headers["Location"]})


def error_page(visit: Visit, status: int) -> web.Response:
    """What went wrong and what to do, in the visitor's language."""
    name = {
        403: "denied",
        404: "not_found",
        405: "not_found",
        413: "too_large",
        429: "too_often",
        501: "no_font",
        503: "unavailable",
    }.get(status, "broken")
    return visit.render("common/message.html", status=status, heading=f"error.{name}", text=f"error.{name}_text")


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Unknown addresses and our own faults get a page too. What is logged names the route, never what was typed."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or request.path.startswith("/static/"):
            raise
        status = error.status
    except (ConnectionError, asyncio.CancelledError):
        raise
    except MissingFont as error:
        log.error("a PDF cannot be made: %s", error)
        status = 501
    except Exception:
        resource = request.match_info.route.resource
        log.exception("fault at %s", resource.canonical if resource is not None else "unknown address")
        status = 500
    visit = await security.open_visit(request, request.app[KIT], None)
    response = error_page(visit, status)
    security.finish(visit, response)
    return response


def _static(folder: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    files = {file.name: file for file in folder.iterdir() if file.is_file()}

    async def serve(request: web.Request) -> web.StreamResponse:
        file = files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        headers = {**security.HEADERS, "Cache-Control": f"public, max-age={security.YEAR_S}, immutable"}
        return web.FileResponse(file, headers=headers)

    return serve


def _workers(site: Site, kit: Kit) -> Callable[[web.Application], AsyncIterator[None]]:
    async def running(_: web.Application) -> AsyncIterator[None]:
        sink = SmtpSink(kit.database, kit.clock)
        if kit.settings.smtp_sink_port is not None:
            await sink.start(kit.settings.smtp_sink_port)
            kit.mails.smtp = Smtp("127.0.0.1", sink.port)
        jobs: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        if kit.settings.work:
            jobs = [("outbox", kit.outbox.run), ("mail", kit.mails.run), ("sweep", partial(_sweep, kit))]
            own = [job for whose in site.parts for job in whose.background] + list(site.background)
            jobs += [(f"{site.name} {i}", partial(job, kit)) for i, job in enumerate(own)]
        tasks = [asyncio.create_task(_kept_up(name, job), name=name) for name, job in jobs]
        yield
        await _end(tasks)
        await sink.stop()
        kit.database.close()

    return running


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    pending = set(tasks)
    while pending:
        # A library may swallow a cancellation (`asyncio.wait_for` can, before Python 3.12): then it is asked again.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=END_AGAIN_S)


async def _kept_up(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run a worker; when it falls (the database is away), begin again a little later."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("the worker %s fell and begins again", name)
        await asyncio.sleep(RESTART_S)


async def _sweep(kit: Kit) -> None:
    def forget(session: Session) -> None:
        now_ms = kit.clock()
        sessions.sweep(session, now_ms)
        accounts.sweep(session, now_ms)
        session.execute(delete(FormUse).where(FormUse.used_ms < now_ms - FORM_USE_LIFETIME_MS))
        newest = session.scalar(select(func.max(Letter.id))) or 0
        session.execute(delete(Letter).where(Letter.id <= newest - MAX_LETTERS))

    while True:
        await kit.database.write(forget)
        await asyncio.sleep(SWEEP_S)
