"""Pages of the account: signing in and out, registering, confirming the address, a new password; and for administrators
the list of accounts. Every application has them; what an answer says never tells whether an address has an account.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import accounts, forms, sessions
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Problem
from apps.common.passwords import hash_password, is_password
from apps.common.security import client_address
from apps.common.tables import User
from apps.common.web import EVERYBODY, SIGNED_IN, Flash, Page, View, Visit

if TYPE_CHECKING:
    from apps.common.application import Site


@dataclass(frozen=True)
class SignIn:
    email: str = forms.email(autocomplete="username")
    password: str = forms.password()
    next: str = forms.hidden(max_length=400)


@dataclass(frozen=True)
class Register:
    name: str = forms.text(max_length=60, autocomplete="name")
    email: str = forms.email()
    password: str = forms.password(new=True)


@dataclass(frozen=True)
class Forgot:
    email: str = forms.email()


@dataclass(frozen=True)
class NewPassword:
    password: str = forms.password(new=True)


@dataclass(frozen=True)
class ChangePassword:
    current: str = forms.password()
    password: str = forms.password(new=True)


def pages(site: Site) -> tuple[Page, ...]:
    """The account pages of an application."""
    from apps.common.admin_pages import admin_pages

    return (
        FormPage(
            "sign_in", "/sign-in", EVERYBODY, SignIn, _sign_in, check=_check_sign_in, review=False,
            template="common/sign_in.html", context=_sign_in_context(site),
        ),
        View("sign_out", "/sign-out", _sign_out, SIGNED_IN, ("POST",)),
        *(_register_pages(site.registers_as) if site.registers_as else ()),
        View("confirm", "/confirm/{token}", _confirm, EVERYBODY, ("GET", "POST")),
        FormPage("forgot", "/forgot", EVERYBODY, Forgot, _forgot, review=False),
        FormPage(
            "reset", "/reset/{token}", EVERYBODY, NewPassword, _reset, review=False, prepare=_prepare_new,
            context=_reset_context,
        ),
        FormPage(
            "change_password", "/account/password", SIGNED_IN, ChangePassword, _change, review=False,
            check=_check_change, prepare=_prepare_change,
        ),
        *admin_pages(site),
    )  # fmt: skip


def _register_pages(role: str) -> tuple[Page, ...]:
    def register(session: Session, visit: Visit, value: Register) -> Outcome:
        register_user(session, visit, value, role)
        return Outcome(visit.kit.path("sign_in"), Flash("register.sent", {}))

    return (FormPage("register", "/register", EVERYBODY, Register, register, prepare=_prepare_register, review=False),)


def _sign_in_context(site: Site) -> Callable[[Visit], Awaitable[Mapping[str, object]]]:
    async def context(visit: Visit) -> Mapping[str, object]:
        return {"can_register": bool(site.registers_as)}

    return context


async def _check_sign_in(visit: Visit, value: SignIn) -> Mapping[str, Problem]:
    database, now_ms = visit.kit.database, visit.now_ms
    address = client_address(visit.request, visit.kit.settings)
    if await database.read(lambda s: accounts.is_throttled(s, value.email, address, now_ms)):
        return {"": Problem("sign_in.throttled", {"minutes": accounts.WINDOW_MS // 60_000})}
    user = await database.read(lambda s: accounts.find(s, value.email))
    is_right = await is_password(user.password_hash if user is not None else "", value.password)
    if user is None or not is_right or user.suspended_ms is not None:
        await database.write(lambda s: accounts.count_try(s, value.email, address, now_ms))
        return {"": Problem("sign_in.wrong")}
    return {}


def _sign_in(session: Session, visit: Visit, value: SignIn) -> Outcome:
    accounts.forget_tries(session, value.email)
    user = accounts.find(session, value.email)
    if user is None:
        raise FormRefused({"": Problem("sign_in.wrong")})
    visit.new_session_token = sessions.begin(session, user, visit.now_ms)
    return Outcome(local_path(value.next) or visit.kit.path("home"), Flash("sign_in.done", {}))


def local_path(path: str) -> str:
    """The path if it leads within the application, else nothing."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else ""


async def _sign_out(visit: Visit) -> web.StreamResponse:
    token = visit.session_token
    await visit.kit.database.write(lambda session: sessions.end(session, token))
    visit.new_session_token = ""
    response = visit.redirect(visit.kit.path("home"), Flash("sign_out.done", {}))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def _prepare_register(visit: Visit, value: Register) -> Register:
    return dataclasses.replace(value, password=await hash_password(value.password))


def register_user(session: Session, visit: Visit, value: Register, role: str) -> User:
    """The account of somebody who registers (password already hashed), and the mail with the link that confirms it.

    If the address has an account, that account's owner gets a mail that says so, and nothing is changed.
    """
    user = accounts.find(session, value.email)
    address = client_address(visit.request, visit.kit.settings)
    if not accounts.may_mail_link(session, value.email, address, visit.now_ms):
        raise FormRefused({"": Problem("register.throttled")})
    if user is not None:
        visit.kit.mails.tell(session, user, "already_registered", link=visit.kit.url("forgot"))
        return user
    user = accounts.create(
        session,
        email=value.email,
        name=value.name,
        password_hash=value.password,
        roles=[role],
        now_ms=visit.now_ms,
        language=visit.language,
    )
    send_confirmation(session, visit, user)
    return user


def send_confirmation(session: Session, visit: Visit, user: User) -> None:
    """The mail with the link that shows that the address is the user's."""
    token = accounts.new_link(session, user, accounts.CONFIRM, visit.now_ms)
    visit.kit.mails.tell(session, user, "confirm", link=visit.kit.url("confirm", token=token))


async def _confirm(visit: Visit) -> web.StreamResponse:
    """Opening the link shows a button, pressing it confirms: mail scanners open links, too."""
    token, now_ms = visit.part("token"), visit.now_ms
    if visit.request.method == "POST":
        user = await visit.kit.database.write(lambda s: accounts.confirm(s, token, now_ms))
        if user is not None:
            return visit.redirect(visit.kit.path("sign_in"), Flash("confirm.done", {}))
    elif await visit.kit.database.read(lambda s: accounts.link_user(s, token, accounts.CONFIRM, now_ms)) is not None:
        return visit.render("common/confirm.html")
    return visit.render("common/message.html", status=410, heading="confirm.over", text="confirm.over_text")


def _forgot(session: Session, visit: Visit, value: Forgot) -> Outcome:
    user = accounts.find(session, value.email)
    address = client_address(visit.request, visit.kit.settings)
    is_free = accounts.may_mail_link(session, value.email, address, visit.now_ms)
    if is_free and user is not None and user.suspended_ms is None:
        token = accounts.new_link(session, user, accounts.RESET, visit.now_ms)
        visit.kit.mails.tell(session, user, "reset", link=visit.kit.url("reset", token=token))
    return Outcome(visit.kit.path("sign_in"), Flash("forgot.sent", {}))


async def _reset_context(visit: Visit) -> Mapping[str, object]:
    token, now_ms = visit.part("token"), visit.now_ms
    user = await visit.kit.database.read(lambda s: accounts.link_user(s, token, accounts.RESET, now_ms))
    if user is None:
        raise web.HTTPNotFound
    return {}


async def _prepare_new(visit: Visit, value: NewPassword) -> NewPassword:
    return dataclasses.replace(value, password=await hash_password(value.password))


def _reset(session: Session, visit: Visit, value: NewPassword) -> Outcome:
    user = accounts.use_link(session, visit.part("token"), accounts.RESET, visit.now_ms)
    if user is None:
        raise FormRefused({"": Problem("reset.over")})
    accounts.set_password(session, user, value.password)
    accounts.forget_tries(session, user.email)
    if user.confirmed_ms is None:
        user.confirmed_ms = visit.now_ms  # the link came by mail to this address
    return Outcome(visit.kit.path("sign_in"), Flash("reset.done", {}))


async def _check_change(visit: Visit, value: ChangePassword) -> Mapping[str, Problem]:
    user = visit.signed_in
    address = client_address(visit.request, visit.kit.settings)
    if await visit.kit.database.read(lambda s: accounts.is_throttled(s, user.email, address, visit.now_ms)):
        return {"": Problem("sign_in.throttled", {"minutes": accounts.WINDOW_MS // 60_000})}
    if await is_password(user.password_hash, value.current):
        return {}
    await visit.kit.database.write(lambda s: accounts.count_try(s, user.email, address, visit.now_ms))
    return {"current": Problem("change_password.wrong")}


async def _prepare_change(visit: Visit, value: ChangePassword) -> ChangePassword:
    return dataclasses.replace(value, password=await hash_password(value.password))


def _change(session: Session, visit: Visit, value: ChangePassword) -> Outcome:
    user = session.get_one(User, visit.signed_in.id)
    accounts.set_password(session, user, value.password)
    visit.new_session_token = sessions.begin(session, user, visit.now_ms)
    return Outcome(visit.kit.path("home"), Flash("change_password.done", {}))
