"""What kept plans tell: that a statement is carried out in another way than before, or that a sort went to disk."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from penstock.domain.traces import StatementSeen
from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, PlanSeen, Work

_SHARE = 0.02
"""Of the wall time: plans of what takes less may change as they like."""
_ON_DISK = re.compile(r"(?:\bby (?P<keys>.+), )?(?P<kilobytes>[\d,]+) kB on disk")
_NO_NODE = ("for ", "filter ", "by ")
_LABELS = ("first", "middle", "last", "common")


def plan_flip(work: Work) -> Iterator[Pattern]:
    """Statements that were carried out in several ways: in another one than before, or by their parameters."""
    for seen, plans in _of_statements(work):
        now = plans[-1]
        others = [each for each in plans if each.shape != now.shape]
        if not others:
            continue
        was = others[-1]
        yield Pattern(
            kind="plan flip", took_us=seen.total_us, share=work.share(seen.total_us), fingerprint=seen.fingerprint,
            database=seen.database, site=evidence.site(seen.sites),
            evidence={**evidence.numbers(seen, work), "shape": now.shape, "other_shape": was.shape,
                      "since": now.since},
            says=f"`{evidence.short(seen.text)}` is planned as {_both(was, now)}:"
                 f" {evidence.spent(seen.total_us, work)}",
            faster="an index that serves filter and order at once, so that the planner need not choose; ANALYZE,"
                   " where the tables' statistics are old")


def _both(was: PlanSeen, now: PlanSeen) -> str:
    """What it is now and what it was; where both are seen at the same time, for which parameters."""
    here, there = way(now.text), way(was.text)
    if here == there:
        here, there = _outline(now.text), _outline(was.text)
    if was.until < now.since:
        return f"{here} since {_time(now.since)}, before as {there}"
    first, second = (f" (for {', '.join(labels)} parameters)" if (labels := _labels(each, other)) else ""
                     for each, other in ((now, was), (was, now)))
    return f"{here}{first} and as {there}{second}, now this and now that"


def _labels(of: PlanSeen, other: PlanSeen) -> list[str]:
    """For which parameters it is the plan that the other one is not for."""
    return [label for label in _LABELS if label in of.flags and label not in other.flags]


def sort_spill(work: Work) -> Iterator[Pattern]:
    """Statements whose newest plan says that it wrote to disk: what it sorts did not fit into memory."""
    for seen, plans in _of_statements(work):
        spilled = list(_ON_DISK.finditer(plans[-1].text))
        if not spilled:
            continue
        most = max(spilled, key=lambda each: int(each["kilobytes"].replace(",", "")))
        by = f" by {most['keys']}" if most["keys"] else ""
        yield Pattern(
            kind="sort spill", took_us=seen.total_us, share=work.share(seen.total_us), fingerprint=seen.fingerprint,
            database=seen.database, site=evidence.site(seen.sites),
            evidence={**evidence.numbers(seen, work), "spilled_kb": int(most["kilobytes"].replace(",", "")),
                      "shape": plans[-1].shape},
            says=f"`{evidence.short(seen.text)}` writes {most['kilobytes']} kB to disk for its sort{by}:"
                 f" {evidence.spent(seen.total_us, work)}, in {evidence.calls(seen)}",
            faster="an index that gives rows in this order, fewer columns in what is sorted, or more work_mem for this"
                   " session")


def way(text: str) -> str:
    """How a plan gets at its rows, in a few words: `Index Scan using record_pkey on record`."""
    nodes = _nodes(text)
    return " and ".join(dict.fromkeys(node for node in nodes if " on " in node)) or _outline(text)


def _outline(text: str) -> str:
    """All that a plan does, the last first."""
    return " over ".join(_nodes(text)) or "nothing that was kept"


def _nodes(text: str) -> list[str]:
    lines = [line.strip().partition("  (")[0] for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(_NO_NODE)]


def _of_statements(work: Work) -> Iterator[tuple[StatementSeen, list[PlanSeen]]]:
    """Statements that matter, each with its plans in the order of time."""
    for seen in work.statements:
        plans = [each for each in work.plans
                 if (each.fingerprint, each.database) == (seen.fingerprint, seen.database)]
        if plans and work.share(seen.total_us) >= _SHARE:
            yield seen, sorted(plans, key=lambda each: (each.until, each.since))


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
