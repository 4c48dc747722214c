"""Gates, as admission sees them: lines behind one that is not open have no turn, and come back when it opens.

A thousand lines behind a closed gate so cost nothing. Where a gate may be tried, one line comes back at a time.
"""

import time
from collections.abc import Iterable

from penstock.admission.policy import Gate
from penstock.store.port import Row, Transaction

_RELEASE_BATCH = 1000
_PROBE_SECONDS = 5.0


class Gates:
    """Reads gates that are not open, and lets lines come back. `step` is the view for one step of the policy."""

    def __init__(self) -> None:
        self._probed: dict[str, float] = {}

    def step(self, tx: Transaction, rows: Iterable[Row], now: int, *,
             held: bool) -> tuple[dict[str, Gate], float | None, bool]:
        """Gates that are not open, by key; when one that holds lines may be tried, in seconds; whether lines came back.

        `rows` are those gates as the store has them: key, until when, and why. `held`: whether any line is behind one.
        """
        shut: dict[str, Gate] = {}
        waits: dict[str, float] = {}
        for key, until_at, reason in rows:
            shut[key], waits[key] = self._seen(key, until_at, reason, now)
        soonest, released = None, False
        for (name,) in tx.rows("lines_gates") if held else ():
            key = name.removeprefix("gate:")
            gate = shut.get(key)
            if gate is None or gate.probe:
                tx.execute("lines_release_held", {"held": name, "count": 1 if gate else _RELEASE_BATCH})
                released = True
            if gate is not None:
                soonest = waits[key] if soonest is None else min(soonest, waits[key])
        return shut, soonest, released

    def _seen(self, key: str, until_at: int | None, reason: str | None, now: int) -> tuple[Gate, float]:
        """`until_at` is None where a person is to open it: nothing may try it."""
        if until_at is None:
            return Gate(None, reason), _PROBE_SECONDS
        left = max(until_at - now, 0) / 1000
        since = time.monotonic() - self._probed.get(key, -_PROBE_SECONDS)
        return Gate(until_at, reason, left == 0 and since >= _PROBE_SECONDS), max(left, _PROBE_SECONDS - since, 0.05)

    def probed(self, keys: set[str]) -> None:
        """One piece was let through each of these, once that is committed: the next waits for what comes of it."""
        now = time.monotonic()
        self._probed = {key: at for key, at in self._probed.items() if now - at < _PROBE_SECONDS}
        self._probed.update(dict.fromkeys(keys, now))
