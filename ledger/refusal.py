"""Refusals: what bad input gets. A refusal has a name, a text in two languages, and changes nothing.

A broken invariant is something else: it means our own code is wrong, and the node stops before it writes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scalar = str | int | bool | None
"""What a refusal parameter, an event field or a call result may hold; bytes are given as hexadecimal text."""

Language = Literal["ja", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Japanese and English; `{name}` stands for a parameter of the refusal."""

    ja: str
    en: str


class Reason(enum.Enum):
    """A named reason for a refusal. Subclasses list the reasons of one subject, each with its `Text`.

    The code (`code`) is what receipts, the HTTP API and metrics carry: it is stable, the texts may be improved.
    """

    @property
    def code(self) -> str:
        return self.name.lower()

    def text(self, language: Language, params: Mapping[str, Scalar] | None = None) -> str:
        """The sentence for people. A parameter that the sentence names and the refusal lacks is shown as `?`."""
        value = self.value
        if not isinstance(value, Text):
            raise BrokenInvariant(f"reason {self.name} has no text")
        return fill(value.ja if language == "ja" else value.en, params or {})


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def fill(sentence: str, params: Mapping[str, Scalar]) -> str:
    shown = {name: str(value) for name, value in params.items()}
    return sentence.format_map(_Blank(shown))


class Refused(Exception):
    """Bad input, named. `params` fill the sentence and travel in receipts, so they never hold personal data."""

    def __init__(self, reason: Reason, /, **params: Scalar) -> None:
        super().__init__(reason, params)
        self.reason = reason
        self.params: dict[str, Scalar] = params

    def __str__(self) -> str:
        return f"{self.reason.code}: {self.reason.text('en', self.params)}"


class BrokenInvariant(Exception):
    """Something that our own rules exclude has happened: never caught below `node.py`, which stops before it writes."""
