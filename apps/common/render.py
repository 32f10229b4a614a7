"""Pages from templates: Jinja with escaping always on, the application's templates before those it shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from apps.common import charts
from apps.common import language as written
from apps.common.language import LANGUAGE_NAMES

if TYPE_CHECKING:
    from apps.common.web import Visit

KIT_TEMPLATES = Path(__file__).parent / "templates"
KIT_STATIC = Path(__file__).parent / "static"


class Renderer:
    def __init__(self, templates: Sequence[Path], static: Mapping[str, Path], layout: Mapping[str, object]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([*templates, KIT_TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(draw_bars=charts.bars, draw_columns=charts.columns, series_fill=charts.fill)
        self._layout = layout
        self._folders = dict(static)
        self._static = {
            f"{folder}/{file.name}": f"/static/{folder}/{file.name}?v={sha256(file.read_bytes()).hexdigest()[:12]}"
            for folder, path in static.items()
            for file in sorted(path.iterdir())
            if file.is_file()
        }

    def asset(self, name: str) -> str:
        """The address of a static file (`common/style.css`), with its hash: browsers may keep it for good."""
        return self._static[name]

    def static_file(self, name: str) -> bytes:
        """The content of a static file (`donations/worker.js`), for pages that hand it out at another address."""
        folder, _, file = name.partition("/")
        return (self._folders[folder] / file).read_bytes()

    def render(self, template: str, visit: Visit, context: Mapping[str, object]) -> str:
        """A page for this visit. Every template has `visit`, `user`, `t`, `url`, `when`, `day`, `number`, `asset`, …"""
        language = visit.language
        return self._environment.get_template(template).render(
            {
                **self._layout,
                "visit": visit,
                "user": visit.user,
                "language": language,
                "languages": LANGUAGE_NAMES,
                "t": visit.t,
                "has_text": visit.kit.catalogue.__contains__,
                "url": visit.kit.path,
                "may_open": visit.may_open,
                "when": lambda ms: written.show_time(ms, language),
                "iso_time": lambda ms: written.jst(ms).isoformat(timespec="seconds"),
                "jst_day": lambda ms: written.jst(ms).date(),
                "day": lambda value: written.show_date(value, language),
                "number": written.show_number,
                "asset": self.asset,
                "with_query": lambda **changes: with_query(visit, changes),
                **context,
            }
        )


def with_query(visit: Visit, changes: Mapping[str, object]) -> str:
    """This page's own address with some parameters changed (None or empty: taken away)."""
    kept = [(k, v) for k, v in visit.request.query.items() if k not in changes]
    new = [(k, str(v)) for k, v in changes.items() if v not in (None, "")]
    query = urlencode(kept + new)
    return visit.request.path + (f"?{query}" if query else "")
