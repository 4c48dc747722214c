"""What becomes of a run that did not go well: again after a while, in a later window, or never.

What a run needs to be told in a later window is its cursor: for how many windows it came no further, how much it had
read at most, and how often its loader failed.
"""

import msgspec

from penstock.domain.errors import Limited, LoaderFailed, OutOfTime, PlanRefused, RunCancelled, Stopping
from penstock.domain.jobs import storable
from penstock.domain.retry import RetryPolicy
from penstock.sync.state.runs import Settled, Settlement, retried
from penstock.sync.window.taking import Taken

NO_PROGRESS = 3
"""In how many windows in a row a run may come no further."""
_HELD_SECONDS = 300.0
"""How long a run rests at most whose limit has nothing to give; while its gate is closed it is not admitted either."""
_LOADING = RetryPolicy(base_seconds=10.0, factor=3.0, longest_seconds=300.0)


class Cursor(msgspec.Struct, omit_defaults=True):
    """What a later window is to know of a run."""

    idle: int = 0
    read: int = 0
    loads: int = 0

    @classmethod
    def of(cls, text: str | None) -> "Cursor":
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def failed(settlement: Settlement, row: Taken, error: Exception, *, read: int, given: bool) -> Settled:
    """What a run comes to that ended with an error.

    `read` is how many records it has read in this window; `given`: it had enough time for one to be counted.
    """
    kind, message = type(error).__name__, storable(f"{error}")
    cursor = Cursor.of(row.cursor)
    by_now, seconds = settlement.written()
    progressed = by_now > row.written
    match error:
        case RunCancelled():
            return Settled("cancelled", kind, message)
        case OutOfTime():
            return _out_of_time(row, cursor, message, progressed or read > cursor.read, read, given)
        case Limited():
            wait = min(error.seconds, _HELD_SECONDS)
            return Settled("pending", "Limited", message, row.attempt - 1, wait, cursor.text)
        case Stopping():
            return Settled("pending", counted=row.attempt - 1, cursor=cursor.text)
        case LoaderFailed():
            cursor.loads += 1
            return Settled("pending", kind, message, row.attempt - 1, _LOADING.delay_seconds(cursor.loads), cursor.text)
    again = retried(error, row.attempt, progressed, seconds)
    if again is None:
        if not isinstance(error, PlanRefused):
            message = f"given up after {row.attempt} attempts that came no further: {message}"
        return Settled("failed", kind, message)
    counted, delay = again
    return Settled("pending", kind, message, counted, delay, cursor.text)


def _out_of_time(row: Taken, cursor: Cursor, message: str, progressed: bool, read: int, given: bool) -> Settled:
    """It goes on in the next window at no attempt, unless it has come no further for too many of them."""
    cursor.idle = 0 if progressed else cursor.idle + given
    cursor.read = max(cursor.read, read)
    if cursor.idle < NO_PROGRESS:
        return Settled("pending", "OutOfTime", message, row.attempt - 1, cursor=cursor.text)
    return Settled("failed", "NoProgress", (
        f"{NO_PROGRESS} windows passed in which nothing of it was written and no more of its source was read than"
        " before: expected a subject of which each window can do a part; give Window(total=…) more, or make subjects,"
        f" pages or batch_size smaller ({message})"))
