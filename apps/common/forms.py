"""Forms: what a person types, as fields of a dataclass. Each wrong field gets a sentence of its own, nothing is lost.

    @dataclass(frozen=True)
    class NewNeed:
        item: str = choice()
        quantity: int = number(minimum=1, maximum=99_999, unit="unit.pieces")
        detail: str = text(required=False, max_length=200)

Labels come from the catalogue: `new_need.quantity`, and beside the field `new_need.quantity_hint` if there is one.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar, cast

from aiohttp import web
from multidict import MultiMapping

from apps.common.language import JST

Kind = Literal[
    "text", "multiline", "email", "password", "number", "date", "moment", "choice", "radio", "several", "tick", "file",
    "hidden",
]  # fmt: skip
Posted = MultiMapping[str | web.FileField | bytes | bytearray]
"""What aiohttp reads from a form; an import makes the same of a table's row."""
T = TypeVar("T")

EMAIL = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$")
MAX_SEVERAL = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field: a key of the catalogue and what fills its sentence."""

    key: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    hint: str = ""


Options = Mapping[str, Sequence[Option]]
"""Field name -> what may be chosen."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """How one field is read and shown."""

    kind: Kind
    required: bool = True
    minimum: int | None = None
    maximum: int | None = None
    max_length: int = 200
    unit: str = ""
    autocomplete: str = ""
    pattern: str = ""
    accept: str = ""
    """Which files a browser offers to choose from (`image/*`)."""
    shown: bool = True
    """Whether the review step shows the value (a password is not shown)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent with a form. `name` is what the sender's machine called it: shown, never used as a path."""

    name: str
    content_type: str
    data: bytes


def _field(spec: FieldSpec) -> Any:
    return dataclasses.field(metadata={"spec": spec})


def text(*, required: bool = True, max_length: int = 200, autocomplete: str = "", pattern: str = "") -> str:
    """One line; `pattern` is a regular expression that the whole line must match."""
    spec = FieldSpec("text", required, max_length=max_length, autocomplete=autocomplete, pattern=pattern)
    return cast(str, _field(spec))


def multiline(*, required: bool = False, max_length: int = 1000) -> str:
    return cast(str, _field(FieldSpec("multiline", required, max_length=max_length)))


def email(*, required: bool = True, autocomplete: str = "email") -> str:
    """An address, trimmed and in lower case."""
    return cast(str, _field(FieldSpec("email", required, max_length=254, autocomplete=autocomplete)))


def password(*, new: bool = False) -> str:
    spec = FieldSpec(
        "password", minimum=10 if new else None, max_length=200, shown=False,
        autocomplete="new-password" if new else "current-password",
    )  # fmt: skip
    return cast(str, _field(spec))


def number(*, minimum: int = 0, maximum: int = 1_000_000_000, unit: str = "") -> int:
    """A whole number; also when typed in full-width digits or with thousands commas. `unit`: a catalogue key."""
    return cast(int, _field(FieldSpec("number", True, minimum, maximum, unit=unit)))


def optional_number(*, minimum: int = 0, maximum: int = 1_000_000_000, unit: str = "") -> int | None:
    """None if left blank: blank is not zero."""
    return cast("int | None", _field(FieldSpec("number", False, minimum, maximum, unit=unit)))


def day() -> date:
    return cast(date, _field(FieldSpec("date")))


def optional_day() -> date | None:
    return cast("date | None", _field(FieldSpec("date", False)))


def moment() -> datetime:
    """A date and a time of day in Japan (for what is entered later than it happened)."""
    return cast(datetime, _field(FieldSpec("moment")))


def optional_moment() -> datetime | None:
    return cast("datetime | None", _field(FieldSpec("moment", False)))


def choice(*, required: bool = True) -> str:
    """One of the options of that field, as a list to choose from (`radio` for few); empty if none is chosen."""
    return cast(str, _field(FieldSpec("choice", required)))


def radio(*, required: bool = True) -> str:
    return cast(str, _field(FieldSpec("radio", required)))


def several(*, required: bool = False) -> tuple[str, ...]:
    """Any of the options."""
    return cast("tuple[str, ...]", _field(FieldSpec("several", required)))


def tick(*, required: bool = False) -> bool:
    """A box to tick; `required`: it must be ticked."""
    return cast(bool, _field(FieldSpec("tick", required)))


def file(*, required: bool = True, maximum: int = 5_000_000, accept: str = "") -> Upload | None:
    """A file of at most `maximum` bytes; `accept` is what a browser offers to choose from (`image/*`)."""
    return cast("Upload | None", _field(FieldSpec("file", required, maximum=maximum, accept=accept, shown=False)))


def hidden(*, max_length: int = 200) -> str:
    return cast(str, _field(FieldSpec("hidden", False, max_length=max_length, shown=False)))


def specs(form: type[Any]) -> dict[str, FieldSpec]:
    """The fields of a form in their order."""
    return {f.name: cast(FieldSpec, f.metadata["spec"]) for f in dataclasses.fields(form)}


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A form that was sent: the value if every field is right, else the problems; always what was typed."""

    value: T | None
    problems: Mapping[str, Problem]
    typed: Mapping[str, Sequence[str]]


class _Wrong(Exception):
    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.problem = Problem(key, params)


def parse(form: type[T], posted: Posted, options: Options) -> Parsed[T]:
    """Read every field of `form`; fields that the form does not have are ignored."""
    values: dict[str, object] = {}
    problems: dict[str, Problem] = {}
    typed: dict[str, Sequence[str]] = {}
    for name, spec in specs(form).items():
        if spec.kind == "file":
            try:
                values[name] = _upload(posted.get(name), spec)
            except _Wrong as wrong:
                problems[name] = wrong.problem
            continue
        entries = [e for e in posted.getall(name, []) if isinstance(e, str)][:MAX_SEVERAL]
        typed[name] = () if spec.kind == "password" else tuple(e[:20_000] for e in entries)
        try:
            values[name] = _read(spec, entries, options.get(name, ()))
        except _Wrong as wrong:
            problems[name] = wrong.problem
    return Parsed(None if problems else form(**values), problems, typed)


def _read(spec: FieldSpec, entries: Sequence[str], options: Sequence[Option]) -> object:
    if spec.kind == "several":
        return _several(spec, entries, options)
    entry = entries[0] if entries else ""
    if spec.kind == "tick":
        if spec.required and not entry:
            raise _Wrong("form.tick_needed")
        return bool(entry)
    if spec.kind == "password":
        return _password(spec, entry)
    entry = unicodedata.normalize("NFC", entry).replace("\r\n", "\n").strip()
    if not entry:
        if spec.required:
            raise _Wrong("form.choose" if spec.kind in ("choice", "radio") else "form.needed")
        return None if spec.kind in ("number", "date", "moment") else ""
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in entry):
        raise _Wrong("form.control_characters")
    match spec.kind:
        case "number":
            return _number(spec, entry)
        case "date" | "moment":
            return _when(spec.kind, entry)
        case "choice" | "radio":
            if entry not in {o.value for o in options}:
                raise _Wrong("form.choose")
            return entry
        case "email":
            return _email(entry)
        case _:
            return _line(spec, entry)


def _line(spec: FieldSpec, entry: str) -> str:
    if len(entry) > spec.max_length:
        raise _Wrong("form.too_long", maximum=spec.max_length, length=len(entry))
    if spec.kind == "text" and "\n" in entry:
        raise _Wrong("form.control_characters")
    if spec.pattern and re.fullmatch(spec.pattern, entry) is None:
        raise _Wrong("form.bad_pattern")
    return entry


def _number(spec: FieldSpec, entry: str) -> int:
    digits = unicodedata.normalize("NFKC", entry).replace(",", "").replace("−", "-")
    if re.fullmatch(r"-?[0-9]{1,15}", digits) is None:
        raise _Wrong("form.not_a_number")
    value = int(digits)
    if spec.minimum is not None and value < spec.minimum:
        raise _Wrong("form.too_small", minimum=spec.minimum)
    if spec.maximum is not None and value > spec.maximum:
        raise _Wrong("form.too_large", maximum=f"{spec.maximum:,}")
    return value


def _when(kind: Literal["date", "moment"], entry: str) -> date | datetime:
    plain = unicodedata.normalize("NFKC", entry).replace("/", "-").replace(".", "-")
    try:
        if kind == "date":
            return datetime.strptime(plain, "%Y-%m-%d").replace(tzinfo=JST).date()
        return datetime.strptime(plain.replace("T", " ")[:16], "%Y-%m-%d %H:%M").replace(tzinfo=JST)
    except ValueError:
        raise _Wrong("form.not_a_date" if kind == "date" else "form.not_a_moment") from None


def _email(entry: str) -> str:
    address = unicodedata.normalize("NFKC", entry).lower()
    if len(address) > 254 or EMAIL.match(address) is None:
        raise _Wrong("form.not_an_email")
    return address


def _password(spec: FieldSpec, entry: str) -> str:
    if not entry:
        raise _Wrong("form.needed")
    if spec.minimum is not None and len(entry) < spec.minimum:
        raise _Wrong("form.password_too_short", minimum=spec.minimum)
    if len(entry) > spec.max_length:
        raise _Wrong("form.too_long", maximum=spec.max_length, length=len(entry))
    return unicodedata.normalize("NFKC", entry)


def _several(spec: FieldSpec, entries: Sequence[str], options: Sequence[Option]) -> tuple[str, ...]:
    known = {o.value for o in options}
    chosen = tuple(dict.fromkeys(entries))
    if not set(chosen) <= known:
        raise _Wrong("form.choose")
    if spec.required and not chosen:
        raise _Wrong("form.choose")
    return chosen


def _upload(entry: object, spec: FieldSpec) -> Upload | None:
    if not isinstance(entry, web.FileField) or not entry.filename:
        if spec.required:
            raise _Wrong("form.file_needed")
        return None
    maximum = spec.maximum or 0
    data = entry.file.read(maximum + 1)
    if len(data) > maximum:
        raise _Wrong("form.file_too_large", maximum=maximum // 1_000_000)
    return Upload(entry.filename[-200:], entry.content_type, data)


def typed_from(value: object) -> dict[str, Sequence[str]]:
    """What a person would have typed to get `value` (a form's dataclass): to fill a form in with what is there."""
    filled: dict[str, Sequence[str]] = {}
    for name, spec in specs(type(value)).items():
        filled[name] = _typed(getattr(value, name), spec)
    return filled


def _typed(value: object, spec: FieldSpec) -> Sequence[str]:
    match value:
        case None | False:
            return ()
        case True:
            return ("1",)
        case tuple():
            return tuple(str(v) for v in value)
        case datetime():
            return (value.astimezone(JST).strftime("%Y-%m-%dT%H:%M"),)
        case date():
            return (value.isoformat(),)
        case _:
            return () if spec.kind in ("password", "file") else (str(value),)
