"""Loops around a statement that are no N+1: a question of several rows for each value, and writes row by row.

They are told from paging and draining by their parameters, which differ from call to call, and from what is asked in
several places by their site.
"""

from collections.abc import Iterator

from penstock.domain.traces import StatementSeen
from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, PatternKind, Work
from penstock.observe.patterns.n_plus_one import AT_MOST_ONE, ONE_SITE
from penstock.observe.patterns.shapes import goes_on, has_limit, is_point, writes_values

_QUERIES, _WRITES = 20, 50
"""Calls in one trace. A question that gives several rows is nearer to what code has to ask than a look-up is, and a
write nearer still."""
_MEAN_CALLS = 5
"""In a trace on average."""
_FEW_ROWS = 100
"""A call: what gives more is a piece of work for itself, of which memory may be the reason."""
_SHARE = 0.1
"""Of the wall time."""


def loop_of_queries(work: Work) -> Iterator[Pattern]:
    """The rows that belong to each of many values, asked for value by value."""
    for seen in work.statements:
        if (_loops(seen, work, _QUERIES) and is_point(seen.text) and not has_limit(seen.text)
                and seen.at_most_one < AT_MOST_ONE * seen.calls and seen.rows <= _FEW_ROWS * seen.calls
                and _differ(seen)):
            yield _pattern("loop of queries", seen, work,
                           "ask for the rows of all values at once (`= ANY` or `IN`), ordered by value, and tell them"
                           " apart in the program")


def single_writes(work: Work) -> Iterator[Pattern]:
    """Rows that are written one by one."""
    for seen in work.statements:
        if (_loops(seen, work, _WRITES) and writes_values(seen.text) and not goes_on(seen.text)
                and seen.rows <= seen.calls):
            yield _pattern("single writes", seen, work,
                           "write many at once: `executemany`, COPY, or one statement over a list of values")


def _loops(seen: StatementSeen, work: Work, most: int) -> bool:
    return (seen.most_calls >= most and seen.calls >= _MEAN_CALLS * max(seen.traces, 1)
            and work.share(seen.total_us) >= _SHARE and evidence.at_one_site(seen.sites, ONE_SITE))


def _differ(seen: StatementSeen) -> bool:
    """Whether its examples, as far as their parameters were kept, asked for different values."""
    asked = [sample.parameters for sample in seen.samples if sample.parameters]
    return len(asked) > 1 and any(each != asked[0] for each in asked)


def _pattern(kind: PatternKind, seen: StatementSeen, work: Work, faster: str) -> Pattern:
    place = evidence.site(seen.sites)
    return Pattern(
        kind=kind, took_us=seen.total_us, share=work.share(seen.total_us), fingerprint=seen.fingerprint,
        database=seen.database, site=place, evidence=evidence.numbers(seen, work), faster=faster,
        says=f"{evidence.calls(seen)}, {evidence.each(seen)}: {evidence.spent(seen.total_us, work)}, by"
             f" `{evidence.short(seen.text)}` at {place}")
