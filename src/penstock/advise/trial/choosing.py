"""Which means of trial are to be had: what makes a verdict likely, and what confirms it.

Nothing is built in the explained database: hypothetical indexes alone are tried there, where HypoPG is installed.
"""

from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from penstock.advise.asking.database import Examined
from penstock.advise.asking.options import Options
from penstock.advise.trial.contract import CannotTry, Trial
from penstock.domain.errors import AdviceUnavailable


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """`likely` and `confirming` are None where there is no such means; `notes` say why, and what was left over."""

    likely: Trial | None = None
    confirming: Trial | None = None
    notes: tuple[str, ...] = ()


def choose(stack: ExitStack, database: Examined, *, copy: str | None, own: str | None, options: Options,
           tell: Callable[[str], None]) -> Means:
    """The means for this database, entered on `stack`. Raises `AdviceUnavailable` and `TrialFailed`."""
    if copy is not None and copy.startswith("sqlite") != (database.dialect == "sqlite"):
        raise AdviceUnavailable("--on: expected a copy of the explained database, got a database of another kind")
    if database.dialect == "sqlite":
        from penstock.advise.trial.on_sqlite import on_sqlite
        return on_sqlite(stack, database, copy, options)
    from penstock.advise.trial.on_postgres import on_postgres
    return on_postgres(stack, database, copy, own, options, tell)


def first_to_enter(stack: ExitStack, candidates: list[tuple[str, Trial]]) -> tuple[Trial | None, tuple[str, ...]]:
    """The first means that can be had, and in words why those before it cannot."""
    notes: list[str] = []
    for name, trial in candidates:
        try:
            return stack.enter_context(trial), tuple(notes)
        except CannotTry as error:
            notes.append(f"{name}: {error}")
    return None, tuple(notes)
