"""A page with a form: filled in, checked, reviewed, sent once, and the chain's answer shown to the person.

Without JavaScript: each step is a page of its own. What is sent is done in one database transaction together with the
mark that this form was used, so that a double click, a reload or a killed server never does it twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, TypeVar

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.forms import Option, Options, Parsed, Problem
from apps.common.security import is_form_token
from apps.common.tables import FormUse, Write
from apps.common.web import Flash, Visit
from ledger.encoding import unpack
from ledger.refusal import Language
from ledger.types import Receipt

T = TypeVar("T")
WAIT_S = 4.0
"""How long the sender's page waits for the chain before it shows that the write is on its way."""
MAX_LOCATION = 500


class FormRefused(Exception):
    """Raised by `perform`: the transaction is undone and the form shown again. An empty field name: the whole form."""

    def __init__(self, problems: Mapping[str, Problem]) -> None:
        super().__init__(", ".join(f"{name}: {problem.key}" for name, problem in problems.items()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sent form led to: where the visitor goes on, with which message.

    `location` may name fields of the receipt's result in braces (`/needs/{need_id}`): they are filled in once the chain
    has decided `write`.
    """

    location: str
    flash: Flash | None = None
    write: Write | None = None


async def _no_options(visit: Visit) -> Options:
    return {}


async def _nothing(visit: Visit) -> Mapping[str, object]:
    return {}


async def _blank(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {name: (value,) for name, value in visit.request.query.items()}


@dataclass(frozen=True)
class FormPage(Generic[T]):
    """`perform` is one database transaction: it writes rows, queues calls and mails, and has no other effect."""

    name: str
    """Of the page and of the form's texts: `new_need.title`, `new_need.submit`, `new_need.<field>`."""
    path: str
    roles: frozenset[str]
    form: type[T]
    perform: Callable[[Session, Visit, T], Outcome]
    options: Callable[[Visit], Awaitable[Options]] = _no_options
    initial: Callable[[Visit], Awaitable[Mapping[str, Sequence[str]]]] = _blank
    """What the form is filled in with at first (default: what the address's query says); see `forms.typed_from`."""
    check: Callable[[Visit, T], Awaitable[Mapping[str, Problem]]] | None = None
    """Further checks before the review, for which the database or the chain is asked."""
    prepare: Callable[[Visit, T], Awaitable[T]] | None = None
    """Slow work before the transaction (a password's hash, a call to the chain); its result goes to `perform`."""
    context: Callable[[Visit], Awaitable[Mapping[str, object]]] = _nothing
    """What else the template needs; called before anything is shown, so it may refuse with `HTTPNotFound`."""
    review: bool = True
    """Whether what was typed is shown once more before it is final."""
    template: str = "common/form.html"
    methods: tuple[str, ...] = field(default=("GET", "POST"), init=False)
    renews_form: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.review and self.takes_files:
            raise ValueError(f"{self.name}: a file is not carried over a review step; set review=False")

    @property
    def takes_files(self) -> bool:
        return any(spec.kind == "file" for spec in forms.specs(self.form).values())

    async def handle(self, visit: Visit) -> web.StreamResponse:
        context = await self.context(visit)
        options = await self.options(visit)
        show = _Shown(self, visit, options, context)
        if visit.request.method != "POST":
            return show.form(await self.initial(visit), {})
        posted = await visit.posted()
        step = posted.get("step", "")
        parsed = forms.parse(self.form, posted, options)
        if not is_form_token(visit, posted.get("form_token", "")):
            return show.form(parsed.typed, {"": Problem("form.stale")}, status=403)
        if step == "change":
            return show.form(parsed.typed, {})
        form_key = _form_key(visit, posted.get("form_key", ""))
        if (earlier := await _earlier(visit, form_key)) is not None:
            return await _go_on(visit, earlier)
        problems = await self._problems(visit, parsed)
        if problems or parsed.value is None:
            return show.form(parsed.typed, problems, status=422)
        if self.review and step != "confirm":
            return show.review(parsed.typed)
        value = parsed.value if self.prepare is None else await self.prepare(visit, parsed.value)
        return await self._send(visit, value, parsed.typed, form_key, show)

    async def _problems(self, visit: Visit, parsed: Parsed[T]) -> Mapping[str, Problem]:
        if parsed.value is None or self.check is None:
            return parsed.problems
        return await self.check(visit, parsed.value)

    async def _send(
        self, visit: Visit, value: T, typed: Mapping[str, Sequence[str]], form_key: str, show: _Shown[T]
    ) -> web.StreamResponse:
        def once(session: Session) -> tuple[FormUse, Outcome | None]:
            used = session.get(FormUse, form_key)
            if used is not None:
                return used, None
            outcome = self.perform(session, visit, value)
            used = FormUse(
                key=form_key,
                location=outcome.location[:MAX_LOCATION],
                write_id=outcome.write.id if outcome.write is not None else None,
                used_ms=visit.now_ms,
            )
            session.add(used)
            return used, outcome

        try:
            used, outcome = await visit.kit.database.write(once)
        except FormRefused as refused:
            return show.form(typed, refused.problems, status=422)
        visit.kit.outbox.wake()
        visit.kit.mails.wake()
        if used.write_id is not None:
            write = await visit.kit.outbox.wait(used.write_id, WAIT_S)
            if write.state == "refused":
                return show.form(typed, {"": refusal(write, visit.language)}, status=409)
            if write.state == "waiting":
                return visit.redirect(visit.kit.path("sent", key=used.key))
            return visit.redirect(fill_location(used.location, write), outcome.flash if outcome else None)
        return visit.redirect(used.location, outcome.flash if outcome else None)


class _Shown(Generic[T]):
    """Ways to show a form page again."""

    def __init__(self, page: FormPage[T], visit: Visit, options: Options, context: Mapping[str, object]) -> None:
        self._page = page
        self._visit = visit
        self._options = options
        self._context = context

    def form(
        self, typed: Mapping[str, Sequence[str]], problems: Mapping[str, Problem], status: int = 200
    ) -> web.Response:
        return self._render("form", typed, problems, status)

    def review(self, typed: Mapping[str, Sequence[str]]) -> web.Response:
        return self._render("review", typed, {}, 200)

    def _render(
        self, step: str, typed: Mapping[str, Sequence[str]], problems: Mapping[str, Problem], status: int
    ) -> web.Response:
        form = show_form(self._visit, self._page.name, self._page.form, self._options, typed, problems)
        return self._visit.render(
            self._page.template,
            status=status,
            **{
                "page_name": self._page.name,
                "form": form,
                "step": step,
                "needs_review": self._page.review,
                **self._context,
            },
        )


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field as the template shows it."""

    name: str
    spec: forms.FieldSpec
    label: str
    hint: str
    unit: str
    values: tuple[str, ...]
    options: tuple[Option, ...]
    error: str

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def shown_values(self) -> tuple[str, ...]:
        """What the review step shows: labels for what was chosen."""
        if self.spec.kind in ("choice", "radio", "several"):
            labels = {o.value: o.label for o in self.options}
            return tuple(labels.get(v, v) for v in self.values if v)
        return tuple(v for v in self.values if v)

    @property
    def described_by(self) -> str:
        """The ids of the hint and the error, for `aria-describedby`."""
        ids = [f"{self.name}-hint"] if self.hint else []
        return " ".join([*ids, f"{self.name}-error"] if self.error else ids)


@dataclass(frozen=True, slots=True)
class ShownForm:
    """A form as the template shows it. `form_key` makes that it is done once."""

    fields: tuple[ShownField, ...]
    problem: str
    form_key: str
    has_files: bool

    @property
    def is_wrong(self) -> bool:
        return bool(self.problem) or any(f.error for f in self.fields)

    def __getitem__(self, name: str) -> ShownField:
        return next(f for f in self.fields if f.name == name)


def show_form(
    visit: Visit,
    name: str,
    form: type[object],
    options: Options,
    typed: Mapping[str, Sequence[str]],
    problems: Mapping[str, Problem],
) -> ShownForm:
    """A form ready for the template `common/form.html` or one that includes its macros."""

    def sentence(problem: Problem | None) -> str:
        return visit.t(problem.key, **problem.params) if problem is not None else ""

    catalogue = visit.kit.catalogue
    fields = tuple(
        ShownField(
            field_name,
            spec,
            visit.t(f"{name}.{field_name}"),
            visit.t(f"{name}.{field_name}_hint") if f"{name}.{field_name}_hint" in catalogue else "",
            visit.t(spec.unit) if spec.unit else "",
            tuple(typed.get(field_name, ())),
            tuple(options.get(field_name, ())),
            sentence(problems.get(field_name)),
        )
        for field_name, spec in forms.specs(form).items()
    )
    has_files = any(f.spec.kind == "file" for f in fields)
    return ShownForm(fields, sentence(problems.get("")), secrets.token_urlsafe(16), has_files)


def refusal(write: Write, language: Language) -> Problem:
    """A write that the chain refused, as a problem to show."""
    return Problem("form.refused", {"reason": write.reason_ja if language == "ja" else write.reason_en})


def fill_location(location: str, write: Write) -> str:
    """Where to go on, with the receipt's result filled in."""
    if "{" not in location or write.receipt is None:
        return location
    result = unpack(Receipt, write.receipt).result
    return location.format_map({k: str(v) for k, v in result.items()})


def _form_key(visit: Visit, posted: object) -> str:
    # Bound to the visitor, so that nobody can occupy another's key.
    key = posted if isinstance(posted, str) else ""
    return sha256(f"{visit.session_token}\x00{visit.page.name if visit.page else ''}\x00{key}".encode()).hexdigest()


async def _earlier(visit: Visit, form_key: str) -> FormUse | None:
    """The earlier use of this very form (a form that is shown again has a new key)."""
    return await visit.kit.database.read(lambda session: session.get(FormUse, form_key))


async def _go_on(visit: Visit, used: FormUse) -> web.StreamResponse:
    if used.write_id is not None:
        write = await visit.kit.outbox.wait(used.write_id, WAIT_S)
        if write.state != "done":
            return visit.redirect(visit.kit.path("sent", key=used.key))
        return visit.redirect(fill_location(used.location, write), Flash("form.already_sent", {}, "note"))
    return visit.redirect(used.location, Flash("form.already_sent", {}, "note"))
