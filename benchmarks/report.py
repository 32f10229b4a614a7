"""One page of a set of results: Markdown and HTML, with plots, and beside another set to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import jinja2
import msgspec

from benchmarks.machine import Conditions
from benchmarks.results import FOLDER, Result, load
from edge.console import COULD_NOT, Failure, json_option, show

LONGEST_LIST = 12
"""Of plain numbers: longer ones are drawn."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and that of the other set. `change`: by how much per cent it is more than there."""

    name: str
    value: object
    other: object
    change: str


@dataclass(frozen=True, slots=True)
class Section:
    result: Result
    other: Result | None
    rows: Sequence[Row]
    plots: Sequence[str]

    @property
    def conditions(self) -> list[str]:
        return [line.strip() for line in self.result.conditions.lines()]

    @property
    def warnings(self) -> list[str]:
        return [] if self.other is None else differences(self.result.conditions, self.other.conditions)


def newest(folder: Path) -> dict[str, Result]:
    """The last result of each benchmark that is kept in `folder`."""
    found = sorted((load(path) for path in folder.glob("*.json")), key=lambda result: result.conditions.started)
    return {result.benchmark: result for result in found}


def differences(one: Conditions, other: Conditions) -> list[str]:
    """What makes figures of two runs hard to compare."""
    said = [
        f"{name}: {getattr(one, name)}, and there {getattr(other, name)}"
        for name in ("machine", "processors", "python", "seed")
        if getattr(one, name) != getattr(other, name)
    ]
    busy = max(one.load_before / max(1, one.processors), other.load_before / max(1, other.processors))
    return [*said, *(["a machine was busy before its run"] if busy > 0.5 else [])]


def flat(figures: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Every figure with a name that says where it stands: `points.0.closed.per_s`."""
    for name, value in figures.items():
        where = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{where}.")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            yield from flat({str(place): one for place, one in enumerate(value)}, f"{where}.")
        elif not (isinstance(value, list) and len(value) > LONGEST_LIST):
            yield where, value


def rows_of(result: Result, other: Result | None) -> list[Row]:
    there = {} if other is None else dict(flat(other.figures))
    return [
        Row(name, value, there.get(name, ""), _change(value, there.get(name))) for name, value in flat(result.figures)
    ]


def _change(value: object, other: object) -> str:
    numbers = [v for v in (value, other) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2 or not numbers[1]:
        return ""
    return f"{100 * (numbers[0] - numbers[1]) / numbers[1]:+.1f} %"


def build(results: Mapping[str, Result], others: Mapping[str, Result], out: Path) -> list[Path]:
    """Write `index.md`, `index.html` and the plots into `out`."""
    # Drawn by matplotlib, which takes a second to import and is needed by nothing else.
    from benchmarks import plots

    out.mkdir(parents=True, exist_ok=True)
    sections = [
        Section(result, others.get(name), rows_of(result, others.get(name)), plots.save(result, out))
        for name, result in sorted(results.items())
    ]
    pages = []
    for name, template, escaped in (("index.md", MARKDOWN, False), ("index.html", HTML, True)):
        environment = jinja2.Environment(autoescape=escaped, trim_blocks=True, lstrip_blocks=True)
        page = out / name
        text = environment.from_string(template).render(sections=sections, compared=bool(others))
        page.write_text(text, encoding="utf-8")
        pages.append(page)
    return pages


MARKDOWN = """# Benchmarks of Daicho

{% for section in sections %}
## {{ section.result.benchmark }}

{% for line in section.conditions %}
- {{ line }}
{% endfor %}
{% for line in section.warnings %}
- **not like the other set**: {{ line }}
{% endfor %}

{% if section.plots %}
![{{ section.result.benchmark }}]({{ section.plots[0] }})

{% endif %}
| figure | value |{% if compared %} other set | change |{% endif %}

|---|---|{% if compared %}---|---|{% endif %}

{% for row in section.rows %}
| {{ row.name }} | {{ row.value }} |{% if compared %} {{ row.other }} | {{ row.change }} |{% endif %}

{% endfor %}

{% endfor %}
"""
HTML = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Benchmarks of Daicho</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd }
td + td, th + th { text-align: right } img { max-width: 100% } .warning { color: #a00 }
</style>
<h1>Benchmarks of Daicho</h1>
{% for section in sections %}
<h2>{{ section.result.benchmark }}</h2>
<ul>
{% for line in section.conditions %}<li>{{ line }}</li>
{% endfor %}
{% for line in section.warnings %}<li class="warning">not like the other set: {{ line }}</li>
{% endfor %}
</ul>
{% if section.plots %}
<p><img src="{{ section.plots[0] }}" alt="Plot of {{ section.result.benchmark }}; its figures are in the table below">
{% endif %}
<table><tr><th>figure<th>value{% if compared %}<th>other set<th>change{% endif %}

{% for row in section.rows %}
<tr><td>{{ row.name }}<td>{{ row.value }}{% if compared %}<td>{{ row.other }}<td>{{ row.change }}{% endif %}

{% endfor %}
</table>
{% endfor %}
</html>
"""


class NoResults(Failure):
    """There is nothing to make a page of."""

    exit_code = COULD_NOT


@click.command("report")
@click.option(
    "--results", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, help="Where they are kept."
)
@click.option(
    "--against", type=click.Path(path_type=Path, file_okay=False, exists=True), help="A folder of other results."
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where the page goes; else beside the results."
)
@json_option
def report(results: Path, against: Path | None, out: Path | None, as_json: bool) -> None:
    """One page of the newest result of each benchmark, with plots, compared with another folder's.

    \b
    Examples:
      daicho bench report
      daicho bench report --against ../before/results --out comparison
    """
    try:
        found, others = newest(results), newest(against) if against is not None else {}
    except msgspec.DecodeError as error:
        raise NoResults(
            "bad_result",
            f"結果ではないファイルがあります: {error}",
            f"a file is no result: {error}",
            {},
            as_json=as_json,
        ) from None
    if not found:
        raise NoResults(
            "no_results",
            f"{results} に結果がありません。対処: daicho bench quick を実行してください",
            f"there are no results in {results}. Remedy: daicho bench quick",
            {"path": str(results)},
            as_json=as_json,
        )
    pages = build(found, others, out or results / "report")
    show(
        as_json,
        {"pages": [str(page) for page in pages], "benchmarks": sorted(found)},
        f"{', '.join(sorted(found))}: {pages[1]}",
    )
