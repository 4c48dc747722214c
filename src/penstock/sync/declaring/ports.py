"""The seams of a sync: what a source and a destination offer, and what they are given.

Verbs take a batch of changes and give one outcome per change, in the same order; or a mapping from the changes' keys
to their outcomes, where the destination answers in an order of its own. What is missing is in doubt. A verb raises
`Refused`, `Throttled` or `Unavailable` where the whole call failed. Everything but `create`, `update` and `delete` is
optional, and a layer asks only for the verbs that its mode needs.
"""

import math
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from penstock.domain.records import Calls, Change, Complete, Outcome, Subject
from penstock.sync.declaring.permits import Free
from penstock.sync.declaring.shared import Shared
from penstock.sync.declaring.time_left import TimeLeft


def _for_ever() -> float:
    """The lease of a run that nobody else can take over, as `plan` uses it."""
    return math.inf


def _never() -> None:
    """A run that nobody can stop, as `plan` uses it."""


def _none_held(remote_ids: Sequence[str]) -> Collection[str]:
    """A run that knows of no rows."""
    return ()


@dataclass(slots=True)
class Run:
    """What user code sees of the run that it works for.

    `client` is what the sync's `connect(account)` gave, `snapshot` what `load` of the sync's snapshot gave. `deadline`
    is when its window ends, in seconds of `time.monotonic()`, or None. `gone`: `load` says that there is no such
    subject any more.
    `calls` counts the requests to the destination; a connector's client adds to it. `held(remote_ids)` gives those
    that rows of the layer at work hold already, so that a verb adopts nothing that is another record's.
    `check()` raises where the run has to stop. `remaining()` is for how many seconds the run's lease surely holds, and
    its window lasts: a call that outlasts the lease could be carried out after another worker has looked for what it
    made, so a client gives up its calls before that. `permits.request()` is leave for one request of a client that
    makes several of them for one verb.
    """

    subject: Subject
    client: Any = None
    deadline: float | None = None
    calls: Calls = field(default_factory=Calls)
    check: Callable[[], None] = _never
    remaining: Callable[[], float] = _for_ever
    held: Callable[[Sequence[str]], Collection[str]] = _none_held
    gone: bool = False
    shared: Shared = field(default_factory=Shared)
    time: TimeLeft = field(default_factory=TimeLeft)
    permits: Free = field(default_factory=Free)

    @property
    def snapshot(self) -> Any:
        """What the sync's snapshot holds; None where it declares none. See docs/windows.md."""
        return self.shared.read()

    @property
    def account(self) -> str:
        return self.subject.account


@runtime_checkable
class Source(Protocol):
    """Gives the records of one subject in pages and returns `Complete(count)` if it read them all.

    A page is a list of mappings from field name to value; the layer turns them into records of its type.
    """

    def pages(self, run: Run, size: int) -> Generator[Sequence[Mapping[str, Any]], None, Complete | None]: ...


Outcomes = Sequence[Outcome | None] | Mapping[str, Outcome | None]


class Destination(Protocol):
    """What one kind of entity looks like at a destination.

    Optional beside these: `disable(changes, run)` for layers that disable instead of deleting; `find(values, run)`,
    which maps values of the layer's `match` field (else its keys) to a remote id, or to a list of several;
    `read(run)`, which yields (remote id, value of `match`, payload) for all that it holds, one by one or in lists;
    `fetch(remote_ids, run)`, which maps remote ids to payloads, without those that are gone; `batch_size`, the most
    changes that one call should carry; `counts_calls = True` where it counts its own requests in `run.calls`;
    `idempotent = True` where creating a record twice makes one, `enforces_key = True` where the second create is
    refused as a conflict, `idempotency_keys = True` where it is known by `change.idempotency_key`;
    `identify(change)`, which tells the remote id that a create will give, where that is known beforehand;
    `implies`, a mapping of fields that an update sets besides the payload's; `read_scope = "account"` where `read`
    gives what all subjects of an account have, so that it is of use to layers of that scope only.
    """

    def create(self, changes: Sequence[Change], run: Run) -> Outcomes: ...

    def update(self, changes: Sequence[Change], run: Run) -> Outcomes: ...

    def delete(self, changes: Sequence[Change], run: Run) -> Outcomes: ...


Found = Mapping[str, str | Sequence[str]]
