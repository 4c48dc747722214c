"""Tells what changed to whoever wants to know: at least once, in the order in which it happened to one alert.

One process tells one change at a time. It is marked as told once every receiver has taken it; a process that ends
before that leaves it to another, which tells it again under the same id. So does one whose receiver failed, later.
"""

from collections.abc import Callable, Sequence

import msgspec

from penstock.domain.alerts import Alert
from penstock.events import AlertUntold
from penstock.events.telling import Events
from penstock.store.port import Store

_CLAIM_MS = 120_000
_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 3600.0
_IDLE_SECONDS = 5.0

Receiver = tuple[str, Callable[[Alert], object]]
"""What a receiver is called in the log, and what it is called with. One that raises is told again later."""


class Telling:
    """`step` tells what is due while `may_go_on`, and says how many seconds may go by before the next."""

    def __init__(self, store: Store, events: Events, receivers: Sequence[Receiver],
                 may_go_on: Callable[[], bool] = lambda: True) -> None:
        """`receivers` may grow while this is in use."""
        self._may_go_on = may_go_on
        self._store = store
        self._events = events
        self._receivers = receivers
        self._taken: dict[int, set[int]] = {}

    def step(self) -> float:
        while self._receivers and self._may_go_on() and self._store.look("alert_news_due")[0][0]:
            rows = self._store.run("alert_news_claim", {"claim_ms": _CLAIM_MS})
            if not rows:
                break
            id, kind, about, state, since_at, changed_at, summary, text, tries = rows[0]
            details = msgspec.json.decode(text)
            self._tell(Alert(id, kind, about, state, since_at, changed_at, summary, details), tries)
        return _IDLE_SECONDS

    def _tell(self, alert: Alert, tries: int) -> None:
        taken = self._taken.setdefault(alert.id, set())
        failed = False
        for number, (name, receive) in enumerate(tuple(self._receivers)):
            if number in taken:
                continue
            try:
                receive(alert)
                taken.add(number)
            except Exception as error:
                failed = True
                self._events.emit(AlertUntold(alert_id=alert.id, receiver=name,
                                              error=f"{type(error).__name__}: {error}"))
        if failed:
            seconds = min(_FIRST_SECONDS * 2.0 ** min(tries - 1, 20), _LONGEST_SECONDS)
            self._store.run("alert_news_again", {"id": alert.id, "delay_ms": round(seconds * 1000)})
        else:
            self._store.run("alert_news_told", {"id": alert.id})
            del self._taken[alert.id]
