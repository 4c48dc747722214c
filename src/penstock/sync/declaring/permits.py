"""What the calls of a run spend: permits of its sync's limits, and the way through the gates of its keys.

The invariants: a call is made with a permit of every limit that it is under, or not at all; and where it would have to
wait longer than the run may, the run goes on later, at no attempt. A call that the end of the window cut short says
nothing of its destination, and closes no gate.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from penstock.domain.errors import Limited, Throttled, Unavailable
from penstock.domain.limits import Concurrency
from penstock.limits.declared import Keyed
from penstock.limits.spending import Need, Permit, Spending
from penstock.sync.declaring.time_left import TimeLeft

_PATIENCE_SECONDS = 300.0
_LONGEST_SECONDS = 300.0
_AT_ONCE_SECONDS = 5.0
"""Who makes a call with less time than this left may give it up before it is sent."""


def gate_key(sync: str, account: str) -> str:
    """The key of the gate that every sync has in front of each account."""
    return f"sync:{sync}:{account}"


class Free:
    """The permits of a run that is under no limit, as `plan` uses it."""

    spent = 0
    waited = 0.0
    most: int | None = None

    def call(self, changes: int) -> "Free":
        """Leave for one call of a verb with so many changes; none of a read. Used as a context manager."""
        return self

    @contextmanager
    def request(self) -> Iterator[None]:
        """Leave for one request within a verb, of a client that tells its requests apart."""
        yield

    def refused(self, error: Exception) -> None:
        """The answer to a call said, for some of its records, that it was too much."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        return None


class RunPermits(Free):
    """The permits of one run.

    `most` is how many changes a call may carry; `spent` and `waited` (seconds) are what was spent and waited for so
    far.
    """

    def __init__(self, spending: Spending, sync: str, account: str, keyed: Sequence[Keyed],
                 check: Callable[[], object], left: TimeLeft) -> None:
        self._spending = spending
        self._keyed = keyed
        self._gate = gate_key(sync, account)
        own = [key for _, key in keyed if key == f"{sync}:{account}"]
        self._blamed = (self._gate, *(own or [key for _, key in keyed]))
        self._check = check
        self._left = left
        self._prepaid = False
        self._inside: Permit | None = None
        self.spent = 0
        self.waited = 0.0
        self.most = min((limit.count for limit, _ in keyed if limit.unit == "change"), default=None)

    def call(self, changes: int) -> "_Call":
        """Raises `Limited` where there is no permit in time, and what the run's `check` raises: nothing was sent."""
        needs = [Need(limit, key, changes if limit.unit == "change" else 1) for limit, key in self._keyed
                 if changes or limit.unit == "call"]
        permit = self._acquire(needs, gate_patience=0.0)
        return _Call(self, permit, self._left)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Raises `Throttled` where there is no permit in time: of what belongs to this request nothing was sent."""
        if self._prepaid or self._inside is None:
            self._prepaid = False
            yield
            return
        needs = [Need(limit, key) for limit, key in self._keyed
                 if limit.unit == "call" and not isinstance(limit, Concurrency)]
        try:
            permit = self._acquire(needs, inside=True) if needs else None
        except Limited as error:
            throttled: Any = Throttled(min(error.seconds, _LONGEST_SECONDS), f"{error}")
            throttled.gate = False
            raise throttled from error
        yield
        if permit is not None:
            permit.done()

    def refused(self, error: Exception) -> None:
        if self._blamed:
            self._spending.failed([key for _, key in self._keyed], self._blamed, (), 0.0, error)

    def _acquire(self, needs: Sequence[Need], **options: Any) -> Permit:
        patience = min(max(self._left.spare(), 0.0), _PATIENCE_SECONDS)
        permit = self._spending.acquire(needs, [self._gate], patience=patience, check=self._check, blamed=self._blamed,
                                        **options)
        self.spent += permit.spent
        self.waited += permit.waited
        return permit

    def begin(self, permit: Permit) -> None:
        self._inside, self._prepaid = permit, True

    def end(self) -> None:
        self._inside, self._prepaid = None, False


class _Call(Free):
    """Leave for one call of a verb."""

    def __init__(self, permits: RunPermits, permit: Permit, left: TimeLeft) -> None:
        self._permits = permits
        self._permit = permit
        self._left = left
        self._given = left.left()

    def __enter__(self) -> Self:
        self._permits.begin(self._permit)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._permits.end()
        if self._cut_short(error):
            self._permit.unused()
        else:
            self._permit.__exit__(kind, error, trace)

    def _cut_short(self, error: BaseException | None) -> bool:
        """Whether it is probably our own end that the call failed of, not its destination.

        A client gives up after half of the time that is left, at the latest: a call that failed sooner had the time
        that it needed, and what the destination says of itself (`retry_after`) is no matter of time.
        """
        if not isinstance(error, Unavailable) or error.retry_after is not None or not self._left.pressed:
            return False
        left = self._left.left()
        return left < _AT_ONCE_SECONDS or self._given - left >= left / 2
