"""Charts as SVG that the server draws: shapes and classes, no styles and no scripts. The stylesheet gives the colours.

Every chart has a text beside its shapes (`title`), so that it can be read without being seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 120, 28


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: how much, what class colours it, and what it is."""

    amount: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart over time: its parts from the bottom up, and what is said of it."""

    label: str
    parts: tuple[Part, ...]


def spark(values: Sequence[float | None], label: str, *, kind: str = "line") -> Markup:
    """A line through values in their order, from zero to the largest; None is a gap."""
    most = max((value for value in values if value is not None), default=0) or 1
    step = WIDTH / max(len(values) - 1, 1)
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((index * step, HEIGHT - 2 - (HEIGHT - 4) * max(value, 0) / most))
    drawn = Markup("").join(_piece(piece, kind) for piece in pieces if piece)
    return _svg("spark", WIDTH, HEIGHT, label, drawn)


def _piece(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    if len(points) == 1:
        x, y = points[0]
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="1.5"/>').format(f"c-{kind}", x, y)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = f"{points[0][0]:.1f},{HEIGHT} {line} {points[-1][0]:.1f},{HEIGHT}"
    return Markup('<polygon class="a-{}" points="{}"/><polyline class="l-{}" points="{}"/>').format(
        kind, area, kind, line)


def bar(parts: Iterable[Part], label: str, *, total: float | None = None) -> Markup:
    """Parts beside one another, as shares of `total` or of their sum; what is left stays empty."""
    listed = [part for part in parts if part.amount > 0]
    whole = max(total or 0, sum(part.amount for part in listed)) or 1
    drawn, x = Markup(""), 0.0
    for part in listed:
        wide = 100 * part.amount / whole
        drawn += Markup('<rect class="f-{}" x="{:.2f}" y="0" width="{:.2f}" height="8"><title>{}</title>'
                        "</rect>").format(part.kind, x, max(wide, 0.4), part.label)
        x += wide
    return _svg("bar", 100, 8, label, drawn)


def columns(listed: Sequence[Column], label: str, *, height: int = 120, most: float | None = None) -> Markup:
    """Columns beside one another, each of stacked parts, up to `most` or the highest of them."""
    top = most or max((sum(part.amount for part in column.parts) for column in listed), default=0) or 1
    drawn = Markup("")
    for index, column in enumerate(listed):
        y, shapes = float(height), Markup("")
        for part in column.parts:
            if part.amount > 0:
                high = max(height * part.amount / top, 1.0)
                y -= high
                shapes += Markup('<rect class="f-{}" x="{}" y="{:.1f}" width="8" height="{:.1f}"/>').format(
                    part.kind, index * 10 + 1, y, high)
        drawn += Markup('<g><title>{}</title><rect class="f-none" x="{}" y="0" width="10" height="{}"/>{}</g>').format(
            column.label, index * 10, height, shapes)
    return _svg("columns", max(len(listed), 1) * 10, height, label, drawn)


def _svg(name: str, width: int, height: int, label: str, drawn: Markup) -> Markup:
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
                  "{}</svg>").format(name, width, height, escape(label), drawn)
