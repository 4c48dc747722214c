"""Calls to other systems that could be fewer: one for each record, or the same one in every trace."""

from collections.abc import Iterator

from penstock.domain.traces import CallSeen, StatementSeen
from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, PatternKind, Work
from penstock.observe.patterns.shapes import is_same_always

_CHATTY_CALLS = 20
"""In one trace, with an identifier in the path. Fewer are what people do by hand; a bulk call has a price too."""
_CHATTY_SHARE = 0.1
"""Of the wall time."""
_SHARED_TRACES = 5
"""So many traces asked for it, each as often as it had to."""
_SHARED_OFTEN = 0.8
"""Of all traces asked for it: what only some need is not worth loading for all."""
_SHARED_SHARE = 0.3
"""Of the wall time: a snapshot is another thing to keep right, so what it saves has to be much."""
_KINDS = ("run", "task")


def chatty_calls(work: Work) -> Iterator[Pattern]:
    """Many calls of one route with an identifier, within a trace."""
    for seen in work.calls:
        share = work.share(seen.total_us)
        how = _one_by_one(seen.route)
        if seen.most_calls < _CHATTY_CALLS or share < _CHATTY_SHARE or how is None:
            continue
        many = "a list or a search that gives many at once" if seen.method == "GET" else "a bulk endpoint"
        yield _call("chatty calls", seen, work, how,
                    f"{many}, if {seen.host} has one; else several calls at once within its limit")


def shared_fetch(work: Work) -> Iterator[Pattern]:
    """What every run (or job) of the name fetches again although nothing in the question says whose it is."""
    if work.trace.kind not in _KINDS:
        return
    faster = ("load it once for many runs: a snapshot of the sync, for what the source shares, or first contact and"
              " state, for what the destination holds (docs/windows.md)")
    for call in work.calls:
        if call.method == "GET" and "*" not in call.route and _shared(call, work):
            yield _call("shared fetch", call, work, "the same each time", faster)
    for seen in work.statements:
        if is_same_always(seen.text) and _shared(seen, work):
            place = evidence.site(seen.sites)
            yield Pattern(
                kind="shared fetch", took_us=seen.total_us, share=work.share(seen.total_us),
                fingerprint=seen.fingerprint, database=seen.database, site=place, faster=faster,
                evidence=evidence.numbers(seen, work),
                says=f"{evidence.calls(seen)}, {evidence.each(seen)}, the same each time:"
                     f" {evidence.spent(seen.total_us, work)}, by `{evidence.short(seen.text)}`"
                     + (f" at {place}" if place else ""))


def _shared(seen: CallSeen | StatementSeen, work: Work) -> bool:
    return (seen.traces >= _SHARED_TRACES and seen.traces >= _SHARED_OFTEN * work.trace.traces
            and work.share(seen.total_us) >= _SHARED_SHARE)


def _one_by_one(route: str) -> str | None:
    """How calls of a route go through many things, in words; None where nothing says that they do.

    The identifier is the last part of the path (`/users/*`, `/users/*:disable`) or the one before (`/users/*/roles`),
    which may as well be pages of what belongs to one. Further up (`/accounts/*/users/active`), and before a method of
    many (`/customers/*/campaigns:mutate`), it names whose things they are, and is the same in each call.
    """
    *before, last = [part for part in route.split("/") if part] or [""]
    if last.partition(":")[0] == "*":
        return "one by one"
    if before and before[-1] == "*" and ":" not in last:
        return "one by one, unless * is the same in all of them"
    return None


def _call(kind: PatternKind, seen: CallSeen, work: Work, how: str, faster: str) -> Pattern:
    place = evidence.site(seen.sites)
    route = f"{seen.method} {seen.host}{seen.route}"
    return Pattern(
        kind=kind, took_us=seen.total_us, share=work.share(seen.total_us), route=route, site=place,
        evidence=evidence.numbers(seen, work), faster=faster,
        says=f"{evidence.calls(seen)} of {route}, {how}: {evidence.spent(seen.total_us, work)}"
             + (f", at {place}" if place else ""))
