"""The seam to the database: what the engine asks of a store, and all that it may know of one.

Work on the store is a function of a `Transaction`, given whole to `Store.write` or `Store.read`. That is what lets
SQLite group the commits of many threads, and lets PostgreSQL try again after a deadlock. Such a function must
not touch the outside world, since it may run more than once, and must be quick, since others wait behind it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from penstock.store.statements import Compiled, Dialect

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Mapping[str, Any]


class Transaction(Protocol):
    """Statements of the catalogue, run in one transaction.

    `layer` names the table behind `penstock.layer`. A list among the parameters is an array: PostgreSQL gets it
    as one, SQLite as JSON text for `json_each`.
    """

    def rows(self, name: str, params: Params = ..., *, layer: str | None = None) -> list[Row]: ...

    def row(self, name: str, params: Params = ..., *, layer: str | None = None) -> Row | None: ...

    def execute(self, name: str, params: Params = ..., *, layer: str | None = None) -> int:
        """Run a statement and return the number of rows that it touched."""
        ...

    def execute_many(self, name: str, columns: Mapping[str, Sequence[Any]], *, layer: str | None = None) -> None:
        """Run a statement for many rows, given as one sequence per parameter, all of the same length."""
        ...

    def batch(self, name: str, columns: Params, *, layer: str | None = None) -> list[Row]:
        """Run a statement about many rows, given as one sequence per column, and return what it gives.

        Parameters that are no column of the statement's stand among `columns` too.
        """
        ...

    def script(self, sql: str) -> None:
        """Run the text of a migration, already in this dialect."""
        ...


Work = Callable[[Transaction], T]


class Question(NamedTuple):
    """What to ask a caller's connection: a statement by name, and what the rows that it gives say against it."""

    name: str
    fault: Callable[[list[Row]], str | None]


Ask = Callable[[list[int]], tuple[str, Params]]
"""From the numbers of jobs that were drawn to the name and the parameters of the statement that enqueues them."""


def numbered(tx: Transaction, count: int, ask: Ask) -> list[Row]:
    """Draw numbers and run what is asked for with them, in a transaction that is open."""
    return tx.rows(*ask([id for (id,) in tx.rows("job_numbers", {"count": count})]))


Talk = Generator[tuple[str, Params], list[Row], T]
"""Statements of one transaction that follow from one another: it yields their names and parameters, and is sent their
rows."""


def talked(tx: Transaction, talk: Talk[T]) -> T:
    """What a talk comes to in a transaction that is open."""
    try:
        ask = next(talk)
        while True:
            ask = talk.send(tx.rows(*ask))
    except StopIteration as done:
        return cast(T, done.value)


class Watch(Protocol):
    """A running look-out for other processes' writes."""

    def close(self) -> None: ...


class Store(Protocol):
    """A database with Penstock's tables. Opened when made; safe to use from any thread until closed."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def migrates_itself(self) -> bool:
        """Whether start-up may migrate it: an embedded store belongs to its app, a shared server does not."""
        ...

    @property
    def looks_first(self) -> bool:
        """Whether a write in vain costs more than a look beforehand."""
        ...

    @property
    def dead_rows_linger(self) -> bool:
        """Whether deleted rows stay in the way of readers for as long as somebody's old snapshot may need them."""
        ...

    @property
    def slots(self) -> Sequence[str]:
        """The tables that finished jobs lie in by the time until which they are kept, to be emptied whole."""
        ...

    @property
    def control(self) -> "Store":
        """The same database for the control plane, through connections that no user code can hold or use up.

        It is made when first asked for, and closed with this store.
        """
        ...

    def compile(self, name: str) -> Compiled:
        """A statement as a caller's own connection takes it."""
        ...

    def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once it is committed."""
        ...

    def run(self, name: str, params: Params = ...) -> list[Row]:
        """One statement in a transaction of its own, committed; `params` as for `batch`. One round trip."""
        ...

    def numbered(self, count: int, ask: Ask) -> list[Row]:
        """Draw so many numbers of jobs, and `run` the statement that is asked for with them."""
        ...

    def look(self, name: str, params: Params = ..., *, layer: str | None = None) -> list[Row]:
        """One statement that only reads, by itself. One round trip."""
        ...

    def submit(self, work: Work[T]) -> Future[T]:
        """The same, without waiting. Cancelling the future before the work has begun withdraws it."""
        ...

    def read(self, work: Work[T]) -> T:
        """Run `work`, which must only read, on one consistent view of the data."""
        ...

    def refuse_self_lock(self, future: Future[Any]) -> None:
        """Called now and then by a thread that waits for submitted work.

        Raises `CallerHoldsWriteLock`, and withdraws the work, where that very thread holds the lock it waits for.
        """
        ...

    def tells(self) -> bool:
        """Whether a statement that is about to run by itself should carry the word to other processes (`:tell`)."""
        ...

    def wake(self, *, told: bool = False) -> None:
        """Tell this process, and others unless they were `told`, that there is work.

        Called after a commit, never inside a transaction.
        """
        ...

    def watch(self, notice: Callable[[], None]) -> Watch:
        """Call `notice` (from a thread of the store's own) soon after any process has written."""
        ...

    def owns(self, connection: Any) -> Question | None:
        """What to ask a driver's connection to learn whether it leads to this very database; None if that is known.

        The question's `fault` is None if it does, else a clause that says what the connection is to.
        """
        ...

    def close(self) -> None:
        """Stop every thread and close every connection. Closing twice does nothing more."""
        ...
