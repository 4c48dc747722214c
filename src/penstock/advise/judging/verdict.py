"""What is to be thought of a candidate, from what a trial found: ship, reject or inconclusive, and why, in words.

Costs are hints: a planner that walks into a trap believes it cheap. So without a measurement a verdict goes by what the
plan does (no filter that discards, no sort, no trap) together with the cost; with one, by blocks and time alone.
"""

from collections.abc import Sequence

import msgspec

from penstock.advise.trial.contract import Seen, Tried
from penstock.domain.advice import Candidate, Measure, Plan, Schema, Verdict
from penstock.domain.plans import sorts, trap, walk

WORTH = 1.2
"""So many times less, in time or blocks, is worth an index; anything less is within what measurements scatter."""
CHEAPER = 2.0
"""So many times cheaper is worth an index where only the planner was asked and the plan does the same."""
HARM = 1.2
_FEW_BLOCKS = 16
_SHORT_US = 500
_GONE = "the trap is gone"
_READS = ("Index Scan", "Index Only Scan", "Seq Scan", "Bitmap Heap Scan")


def decide(candidate: Candidate | None, tried: Tried, schema: Schema) -> Verdict:
    """The verdict on a candidate, or on a rewrite, which the caller puts in."""
    if tried.fault or tried.seen is None:
        return Verdict(decision="inconclusive", reason=tried.fault or "the trial found nothing", candidate=candidate,
                       confidence=None, by=tried.by)
    judged = _measured(tried) if tried.seen.measured_after is not None else _planned(tried, schema)
    return msgspec.structs.replace(
        judged, candidate=candidate, confidence=tried.confidence, by=tried.by, before=_telling(tried.seen, "before"),
        after=_telling(tried.seen, "after"), measured_before=tried.seen.measured_before,
        measured_after=tried.seen.measured_after, size=tried.size, write_cost=tried.write_cost)


def _telling(seen: Seen, side: str) -> Plan | None:
    """The plan to show: of the call that changed most, by cost."""
    pairs = list(zip(seen.before, seen.after, strict=False))  # what is done in two steps has other calls
    if not pairs:
        return None
    before, after = max(pairs, key=lambda pair: (pair[0].shape != pair[1].shape,
                                                 (pair[0].root.cost or 0) - (pair[1].root.cost or 0)))
    return before if side == "before" else after


def _measured(tried: Tried) -> Verdict:
    seen = tried.seen
    assert seen is not None
    assert seen.measured_before is not None
    assert seen.measured_after is not None
    before, after = seen.measured_before, seen.measured_after
    gain = times(before.took_us, after.took_us)
    less = times(before.blocks, after.blocks)
    told = f"{_side(before)} before, {_side(after)} with it"
    if not tried.used:
        return Verdict(decision="reject", reason=f"the planner does not use it; {told}", gain=gain)
    harmed, lost_us = _harmed(tried.siblings)
    won_us = seen.work.weight_us * (1 - 1 / gain) if gain else 0.0
    worse = f"; slower with it: {'; '.join(harmed)}" if harmed else ""
    quicker = gain is not None and (gain >= WORTH or (gain >= 1 and (less or 0) >= CHEAPER))
    if not quicker:
        said = "slower" if gain is not None and gain < 1 / WORTH else "no quicker"
        return Verdict(decision="reject", reason=f"the planner uses it, and it is {said}: {told}{worse}", gain=gain,
                       harmed=harmed)
    if less is not None and less < 1 / WORTH:
        return Verdict(decision="inconclusive", gain=gain, harmed=harmed, reason=f"quicker, but it reads more blocks,"
                       f" which may only be quick while they are in memory: {told}{worse}")
    if harmed and lost_us >= won_us:
        return Verdict(decision="reject", gain=gain, harmed=harmed,
                       reason=f"others lose more than this statement wins{worse}; {told}")
    return Verdict(decision="ship", reason=f"{gain:,.1f} times quicker: {told}{worse}", gain=gain, harmed=harmed)


def _side(measured: Measure) -> str:
    parts = [f"{(measured.took_us or 0) / 1000:,.1f} ms"]
    if measured.blocks is not None and measured.rows:
        parts.append(f"{measured.blocks / measured.rows:,.1f} blocks per row")
    elif measured.blocks is not None:
        parts.append(f"{measured.blocks:,} blocks for no row")
    return ", ".join(parts)


def _planned(tried: Tried, schema: Schema) -> Verdict:
    seen = tried.seen
    assert seen is not None
    cheaper = _cheaper(seen)
    harmed = tuple(f"{each.work.name} would cost {worse:,.1f} times as much" for each in tried.siblings
                   if (worse := 1 / (_cheaper(each) or 1)) >= HARM)
    if not tried.used:
        return Verdict(decision="reject", gain=cheaper, reason="the planner would not use it for any of the values")
    better = _better(seen.before, seen.after, schema) or _better(seen.work.plans, seen.after, schema)
    told = f"the planner expects {cheaper:,.1f} times less cost" if cheaper else "the planner tells no costs"
    if harmed:
        return Verdict(decision="inconclusive", gain=cheaper, harmed=harmed,
                       reason=f"{told}, but {'; '.join(harmed)}: try it on a copy (--on)")
    if better and (cheaper is None or cheaper >= 1):
        return Verdict(decision="ship", gain=cheaper, reason=f"with it {'; '.join(better)}; {told}")
    if cheaper is not None and cheaper >= CHEAPER:
        return Verdict(decision="ship", gain=cheaper, reason=told)
    return Verdict(decision="reject" if cheaper is not None and cheaper < WORTH else "inconclusive", gain=cheaper,
                   reason=f"the plan with it discards, sorts and reads as before, and {told}")


def _better(befores: Sequence[Plan], afters: Sequence[Plan], schema: Schema) -> tuple[str, ...]:
    """What plans do no more, in words; empty where some plan does something worse."""
    found: dict[str, str] = {}
    for before, after in zip(befores, afters, strict=False):
        if before.shape == after.shape:
            continue
        was, now = trap(before, schema), trap(after, schema)
        filtered, filters = _filters(before), _filters(after)
        served, serves = _served(before), _served(after)
        if (now and not was) or (sorts(after.root) and not sorts(before.root)) or filters > filtered or (
                serves < served):
            continue
        if was and not now:
            found.setdefault(_GONE, str(was))
        elif filtered > filters:
            found["no filter discards rows"] = ""
        if serves > served:
            found[f"rows are searched for by {serves} of its conditions instead of {served}"] = ""
        if sorts(before.root) and not sorts(after.root):
            found["nothing is sorted"] = ""
    return tuple(f"{what} ({which})" if which else what for what, which in found.items())


def _filters(plan: Plan) -> int:
    return sum(1 for node in walk(plan.root) if node.filter and node.kind in _READS)


def _served(plan: Plan) -> int:
    """By how many conditions SQLite searches for rows; it tells no costs and no filters."""
    return sum(len(node.condition.split(" AND ")) for node in walk(plan.root)
               if node.kind == "SEARCH" and node.condition)


def _cheaper(seen: Seen) -> float | None:
    if any(plan.root.cost is None for plan in (*seen.before, *seen.after)):
        return None
    return times(sum(plan.root.cost or 0 for plan in seen.before), sum(plan.root.cost or 0 for plan in seen.after))


def _harmed(siblings: Sequence[Seen]) -> tuple[tuple[str, ...], float]:
    """Siblings that became slower by time and by blocks, in words, and how much they lose in all."""
    harmed, lost_us = [], 0.0
    for seen in siblings:
        before, after = seen.measured_before, seen.measured_after
        if before is None or after is None:
            continue
        slower = times(after.took_us, before.took_us) or 1.0
        more = times(after.blocks, before.blocks) or 1.0
        extra = (after.blocks or 0) - (before.blocks or 0)
        if slower >= HARM and (after.took_us or 0) - (before.took_us or 0) >= _SHORT_US and (
                more >= HARM and extra >= _FEW_BLOCKS):
            harmed.append(f"{seen.work.name} takes {slower:,.1f} times as long")
            lost_us += seen.work.weight_us * (slower - 1)
    return tuple(harmed), lost_us


def times(before: float | None, after: float | None) -> float | None:
    """How many times less; None where either is not known."""
    if before is None or after is None:
        return None
    return max(before, 1e-9) / max(after, 1e-9) if before or after else 1.0
