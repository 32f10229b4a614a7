"""Charts drawn on the server as SVG, each with the same figures as a table for those who cannot see it.

Use `common/charts.html`: `{{ charts.bars(chart) }}`. Series differ in lightness as well as in hue; bars say a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

FILLS = ("#0017c1", "#7096f8", "#1a7f4b", "#c74700", "#6f23d0", "#4d4d4d")
MAX_ROWS = 200
BAR_WIDTH = 1_000
BAR_HEIGHT = 20
COLUMN_HEIGHT = 180
MIN_WIDTH = 300
"""So that one or two columns are not blown up to the width of the page."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One row for each label, one value for each series. Values are whole numbers of `unit`, from 0 up."""

    title: str
    label_heading: str
    series: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    unit: str = ""
    shows: int | None = None
    """The series whose figure stands beside a bar; None: the sum of all."""

    @property
    def largest(self) -> int:
        return max((sum(values) for _, values in self.rows), default=0) or 1


def bars(chart: Chart) -> Markup:
    """Lying bars under their names, the series behind one another: for comparing things, on a phone too."""
    lines = []
    for label, values in chart.rows[:MAX_ROWS]:
        parts, x = [], 0.0
        for series, value in enumerate(values):
            width = BAR_WIDTH * value / chart.largest
            parts.append(_rectangle(x, 0, width, BAR_HEIGHT, series))
            x += width
        told = ", ".join(f"{name} {value:,}" for name, value in zip(chart.series, values, strict=True))
        figure = sum(values) if chart.shows is None else values[chart.shows]
        lines.append(
            f'<li><span class="bar-label">{escape(label)}</span>'
            f'<svg viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(label)}: {escape(told)}">{"".join(parts)}</svg>'
            f'<span class="bar-value">{figure:,}{escape(chart.unit if chart.unit == "%" else "")}</span></li>'
        )
    return Markup(f'<ul class="bars">{"".join(lines)}</ul>')


def columns(chart: Chart) -> Markup:
    """Standing columns from left to right: for months and days."""
    rows = chart.rows[-60:]
    step = max(14.0, min(64.0, 560 / max(1, len(rows))))
    every = max(1, round(44 / step))
    parts = []
    for number, (label, values) in enumerate(rows):
        x, y = 10 + number * step, float(COLUMN_HEIGHT + 20)
        for series, value in enumerate(values):
            height = COLUMN_HEIGHT * value / chart.largest
            y -= height
            parts.append(_rectangle(x, y, step * 0.75, height, series))
        middle = x + step * 0.375
        if every == 1:
            parts.append(f'<text x="{middle:.1f}" y="{y - 5:.1f}" text-anchor="middle">{sum(values):,}</text>')
        if number % every == 0:
            shown = escape(_short(label, 6))
            parts.append(f'<text x="{middle:.1f}" y="{COLUMN_HEIGHT + 40}" text-anchor="middle">{shown}</text>')
    return _svg(chart, max(MIN_WIDTH, round(20 + step * len(rows))), COLUMN_HEIGHT + 50, parts)


def fill(series: int) -> str:
    """The colour of a series."""
    return FILLS[series % len(FILLS)]


def _rectangle(x: float, y: float, width: float, height: float, series: int) -> str:
    # A white edge keeps neighbouring series apart where colours cannot be told from one another.
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}" '
        f'fill="{fill(series)}" stroke="#fff" stroke-width="1"/>'
    )


def _svg(chart: Chart, width: int, height: int, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {max(1, height)}" role="img" '
        f'aria-label="{escape(chart.title)}" font-size="16" font-family="sans-serif">{"".join(parts)}</svg>'
    )


def _short(label: str, length: int) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"
