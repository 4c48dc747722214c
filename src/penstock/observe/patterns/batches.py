"""Batches that are slow, and paging by OFFSET: many calls with a LIMIT, each of which searches for its beginning anew.

Of batches there are two forms. One has a *cursor*, a parameter that only grows, and asks for what lies beyond it. The
other *drains*: it asks for the same again and again, since each batch changes what it was given.
"""

from collections.abc import Iterator

from penstock.domain.lasting import lasting
from penstock.domain.parameters import Parameters
from penstock.domain.traces import StatementSeen
from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, PatternKind, Work
from penstock.observe.patterns.plans import way
from penstock.observe.patterns.shapes import goes_on, has_limit, has_offset, is_select

_MOST_CALLS = 10
"""In one trace: fewer batches are over before anybody minds."""
_MOST_PAGES = 5
"""In one trace. OFFSET is read from the beginning each time, so a handful of pages tells already."""
_SLOW_CALL_US, _SLOW_ROW_US = 10_000, 10
"""A call is slow from 10 ms, and from 10 µs a row. An index that fits gives a thousand rows in one to three
milliseconds; wide rows over a network take a few times that."""
_SLOW_PAGE_US = 1000
"""A page that is read anew each time does not get away with being as slow from the beginning."""
_GROWS, _PAGES_GROW = 2.0, 1.5
"""So many times slower at the end than at the beginning. What gets twice as slow reads ever more of what it does not
give; that is expected of OFFSET, where less of it counts as proof."""
_WORTH_US = 500
"""A call that takes less is not worth a word, even if it grows."""
_SHARE, _PAGES_SHARE = 0.1, 0.05
"""Of the wall time."""


def slow_batches(work: Work) -> Iterator[Pattern]:
    """Batches of either form, each of whose calls takes longer than its rows explain, or ever longer."""
    for seen in work.statements:
        form = _form(seen)
        share = work.share(seen.total_us)
        if form is None or seen.most_calls < _MOST_CALLS or share < _SHARE:
            continue
        mean = seen.total_us / seen.calls
        grown = _grown(seen, _GROWS)
        if mean >= max(_SLOW_CALL_US, _SLOW_ROW_US * seen.rows / seen.calls) or (grown and mean >= _WORTH_US):
            yield _pattern("slow batches", seen, work, grown,
                           "an index on what it filters by and then on its order"
                           + ("" if form == "cursor" else
                              ", or a cursor: ask for what lies beyond the last row that was given"))


def offset_paging(work: Work) -> Iterator[Pattern]:
    """Pages by OFFSET within a trace: each reads all the rows before it again."""
    for seen in work.statements:
        share = work.share(seen.total_us)
        if not (is_select(seen.text) and has_offset(seen.text)):
            continue
        if seen.most_calls < _MOST_PAGES or share < _PAGES_SHARE:
            continue
        grown = _grown(seen, _PAGES_GROW)
        if grown or seen.total_us >= _SLOW_PAGE_US * seen.calls:
            yield _pattern("offset paging", seen, work, grown,
                           "a cursor instead of OFFSET: `WHERE key > <the last one given> ORDER BY key LIMIT n`")


def _form(seen: StatementSeen) -> str | None:
    """`cursor`, `drain`, or None for what is no batch."""
    if not (is_select(seen.text) or "returning" in seen.text.lower()) or not has_limit(seen.text):
        return None
    if has_offset(seen.text):
        return None
    if seen.monotone and goes_on(seen.text):
        return "cursor"
    asked = [sample.parameters for sample in seen.samples]
    return "drain" if len(asked) > 1 and _told(asked[0]) and all(each == asked[0] for each in asked) else None


def _told(parameters: Parameters | None) -> bool:
    """Whether equal parameters say anything: where no value was kept, those of any two calls look the same."""
    kept = list(parameters.values() if isinstance(parameters, dict) else parameters or [])
    return not kept or any(each.value is not None for each in kept)


def _grown(seen: StatementSeen, times: float) -> tuple[float, float, float] | None:
    found = evidence.growth(seen)
    return found if found is not None and found[0] >= times else None


def _pattern(kind: PatternKind, seen: StatementSeen, work: Work, grown: tuple[float, float, float] | None,
             faster: str) -> Pattern:
    place = evidence.site(seen.sites)
    numbers = evidence.numbers(seen, work)
    ever = trap = ""
    if grown is not None:
        times, first, last = grown
        ever = f", from {lasting(first)} at the beginning to {lasting(last)} at the end"
        numbers |= {"first_us": round(first), "last_us": round(last), "growth": round(times, 2)}
    trapped = [each for each in work.plans if "trap" in each.flags
               and (each.fingerprint, each.database) == (seen.fingerprint, seen.database)]
    if trapped:
        trap = f"; {way(trapped[-1].text)} gives the order, and its filter discards most of what it reads"
        numbers["trap"] = trapped[-1].shape
    return Pattern(
        kind=kind, took_us=seen.total_us, share=work.share(seen.total_us), fingerprint=seen.fingerprint,
        database=seen.database, site=place, evidence=numbers, faster=faster,
        says=f"{evidence.calls(seen)}, {evidence.each(seen)}{ever}: {evidence.spent(seen.total_us, work)}, by"
             f" `{evidence.short(seen.text)}`" + (f" at {place}" if place else "") + trap)
