"""A clock in the store, which stands still until it is moved.

The store's one SQL expression for the time reads a row, so the database decides what is due by this clock, on whichever
connection and in whichever process. The row is not part of the schema, which is why its SQL stands here.
"""

import contextlib
from datetime import UTC, datetime, timedelta

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError, InvalidArguments
from penstock.store.port import Transaction
from penstock.store.statements import compile_sql
from penstock.testing.place import settings_of

_TABLE = "create table if not exists penstock.test_clock (stands_at bigint, ahead_ms bigint not null)"
_EXPRESSION = "(select coalesce(stands_at, penstock.now() + ahead_ms) from penstock.test_clock)"
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class FakeClock:
    """The time of an app's store. It stands still at `at` (a time with a zone), or at the store's present time.

        with FakeClock(app) as clock:
            clock.advance(timedelta(days=1))

    It decides what is due, when a deadline has passed and how old a job is; `datetime.now()` and the limits of a
    running attempt (`timeout`, `stale_after`) go by the clocks of Python. Make it before a worker of the app is
    started. To let another process share it, give its app `now=clock.expression`. It leaves the table `test_clock`
    behind. Raises `SchemaMissing` where the store has not been migrated, and `ConfigurationError` if the app has such a
    clock already.
    """

    def __init__(self, app: Penstock, at: datetime | None = None) -> None:
        if app.settings.now is not None:
            raise ConfigurationError("expected an app that goes by its database's time, got one with now= set: use the"
                                     " clock that it has, or close that one first")
        app.check()
        self._app = app
        dialect = app.store.dialect
        self.expression = compile_sql(_EXPRESSION, dialect).sql
        """The SQL expression for the time, as a `Penstock` takes it by `now=`."""
        stands_at = self.now if at is None else at
        self._write(_TABLE, "delete from penstock.test_clock",
                    f"insert into penstock.test_clock (stands_at, ahead_ms) values ({_ms(stands_at)}, 0)")
        self._settings = contextlib.ExitStack()
        self._settings.enter_context(settings_of(app, now=self.expression))

    @property
    def now(self) -> datetime:
        """The time in the store, in UTC."""
        row = self._app.store.read(lambda tx: tx.row("now"))
        assert row is not None
        return _START + int(row[0]) * _MS

    def advance(self, by: timedelta) -> None:
        """Move the time on (or, with a negative `by`, back), and let workers look."""
        if not isinstance(by, timedelta):
            raise InvalidArguments(f"expected a timedelta to move the clock by, got {by!r}")
        ms = by // _MS
        self._move(f"update penstock.test_clock set stands_at = stands_at + {ms}, ahead_ms = ahead_ms + {ms}")

    def move_to(self, at: datetime) -> None:
        """Move the time to a moment (with a zone)."""
        self.advance(_START + _ms(at) * _MS - self.now)

    def freeze(self) -> None:
        """Let the time stand still."""
        self._move(f"update penstock.test_clock set stands_at = {_ms(self.now)} where stands_at is null")

    def run(self) -> None:
        """Let the time pass, from where it stands."""
        self._move("update penstock.test_clock set ahead_ms = stands_at - penstock.now(), stands_at = null"
                   " where stands_at is not null")

    def close(self) -> None:
        """Give the app its database's time again."""
        self._settings.close()

    def __enter__(self) -> "FakeClock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _move(self, sql: str) -> None:
        self._write(sql)
        self._app.store.wake()

    def _write(self, *statements: str) -> None:
        store = self._app.store
        compiled = [compile_sql(sql, store.dialect).sql for sql in statements]

        def work(tx: Transaction) -> None:
            for sql in compiled:
                tx.script(sql)

        store.write(work)


def _ms(at: datetime) -> int:
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidArguments(f"expected a time with a zone for the clock, got {at!r}: add tzinfo=UTC, or the zone"
                               " that you mean")
    return (at - _START) // _MS
