"""A proposal in two steps, all keys once and then rows by their keys, measured against the batches that it stands for.

The keys are read once, and one batch of rows by them; what the whole takes is the first and so many times the second as
the job made calls. The batches take as long as those that were seen at the beginning, in the middle and at the end.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from penstock.advise.asking.binding import Bound, bind
from penstock.advise.trial.contract import Call, Seen, Tried, Work
from penstock.advise.trial.rounds import Runs, best, measure
from penstock.domain.advice import Dialect, Measure, Rewrite

Rows = Callable[[Bound, int], list[Any]]
"""The first column of a statement's rows, at most so many."""
Run = Callable[[Work], Runs]


def two_steps(work: Work, rewrite: Rewrite, calls: int, dialect: Dialect, rounds: int, run: Run, rows: Rows,
              by: str) -> Tried:
    """What both come to for `calls` calls. Raises `Mismatch` where the values do not fit, and what the database raises.
    """
    values = work.calls[0].values
    assert isinstance(values, list)
    once = bind(rewrite.once or "", [values[number - 1] for number in rewrite.once_takes], dialect)
    sides: tuple[list[Runs], list[Runs], list[Runs]] = ([], [], [])
    batch = 0
    for number in range(rounds):
        batches = run(work)
        sides[0].append(batches)
        batch = batch or round(max(plan.root.actual_rows or 0 for plan in batches.plans))
        keys = rows(once, batch)
        after = bind(rewrite.after or "", [values[place - 1] if place else keys for place in rewrite.takes], dialect)
        for side, bound in zip(sides[1:], (once, after), strict=True):
            side.append(run(msgspec.structs.replace(work, calls=(Call(label="first", bound=bound),))))
        if not keys and number == 0:
            return Tried(by=by, confidence="confirmed", fault="the copy has no rows for these values")
    before, first, second = (measure(side) for side in sides)
    seen = Seen(work=work, before=best(sides[0]), after=(*best(sides[1]), *best(sides[2])),
                measured_before=_times([before], [calls / len(work.calls)], calls),
                measured_after=_times([first, second], [1, calls], calls))
    return Tried(by=by, confidence="confirmed", seen=seen, used=True)


def _times(measures: Sequence[Measure], how_often: Sequence[float], calls: int) -> Measure:
    """So many times each, together; rows are those of all calls."""
    blocks = [each.blocks for each in measures]
    took = sum((each.took_us or 0) * times for each, times in zip(measures, how_often, strict=True))
    return Measure(
        rounds=measures[-1].rounds, took_us=round(took),
        blocks=None if None in blocks else round(sum((each or 0) * times for each, times in zip(
            blocks, how_often, strict=True))),
        rows=None if measures[-1].rows is None else round(measures[-1].rows * how_often[-1]))
