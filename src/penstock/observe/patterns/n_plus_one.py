"""N+1: a loop that looks up one row at a time what one statement could have given for all.

The calls have one shape and one place in the code, and each is a look-up by value that gives a row or none.
"""

from collections.abc import Iterator

from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, Work
from penstock.observe.patterns.shapes import is_point

_MOST_CALLS = 10
"""In one trace. Five single look-ups are how plain code asks for five things; ten of one shape are a loop."""
_MEAN_CALLS = 3
"""In a trace on average: one long trace among a thousand short ones is no habit."""
AT_MOST_ONE = 0.95
"""Of calls: some keys may be of more than one row, as where a unique constraint is missing."""
ONE_SITE = 0.8
"""Of calls: the rest may be the same function called from elsewhere."""
_SHARE = 0.03
"""Of the wall time. What takes less is not worth the change of code, however often it is called."""


def n_plus_one(work: Work) -> Iterator[Pattern]:
    """Loops of look-ups."""
    for seen in work.statements:
        share = work.share(seen.total_us)
        if (seen.most_calls < _MOST_CALLS or seen.calls < _MEAN_CALLS * max(seen.traces, 1) or share < _SHARE
                or seen.at_most_one < AT_MOST_ONE * seen.calls or not is_point(seen.text)
                or not evidence.at_one_site(seen.sites, ONE_SITE)):
            continue
        place = evidence.site(seen.sites)
        yield Pattern(
            kind="n+1", took_us=seen.total_us, share=share, fingerprint=seen.fingerprint, database=seen.database,
            site=place, evidence={**evidence.numbers(seen, work), "at_most_one": seen.at_most_one},
            says=f"{evidence.calls(seen)}, {evidence.each(seen)}: {evidence.spent(seen.total_us, work)}, by"
                 f" `{evidence.short(seen.text)}` at {place}",
            faster="ask for all of them at once, before the loop: `= ANY` or `IN` over the values, or a join")
