"""Whether somebody cancelled a run while it is served: it is looked for now and then, where the run may stop."""

from collections.abc import Callable

from penstock.domain.errors import RunCancelled
from penstock.store.port import Store

_EVERY_SECONDS = 1.0


class CalledOff:
    """Asks the store about one run, at most once a second. `reason` is what its row said when it was taken."""

    def __init__(self, store: Store, run_id: int, reason: str | None, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._run_id = run_id
        self._reason = reason
        self._monotonic = monotonic
        self._looked_at = monotonic()

    def check(self) -> None:
        """Raise `RunCancelled` where the run is to end."""
        now = self._monotonic()
        if self._reason is None and now - self._looked_at >= _EVERY_SECONDS:
            self._looked_at = now
            rows = self._store.look("run_asked", {"id": self._run_id})
            self._reason = rows[0][0] if rows else None
        if self._reason is not None:
            raise RunCancelled(self._reason)
