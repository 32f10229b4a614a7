"""Between Python types and JSON: plain values for people and other systems, and the JSON Schema that describes them.

In JSON, bytes are hexadecimal text and a struct is an object of its fields, whatever its byte form on the chain; one
of several kinds of struct says which it is in the field `type`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

Struct = TypeVar("Struct", bound=msgspec.Struct)

TAG_FIELD = "type"
"""Where the plain form of a tagged struct says which it is."""


def to_plain(value: object) -> object:
    """The value as JSON can carry it."""
    match value:
        case bytes():
            return value.hex()
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(key): to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [to_plain(item) for item in value]
        case msgspec.Struct():
            # A struct that is one of several says which: its tag comes first, under `type`.
            tag = value.__struct_config__.tag
            named = {name: to_plain(getattr(value, name)) for name in value.__struct_fields__}
            return named if tag is None else {TAG_FIELD: tag, **named}
        case _:
            raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: type[Struct], value: Mapping[str, object]) -> Struct:
    """The struct that the plain `value` describes. msgspec.ValidationError or ValueError if it does not fit."""
    return msgspec.convert(_unhex(kind, value), kind, strict=False, builtin_types=(bytes,))


def _unhex(kind: Any, value: object) -> object:
    """`value` with its hexadecimal text turned to bytes wherever `kind` says bytes."""
    kind = _bare(kind)
    if isinstance(value, str):
        if kind is bytes or (_is_union(kind) and bytes in map(_bare, get_args(kind)) and str not in get_args(kind)):
            return bytes.fromhex(value)
        value.encode()  # UnicodeEncodeError, a ValueError: half a surrogate pair is no text
        return value
    if isinstance(value, list | tuple):
        if _is_union(kind):
            kind = next((_bare(k) for k in get_args(kind) if get_origin(_bare(k)) in (list, tuple)), None)
        item = get_args(kind)[0] if kind is not None and get_args(kind) else None
        return [_unhex(item, v) for v in value]
    if isinstance(value, Mapping):
        if _is_union(kind):
            kind = _member(kind, value.get(TAG_FIELD))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            hints = _hints(kind)
            named = {name: _unhex(hints.get(name), item) for name, item in value.items()}
            if not kind.__struct_config__.array_like:
                return named
            tag = kind.__struct_config__.tag
            expected = set(kind.__struct_fields__) if tag is None else {TAG_FIELD, *kind.__struct_fields__}
            if named.keys() != expected:
                raise ValueError(f"{kind.__name__} has the fields {', '.join(sorted(expected))}")
            return ([] if tag is None else [named[TAG_FIELD]]) + [named[name] for name in kind.__struct_fields__]
        item = get_args(kind)[1] if get_origin(kind) is dict else None
        return {key: _unhex(item, v) for key, v in value.items()}
    return value


@cache
def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(struct, include_extras=True)


def _member(union: Any, tag: object) -> Any:
    """The member of a union that an object stands for: the struct with this tag, else the first that has fields."""
    members = [_bare(k) for k in get_args(union)]
    structs = [m for m in members if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    tagged = [m for m in structs if m.__struct_config__.tag == tag]
    mappings = [m for m in members if get_origin(m) is dict]
    return next(iter(tagged if tag is not None and tagged else [*structs, *mappings]), None)


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def argument_schema(arguments: type[msgspec.Struct]) -> dict[str, object]:
    """JSON Schema of a method's arguments."""
    return _schema(_plain_type(arguments))


def result_schema(result: object) -> dict[str, object]:
    """JSON Schema of what a call or query answers."""
    return _schema(_plain_type(result))


def _schema(kind: Any) -> dict[str, object]:
    schemas, components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    schema = cast("dict[str, object]", schemas[0])
    return cast("dict[str, object]", _inline(schema, components))


def _inline(schema: Any, components: Mapping[str, Any]) -> Any:
    """The schema with every reference put in its place, so that each stands alone."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inline(components[reference.rsplit("/", 1)[1]], components)
        return {key: _inline(item, components) for key, item in schema.items()}
    if isinstance(schema, list):
        return [_inline(item, components) for item in schema]
    return schema


def _plain_type(kind: Any) -> Any:
    """The type of the plain form of `kind`: structs as objects, bytes as hexadecimal text."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, *metadata = get_args(kind)
        if _bare(base) is bytes:
            return _hexadecimal([m for m in metadata if isinstance(m, msgspec.Meta)])
        return Annotated.__class_getitem__((_plain_type(base), *metadata))
    if kind is bytes:
        return _hexadecimal([])
    if _is_union(kind):
        return Union[tuple(_union_members(get_args(kind)))]
    if origin in (list, tuple):
        return list[_plain_type(get_args(kind)[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _plain_type(get_args(kind)[1])]  # type: ignore[misc]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _object(kind)
    return kind


def _union_members(members: tuple[Any, ...]) -> list[Any]:
    plain = [_plain_type(member) for member in members]
    # Two kinds of text cannot be told apart in JSON: where a union has both text and bytes, it is text.
    texts = [p for p in plain if _bare(p) is str]
    return [p for p in plain if _bare(p) is not str] + ([str] if len(texts) > 1 else texts)


def _hexadecimal(metadata: list[msgspec.Meta]) -> Any:
    lengths = [m.max_length for m in metadata if m.max_length is not None and m.max_length == m.min_length]
    count = f"{{{2 * lengths[0]}}}" if lengths else "*"
    return Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{count}$", description="hexadecimal")]


@cache
def _object(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    hints = _hints(struct)
    fields: list[Any] = []
    for info in msgspec.structs.fields(struct):
        kind = _plain_type(hints[info.name])
        if info.required:
            fields.append((info.name, kind))
        else:
            default = None if info.default is msgspec.NODEFAULT else to_plain(info.default)
            fields.append(
                (info.name, kind, default if not isinstance(default, list) else msgspec.field(default_factory=list))
            )
    tag = struct.__struct_config__.tag
    return msgspec.defstruct(
        struct.__name__,
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
        tag=tag,
        tag_field=None if tag is None else TAG_FIELD,
    )
