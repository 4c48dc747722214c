"""The means of trial for SQLite: a clone of the schema makes likely; a copy of the file confirms.

Neither touches a file of somebody else's: even the one that was named for experiments is copied first.
"""

from contextlib import ExitStack

from penstock.advise.asking.database import Examined
from penstock.advise.asking.options import Options
from penstock.advise.asking.sqlite.explained import Sqlite
from penstock.advise.trial.choosing import Means
from penstock.advise.trial.sqlite_clone import Clone
from penstock.advise.trial.sqlite_copy import CopyOfFile


def on_sqlite(stack: ExitStack, database: Examined, copy: str | None, options: Options) -> Means:
    """A clone for what is likely; where a file was named, a copy of it."""
    assert isinstance(database, Sqlite)
    confirming = stack.enter_context(CopyOfFile(copy, options)) if copy is not None else None
    return Means(likely=stack.enter_context(Clone(database)), confirming=confirming)
