"""What stands before every page: who asks (session), whether they may (roles), whether our own form sent it (CSRF), and
the headers that keep a browser from being turned against the visitor.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from urllib.parse import quote, urlsplit

from aiohttp import web

from apps.common import sessions
from apps.common.language import as_language, choose_language
from apps.common.settings import Settings
from apps.common.web import EVERYBODY, Flash, Kit, Page, Visit, may_open

MAX_BODY_BYTES = 256 * 1024
MAX_UPLOAD_BYTES = 12 * 1024 * 1024
FLASH_COOKIE = "flash"
LANGUAGE_COOKIE = "lang"
YEAR_S = 365 * 24 * 60 * 60

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # links to other sites tell them nothing, form posts keep their origin
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def session_cookie(settings: Settings) -> str:
    """The `__Host-` prefix makes a browser refuse a cookie that another host of the domain has planted."""
    return "__Host-session" if settings.secure else "session"


def is_form_token(visit: Visit, token: object) -> bool:
    """Whether a form of ours, made for this visitor, was sent from a page of ours."""
    if not isinstance(token, str) or not token.isascii():
        return False
    return hmac.compare_digest(token, visit.form_token) and _is_same_origin(visit.request, visit.kit.settings)


def _is_same_origin(request: web.Request, settings: Settings) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None or origin == "null":
        return origin is None  # browsers that send no Origin are old; the token still guards
    return urlsplit(origin).netloc in (request.host, urlsplit(settings.base_url).netloc)


def client_address(request: web.Request, settings: Settings) -> str:
    """The visitor's address: behind our own proxies what the outermost of them saw, never what a visitor claims."""
    if settings.trusted_proxies:
        claimed = [a.strip() for a in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",") if a.strip()]
        if len(claimed) >= settings.trusted_proxies:
            return claimed[-settings.trusted_proxies]
    return request.remote or "unknown"


async def open_visit(request: web.Request, kit: Kit, page: Page | None) -> Visit:
    """Who asks, in which language."""
    token = request.cookies.get(session_cookie(kit.settings), "")
    user = None
    if sessions.is_token(token):
        user = await sessions.find_user(kit.database, token, kit.clock())
    else:
        token = ""
    visit = Visit(
        request,
        kit,
        page,
        user,
        token or sessions.new_token(),
        choose_language(
            query=request.query.get("lang"),
            cookie=request.cookies.get(LANGUAGE_COOKIE),
            accept=request.headers.get("Accept-Language"),
        ),
        _read_flash(request, kit.settings),
    )
    visit.needs_cookie = False
    return visit


async def answer(visit: Visit, page: Page) -> web.StreamResponse:
    """The page's answer, if the visitor may open it and, for a change, if our own form sent it."""
    request = visit.request
    if not may_open(page.roles, visit.user):
        return _denied(visit)
    if request.method == "POST":
        limit = MAX_UPLOAD_BYTES if page.takes_files and (visit.user or page.roles == EVERYBODY) else MAX_BODY_BYTES
        visit.request = request.clone(client_max_size=limit)
        posted = await visit.posted()
        if not page.renews_form and not is_form_token(visit, posted.get("form_token", "")):
            return visit.render("common/message.html", status=403, heading="error.stale", text="error.stale_text")
    return await page.handle(visit)


def _denied(visit: Visit) -> web.StreamResponse:
    if visit.user is None and visit.request.method in ("GET", "HEAD"):
        response = visit.redirect(visit.kit.path("sign_in"))
        return _with_next(response, visit)
    return visit.render("common/message.html", status=403, heading="error.denied", text="error.denied_text")


def _with_next(response: web.Response, visit: Visit) -> web.Response:
    # After signing in the visitor comes back to where they wanted to go.
    response.headers["Location"] += "?next=" + quote(visit.request.path_qs[:300], safe="/")
    return response


def finish(visit: Visit, response: web.StreamResponse) -> None:
    """Cookies and headers of an answer that is not under way yet."""
    if response.prepared:
        return
    settings = visit.kit.settings
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if settings.secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_S}; includeSubDomains")
    response.headers.setdefault("Cache-Control", "no-store" if visit.user is not None else "no-cache")
    response.headers.setdefault("Vary", "Cookie, Accept-Language")
    _set_session_cookie(visit, response)
    _set_flash(visit, response)
    chosen = as_language(visit.request.query.get("lang"))
    if chosen is not None:
        response.set_cookie(
            LANGUAGE_COOKIE, chosen, max_age=YEAR_S, path="/", httponly=True, samesite="Lax", secure=settings.secure
        )


def _set_session_cookie(visit: Visit, response: web.StreamResponse) -> None:
    name = session_cookie(visit.kit.settings)
    if visit.new_session_token is not None:
        token = visit.new_session_token
    elif visit.needs_cookie and visit.request.cookies.get(name) != visit.session_token:
        token = visit.session_token
    else:
        return
    if not token:
        response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=visit.kit.settings.secure)
        return
    response.set_cookie(name, token, path="/", httponly=True, samesite="Lax", secure=visit.kit.settings.secure)


def _set_flash(visit: Visit, response: web.StreamResponse) -> None:
    if visit.new_flash is not None:
        flash = visit.new_flash
        body = json.dumps([flash.key, dict(flash.params), flash.kind], ensure_ascii=True).encode()
        cookie = urlsafe_b64encode(_seal(visit.kit.settings, body) + body).decode()
        response.set_cookie(
            FLASH_COOKIE, cookie, max_age=60, path="/", httponly=True, samesite="Lax", secure=visit.kit.settings.secure
        )
    elif visit.flash is not None and response.status < 300:
        response.del_cookie(FLASH_COOKIE, path="/")


def _read_flash(request: web.Request, settings: Settings) -> Flash | None:
    cookie = request.cookies.get(FLASH_COOKIE, "")
    if not 0 < len(cookie) <= 2000:
        return None
    try:
        data = urlsafe_b64decode(cookie)
    except ValueError:
        return None
    seal, body = data[:32], data[32:]
    if not hmac.compare_digest(seal, _seal(settings, body)):
        return None
    key, params, kind = json.loads(body)
    return Flash(key, params, kind)


def _seal(settings: Settings, body: bytes) -> bytes:
    return hmac.new(settings.secret, b"flash\x00" + body, sha256).digest()


def random_secret() -> bytes:
    """A secret for `Settings.secret`."""
    return secrets.token_bytes(32)
