"""SQLDestination: a table that a layer's records are written to, as people declare it."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec

from penstock.connectors.sql.address import Address, parse_url
from penstock.connectors.sql.commands import Commands
from penstock.connectors.sql.layout import Layout, lay_out, misfits
from penstock.connectors.sql.reading import PAGE, Record, found, pages
from penstock.connectors.sql.rows import Rows, payload_of, remote_id_of, unknown_columns
from penstock.connectors.sql.session import Session, misfit, transact
from penstock.connectors.sql.table import Kind, Table
from penstock.connectors.sql.writer import Writer
from penstock.domain.errors import ConfigurationError
from penstock.domain.records import Change, Outcome
from penstock.sync.declaring.ports import Run

NEEDS_PSYCOPG = "A SQLDestination on PostgreSQL needs psycopg. Install it: pip install 'penstock[postgres]'"

Verb = Callable[[Sequence[Change], Run], Sequence[Outcome | None]]


class SQLDestination:
    """A table of a SQLite or PostgreSQL database, with a row for each record.

        SQLDestination("postgresql://…/shop", "price", key="sku")
        SQLDestination("sqlite:///shop.db", "offer", match="code", parent="price_id", active="is_live")

    `url` is as for `SQLSource`, `table` is `table` or `schema.table`. The fields of a record's payload are columns.
    `key` names the column, or columns, that hold the record's own key and are unique: creating a record twice then
    makes one row. Without it the remote id is the primary key, which the database numbers. `match` is the column in
    which a value of the layer's `match` (else its key) is looked up. `parent` and `references` (a name, or several in
    the layer's order) get remote ids, `account` and `subject` the keys of the run's; rows of other accounts and
    subjects are then never touched. `active` is true, and false once a record is disabled; without it there is no
    `disable`. `version` changes with each write, an integer by Penstock's own hand: a row that somebody else has
    changed since is then left alone.

    A batch of at most `batch_size` changes is one transaction. A row that the database refuses is `Rejected`, and the
    others are carried out. `timeout` bounds each wait for the database, in seconds. A connection is opened for each
    call, and closed with it. Raises ConfigurationError when it is declared wrongly, listing every fault; its verbs
    raise `Unavailable`.
    """

    counts_calls = True

    def __init__(
        self, url: str, table: str, *, key: str | Sequence[str] | None = None, match: str | None = None,
        parent: str | None = None, references: str | Sequence[str] | None = None, account: str | None = None,
        subject: str | None = None, active: str | None = None, version: str | None = None, batch_size: int = 500,
        timeout: float = 30.0,
    ) -> None:
        faults: list[str] = []
        address: Address | None = None
        try:
            address = parse_url(url, "SQLDestination")
            if address.dialect == "postgres" and find_spec("psycopg") is None:
                faults.append(NEEDS_PSYCOPG)
        except ConfigurationError as error:
            faults += error.faults
        columns = {"key": key, "match": match, "parent": parent, "references": references, "account": account,
                   "subject": subject, "active": active, "version": version}
        layout = lay_out(address.dialect if address else None, table, columns, faults)
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            faults.append(f"SQLDestination expects batch_size to be a number of changes from 1, got {batch_size!r}.")
        if not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
            faults.append(f"SQLDestination expects timeout to be a number of seconds above 0, got {timeout!r}.")
        if faults or address is None:
            raise ConfigurationError(faults)
        self._address: Address = address
        self._layout: Layout = layout
        self._timeout = timeout
        self._known: Table | None = None
        self.batch_size = batch_size

    def __repr__(self) -> str:
        return f"SQLDestination({str(self._address)!r}, {str(self._layout)!r})"

    @property
    def idempotent(self) -> bool:
        """Creating a record twice makes one row: its key tells."""
        return bool(self._layout.key)

    @property
    def enforces_key(self) -> bool:
        """Whether a second row with one value of match is surely refused; known once the table was looked at."""
        names = {name for name in (self._layout.match, *self._layout.owners()) if name is not None}
        return self._known is not None and self._layout.match is not None and any(
            self._layout.match in unique and unique <= names for unique in self._known.unique.values())

    @property
    def read_scope(self) -> str:
        """Whether `read` gives the rows of one subject: where a column says whose they are."""
        return "account" if self._layout.subject is None else "subject"

    @property
    def implies(self) -> dict[str, bool]:
        """What an update sets besides the payload's columns: a row that is in the source is not disabled."""
        return {} if self._layout.active is None else {self._layout.active: True}

    @property
    def disable(self) -> Verb:
        """Sets the column `active` to false; there is no such verb without it."""
        if self._layout.active is None:
            raise AttributeError("a SQLDestination can disable where active= names the column that says so")
        return self._disable

    def identify(self, change: Change) -> str | None:
        """The remote id that creating a record will give, where its key alone tells."""
        values = {**payload_of(change), **dict(zip(self._layout.references, change.reference_ids, strict=False))}
        if self._layout.parent is not None:
            values[self._layout.parent] = change.parent_id
        if len(self._layout.key) == 1 and self._layout.key[0] not in self._layout.owners():
            values.setdefault(self._layout.key[0], change.key)
        parts = [values.get(name) for name in self._layout.key]
        if not parts or any(not isinstance(part, str | int) or isinstance(part, bool) or part == "" for part in parts):
            return None
        return remote_id_of([str(part) for part in parts])

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Make a row for each; one whose key is there already gets the record's values."""
        return self._write(changes, run, Writer.create)

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Give each row the record's values; fields that the record lacks now are emptied, other columns left alone."""
        return self._write(changes, run, Writer.update)

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Remove each row; one that is gone already counts as done."""
        return self._write(changes, run, Writer.delete)

    def _disable(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return self._write(changes, run, Writer.disable)

    def find(self, values: Sequence[str], run: Run) -> dict[str, list[str]]:
        """The remote ids of the rows with each value of match (else of the key); several where several rows have it."""
        with self._opened() as session:
            table = self._table(session)
            run.calls.read += 1
            session.begin(write=False, seconds=self._timeout)
            try:
                return found(session, self._commands(table), self._rows(table, run), values)
            finally:
                session.rollback()

    def read(self, run: Run) -> Generator[Record, None, None]:
        """Every row of the run's account and subject: its remote id, its match (else key), and its other columns.

        Rows come in the order of their remote ids, in pages with a transaction each.
        """
        with self._opened() as session:
            table = self._table(session)
            for page in pages(session, self._commands(table), self._rows(table, run), PAGE, self._timeout):
                run.calls.read += 1
                yield from page
                run.check()

    def _write(self, changes: Sequence[Change], run: Run,
               verb: Callable[[Writer, Sequence[Change]], list[Outcome]]) -> Sequence[Outcome | None]:
        with self._opened() as session:
            table = self._table(session)
            if unknown_columns(self._layout, table, changes):  # it may have been altered since it was looked at
                table = self._table(session, anew=True)
            if faults := unknown_columns(self._layout, table, changes):
                raise misfit(f"{self!r} cannot take these payloads: {' '.join(faults)}")
            writer = Writer(session, self._commands(table), self._rows(table, run))
            return transact(session, changes, lambda part: verb(writer, part), run, self._timeout)

    def _table(self, session: Session, *, anew: bool = False) -> Table:
        """What the table is like. It is looked at once, not for each call; raises `Unavailable` with every misfit."""
        table = self._known
        if table is None or anew:
            table = session.describe(self._layout)
            if faults := misfits(self._layout, table):
                raise misfit(f"{self!r} does not fit its table: {' '.join(faults)}")
            self._known = table
        return table

    def _rows(self, table: Table, run: Run) -> Rows:
        return Rows(self._layout, table, self._address.dialect, run)

    def _commands(self, table: Table) -> Commands:
        version = self._layout.version
        return Commands(self._address.dialect, self._layout, self._layout.identity(table),
                        counted=version is not None and table.columns[version].kind is Kind.INTEGER,
                        jsons=frozenset(name for name, column in table.columns.items() if column.kind is Kind.JSON))

    @contextmanager
    def _opened(self) -> Iterator[Session]:
        try:
            with self._open() as session:
                yield session
        except BaseException:
            self._known = None  # what the table was like may be what went wrong
            raise

    def _open(self) -> AbstractContextManager[Session]:
        if self._address.dialect == "sqlite":
            from penstock.connectors.sql.into_sqlite import SqliteSession

            return SqliteSession(self._address.target)
        try:
            from penstock.connectors.sql.into_postgres import PostgresSession
        except ImportError as error:
            raise ConfigurationError(f"{NEEDS_PSYCOPG} ({error})") from error
        return PostgresSession(self._address.target)
