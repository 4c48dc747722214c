"""The means of trial for a PostgreSQL, in the order in which they are preferred."""

from collections.abc import Callable
from contextlib import ExitStack, closing

from penstock.advise.asking.database import Examined
from penstock.advise.asking.options import Options
from penstock.advise.asking.postgres.connection import connect
from penstock.advise.asking.postgres.explained import Postgres, identity
from penstock.advise.trial.choosing import Means, first_to_enter
from penstock.advise.trial.contract import Trial
from penstock.advise.trial.hypothetical import Hypothetical
from penstock.advise.trial.real import Real
from penstock.advise.trial.scratch import Scratch


def on_postgres(stack: ExitStack, database: Examined, copy: str | None, own: str | None, options: Options,
                tell: Callable[[str], None]) -> Means:
    """HypoPG where the database has it, then in the copy; then a scratch schema in Penstock's own PostgreSQL, then in
    the copy. A real index on the copy, if one was named."""
    assert isinstance(database, Postgres)
    notes: list[str] = []
    confirming = None
    if copy is not None:
        confirming = stack.enter_context(Real(copy, options.trial_limits, rounds=options.rounds,
                                              rolled_back=options.rolled_back, build_ms=options.build_ms))
        notes += [f"{name} was left behind by an earlier trial, and was dropped" for name in confirming.dropped]
        if _same(database, copy):
            notes.append("--on names the explained database itself: real indexes are built there, as was asked for")
    candidates: list[tuple[str, Trial]] = []
    if options.hypothetical:
        candidates.append(("the explained database", Hypothetical(database.url, options.limits)))
        if copy is not None:
            candidates.append(("the copy", Hypothetical(copy, options.trial_limits, may_install=True)))
    if options.scratch:
        candidates += [(name, Scratch(url, database, options)) for name, url in (
            ("Penstock's own database", own), ("the copy", copy)) if url is not None and not _same(database, url)]
    likely, why = first_to_enter(stack, candidates)
    if likely is None and confirming is None:
        notes += why
        notes.append("nothing could be tried: install HypoPG, keep Penstock in PostgreSQL, or name a copy (--on)")
    tell(f"likely by {likely.by if likely else 'nothing'}, confirmed by {confirming.by if confirming else 'nothing'}")
    return Means(likely=likely, confirming=confirming, notes=tuple(notes))


def _same(database: Postgres, url: str) -> bool:
    with closing(connect(url)) as connection:
        return identity(connection) == identity(database.connection)
