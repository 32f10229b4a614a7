"""Texts in Japanese and English: one TOML catalogue per application, both languages side by side.

    [need]
    title = { ja = "必要な物資", en = "Needed goods" }

The key is `need.title`. The kit's own catalogue lies under the application's, which may improve on any sentence of it.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ledger.refusal import Language, Text

LANGUAGES: tuple[Language, ...] = ("ja", "en")
KIT_CATALOGUE = Path(__file__).parent / "catalogue.toml"


class BadCatalogue(Exception):
    """The catalogue file is not right: found when the application starts, never while it serves."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Key -> sentence in both languages. A missing key is an error of ours, found by `missing` and by the tests."""

    texts: Mapping[str, Text]

    @staticmethod
    def load(*paths: Path, more: Mapping[str, Text] = MappingProxyType({})) -> Catalogue:
        """The kit's catalogue, over it those of `paths` (files, or folders of them), over all `more`.

        `BadCatalogue` names what is wrong.
        """
        texts: dict[str, Text] = {}
        files = (file for path in paths for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path]))
        for path in (KIT_CATALOGUE, *files):
            texts.update(_sentences("", tomllib.loads(path.read_text(encoding="utf-8")), path))
        return Catalogue({**texts, **more})

    def text(self, language: Language, key: str, params: Mapping[str, object] | None = None) -> str:
        """The sentence of `key`. `KeyError` for an unknown key or a parameter that the sentence needs and lacks."""
        text = self.texts[key]
        sentence = text.ja if language == "ja" else text.en
        return sentence.format_map(params) if params else sentence

    def __contains__(self, key: str) -> bool:
        return key in self.texts


def placeholders(sentence: str) -> frozenset[str]:
    """The names in braces of a sentence."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def _sentences(prefix: str, table: Mapping[str, object], path: Path) -> Iterator[tuple[str, Text]]:
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        if not isinstance(value, dict):
            raise BadCatalogue(f"{path.name}: {key} is neither a section nor a sentence in two languages")
        if "ja" in value or "en" in value:
            yield key, _sentence(key, value, path)
        else:
            yield from _sentences(key, value, path)


def _sentence(key: str, value: Mapping[str, object], path: Path) -> Text:
    ja, en = value.get("ja"), value.get("en")
    if set(value) != {"ja", "en"} or not isinstance(ja, str) or not isinstance(en, str) or not ja or not en:
        raise BadCatalogue(f"{path.name}: {key} needs exactly a text `ja` and a text `en`")
    if placeholders(ja) != placeholders(en):
        raise BadCatalogue(f"{path.name}: {key} has different {{names}} in Japanese and in English")
    return Text(ja, en)
