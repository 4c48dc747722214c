"""A connection that writes, and a batch carried out in one transaction on it, with an outcome for every change.

Nothing is carried out before the COMMIT: whatever fails earlier is said to be unsent, and what fails there, without
the database's own word for it, to be in doubt.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from penstock.connectors.sql.layout import Layout
from penstock.connectors.sql.table import Table
from penstock.domain.errors import Stopping, Unavailable
from penstock.domain.records import Change, Outcome, Rejected
from penstock.sync.declaring.ports import Run

COMMIT_SECONDS = 1.0
"""What a run's lease must have left when a transaction is to be committed."""

UNIQUENESS = "uniqueness"
"""The code of a row that is refused since another has the same values."""

Row = tuple[Any, ...]


class Step(NamedTuple):
    """A statement for one row, and its values."""

    sql: str
    values: Sequence[Any]


class Refusal(NamedTuple):
    """Why the database refuses one row; by which `constraint`, or one over which `columns`, where it says so."""

    rejected: Rejected
    constraint: str | None = None
    columns: frozenset[str] = frozenset()


NO_TEXT = Refusal(Rejected("value", "a text of the row cannot be written: it has a character that is none in UTF-8, or"
                                    " NUL, which PostgreSQL refuses"))

Answer = list[Row] | Refusal


class Undone(Exception):
    """One row has ended the transaction, or must not be part of it: nothing of it is kept. `transact` takes care."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.rejected.message)


class Session(Protocol):
    """One open connection. What goes wrong in it, and is no single row's fault, is raised as `Unavailable`."""

    def begin(self, *, write: bool, seconds: float) -> None:
        """Begin a transaction in which no statement may take longer than `seconds`."""

    def commit(self) -> Refusal | None:
        """End it. A refusal says that nothing was kept, since a constraint that is checked last does not hold."""

    def rollback(self) -> None:
        """End it and keep nothing; never raises."""

    def carry_out(self, steps: Sequence[Step]) -> list[Answer]:
        """Run statements in the transaction, in order. One that is refused leaves the others carried out.

        Raises `Undone` where it ends the transaction.
        """

    def describe(self, layout: Layout) -> Table:
        """What the table is like. Raises `Unavailable` where there is none, or one that must not be written to."""


def is_text(value: str) -> bool:
    """Whether a text can be written as UTF-8; half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def misfit(message: str) -> Unavailable:
    """That a call cannot be made as things are declared; nothing was sent."""
    return Unavailable(message, sent=False)


Work = Callable[[Sequence[Change]], list[Outcome]]


def transact(session: Session, changes: Sequence[Change], work: Work, run: Run, seconds: float) -> list[Outcome | None]:
    """Do `work` in one transaction; or, where that cannot be kept as a whole, in one for each change."""
    run.calls.write += 1
    session.begin(write=True, seconds=min(seconds, max(run.remaining() - COMMIT_SECONDS, 0.1)))
    refusal: Refusal | None
    try:
        outcomes = work(changes)
        if run.remaining() < COMMIT_SECONDS:
            raise Unavailable("the database took longer than this run may: its lease is about to end. Nothing was"
                              " written; look for what holds the table's locks, or make batch_size smaller", sent=False)
    except Undone as undone:
        session.rollback()
        refusal = undone.refusal
    except BaseException:
        session.rollback()
        raise
    else:
        refusal = session.commit()
    if refusal is None:
        return [*outcomes]
    return [refusal.rejected] if len(changes) == 1 else _singly(session, changes, work, run, seconds)


def _singly(session: Session, changes: Sequence[Change], work: Work, run: Run, seconds: float) -> list[Outcome | None]:
    outcomes: list[Outcome | None] = []
    for change in changes:
        try:
            run.check()
            outcomes += transact(session, [change], work, run, seconds)
        except (Unavailable, Stopping) as error:
            if isinstance(error, Unavailable) and error.sent and len(outcomes) + 1 < len(changes):
                outcomes.append(None)  # only this one is in doubt: those behind it were never sent
                error.sent = False
            error.outcomes = tuple(outcomes)
            raise
    return outcomes
