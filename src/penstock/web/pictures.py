"""Pictures of traces as SVG: flame graphs, lines of quantiles, when each part of a trace was under way.

As in `penstock.web.charts` there are shapes and classes alone. Places are percentages, so that a picture is as wide as
its page while its text stays as large as other text.
"""

from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from markupsafe import Markup

from penstock.domain.flame import Flame, Frame
from penstock.domain.lasting import lasting
from penstock.domain.speedscope import SAMPLE_MS
from penstock.domain.traces import PHASES
from penstock.web.charts import Column, Part
from penstock.web.frame import here

ROW = 20
_TINTS = 6
_LEAST_SPAN, _LEAST_HIGH = 0.3, 0.7
_LEAST_TEXT, _LEAST_STOP = 1.2, 1.0
"""Per cent of the width: a frame narrower than that has no room for a letter; nor does the Tab key stop at it."""

__all__ = ["flame", "lasting", "lines", "over_time", "phases", "spans",
           "stretches"]


def phases(spent: Mapping[str, int]) -> list[Part]:
    """The parts of a bar: where time went, in the order of the phases. What was waited before is none of it."""
    whole = sum(spent.get(phase, 0) for phase in PHASES if phase != "waited") or 1
    return [Part(spent[phase], f"p-{phase}", f"{phase} {spent[phase] / whole:.0%}, {lasting(spent[phase])}")
            for phase in PHASES if phase != "waited" and spent.get(phase)]


def over_time(stretches: Iterable[tuple[str, Mapping[str, int]]]) -> list[Column]:
    """Columns of time by phase. A stretch has what is said of it, and its phases."""
    return [Column(label, tuple(phases(spent))) for label, spent in stretches]


def lines(drawn: Sequence[tuple[str, Sequence[float | None]]], label: str, height: int = 120) -> Markup:
    """Lines over the same time, each of a kind, from zero to the largest of all; None is a gap."""
    most = max((value for _, values in drawn for value in values if value is not None), default=0) or 1
    count = max((len(values) for _, values in drawn), default=1)
    shapes = Markup("")
    for kind, values in drawn:
        for piece in _pieces(values):
            points = [(index * 10 + 5, height - 2 - (height - 6) * value / most) for index, value in piece]
            if len(points) == 1:  # a line that can be seen
                points = [(points[0][0] - 3, points[0][1]), (points[0][0] + 3, points[0][1])]
            shapes += Markup('<polyline class="l-{}" points="{}"/>').format(
                kind, " ".join(f"{x:.0f},{y:.1f}" for x, y in points))
    return Markup('<svg class="chart columns" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
                  ' aria-label="{}">{}</svg>').format(max(count, 1) * 10, height, label, shapes)


def _pieces(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((index, value))
    return [piece for piece in found if piece]


def spans(listed: Iterable[tuple[int, int]], whole_us: int, phase: str, label: str) -> Markup:
    """When parts of a trace were under way, in a row as wide as the whole: when each began, and how long it took."""
    shapes = Markup("")
    for at_us, took_us in listed:
        x = min(100 * max(at_us, 0) / max(whole_us, 1), 100 - _LEAST_SPAN)
        wide = min(max(100 * took_us / max(whole_us, 1), _LEAST_SPAN), 100 - x)
        shapes += Markup('<rect x="{:.2f}" y="0" width="{:.2f}" height="10"><title>{}</title></rect>').format(
            x, wide, f"from {lasting(at_us)} on, for {lasting(took_us)}")
    return Markup('<svg class="chart during f-p-{}" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
                  ' aria-label="{}">{}</svg>').format(phase, label, shapes)


def stretches(listed: Iterable[tuple[int, int, float]], whole_us: int, phase: str, label: str) -> Markup:
    """When a phase was under way, in a row as wide as the whole: the higher, the more of that time was its."""
    shapes = Markup("")
    for at_us, took_us, share in listed:
        x = min(100 * at_us / max(whole_us, 1), 100 - _LEAST_SPAN)
        wide = min(max(100 * took_us / max(whole_us, 1), _LEAST_SPAN), 100 - x)
        high = max(10 * share, _LEAST_HIGH)
        shapes += Markup('<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>').format(
            x, 10 - high, wide, high, f"from {lasting(at_us)} on, for {lasting(took_us)}: {share:.0%} of it")
    return Markup('<svg class="chart during f-p-{}" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
                  ' aria-label="{}">{}</svg>').format(phase, label, shapes)


def flame(graph: Flame, find: str = "") -> Markup:
    """A flame graph, callers above what they called. Each frame links to this page with that frame looked at."""
    wanted = find.casefold()
    drawn = Markup("").join(_frame(frame, graph, wanted) for frame in graph.frames)
    label = f"Flame graph of {graph.width:,} samples in {graph.depth} rows"
    return Markup('<svg class="flame" width="100%" height="{}" role="group" aria-label="{}">{}</svg>').format(
        graph.depth * ROW, label, drawn)


def _frame(frame: Frame, graph: Flame, wanted: str) -> Markup:
    width = 100 * frame.width / graph.width
    whole = frame.id == graph.looked_at
    text = Markup('<text x="5" y="14">{}</text>').format(frame.name) if width >= _LEAST_TEXT else ""
    marks = (" found" if wanted and wanted in frame.name.casefold() else "") + (" is-looked-at" if whole else "")
    stop = "" if width >= _LEAST_STOP else Markup(' tabindex="-1"')
    return Markup('<a href="{}" class="frame t{}{}"{}><svg x="{:.3f}%" y="{}" width="{:.3f}%" height="{}">'
                  '<title>{}</title><rect width="100%" height="100%"/>{}</svg></a>').format(
        here(look=None if whole else frame.id), crc32(frame.name.partition(".")[0].encode()) % _TINTS, marks, stop,
        100 * frame.at / graph.width, frame.depth * ROW, width, ROW - 1, _said(frame, graph), text)


def _said(frame: Frame, graph: Flame) -> str:
    """Its name on a line of its own: the script finds frames by it."""
    own = f", {frame.own:,} of them in itself" if frame.own and frame.own != frame.samples else ""
    return (f"{frame.name}\n{frame.samples / max(graph.samples, 1):.1%}: {frame.samples:,} samples,"
            f" {lasting(frame.samples * SAMPLE_MS * 1000)}{own}")
