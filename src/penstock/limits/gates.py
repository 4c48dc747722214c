"""Gates: one for each key, in front of a destination; open, closed until a time, or probing.

The invariants: a gate changes by one guarded write, so that many who are refused at once close it once; and after its
time one call is let through, by whoever's write finds the gate still closed. If that call succeeds the gate opens; if
it fails, it closes for longer. A prober that dies loses its lease, and another one takes over.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from penstock.domain.errors import GateClosed
from penstock.domain.retry import RetryPolicy
from penstock.limits.relation import Relation
from penstock.store.port import Row, Store

BACKOFF = RetryPolicy(base_seconds=1.0, factor=1.5, longest_seconds=300.0, jitter=0.0)
"""For how long a gate closes, by how often in a row, where the destination does not say it."""
FAULTS = 3
"""After so many errors of the connection in a row a gate closes."""
_OUTAGE_SECONDS = 5.0
_FRESH_SECONDS = 1.5
_LEAST_SECONDS = 0.05
_SLACK_MS = 250
_PROBE_SECONDS = 30.0
FOREVER = float("inf")
QUOTA = "quota"
"""What has closed a gate whose quota is spent: after its time it is open, without a probe."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as the store has it. `until_at` is in milliseconds since 1970, UTC; None: until somebody opens it."""

    key: str
    state: str
    until_at: int | None
    reason: str | None
    failures: int
    closed_at: int | None
    closed_by: str | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class Probe:
    """The right to send the one call that may open a gate."""

    key: str
    until_at: int
    failures: int


class Gates:
    """The gates as this process knows them, at most two seconds late. `told` hears of each that closes or opens."""

    def __init__(self, store: Store, relation: Relation, monotonic: Callable[[], float], name: str,
                 told: Callable[[str, str, str | None], object]) -> None:
        self._store = store
        self._relation = relation
        self._monotonic = monotonic
        self._name = name
        self._told = told
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._shut: dict[str, Gate] = {}
        self._known_at = -FOREVER
        self._faults: dict[str, float] = {}

    @property
    def stale(self) -> bool:
        return self._monotonic() - self._known_at > _FRESH_SECONDS

    def look(self) -> None:
        """Read the gates that are not open: few rows."""
        before = self._relation.now_us()
        rows = self._store.look("gates_shut")
        if rows:
            self._relation.told(before, self._relation.now_us(), rows[0][-1] * 1000)
        with self._lock:
            self._shut = {row[0]: Gate(*row) for row in rows}
            self._known_at = self._monotonic()

    def found_open(self) -> None:
        """A statement that was just carried out found the gate of its key open: no look is due for a while."""
        if not self._shut:
            self._known_at = self._monotonic()

    def shut(self, keys: Iterable[str]) -> Gate | None:
        """The first of these keys' gates that is not open."""
        if not self._shut:
            return None
        return next((self._shut[key] for key in keys if key in self._shut), None)

    def left(self, gate: Gate) -> float:
        """Seconds until a gate's time."""
        if gate.until_at is None:
            return FOREVER
        now_us = self._relation.time_us()
        return (gate.until_at * 1000 - (gate.now_ms * 1000 if now_us is None else now_us)) / 1_000_000

    def probe(self, gate: Gate) -> Probe | None:
        """Try to be the one that is let through; None where another is, or where the gate is open by now."""
        if gate.closed_by == QUOTA:
            self.open(gate.key, until_at=gate.until_at)
            return None
        rows = self._store.run("gate_probe", {"key": gate.key, "lease_ms": round(_PROBE_SECONDS * 1000)})
        if rows:
            return Probe(gate.key, rows[0][0], gate.failures)
        self.look()
        return None

    def closed(self, gate: Gate, seconds: float) -> GateClosed:
        """The error that says so."""
        if gate.state == "probing":
            return GateClosed(gate.key, max(min(seconds, 1.0), _LEAST_SECONDS),
                              "its gate lets one call through, to see whether it may open")
        return GateClosed(gate.key, seconds, f"its gate is closed ({gate.reason or 'no reason was given'})")

    def close(self, key: str, seconds: float, reason: str, *, by: str | None = None, failures: int = 1,
              probed: bool = False, anyway: bool = False) -> bool:
        """Close a gate for so long; False where it is closed for at least as long already."""
        with self._closing:  # of many who are refused at once, one writes, and the others see it
            known = self._shut.get(key)
            if not (probed or anyway) and known is not None and known.state == "closed" and \
                    self.left(known) >= seconds - _SLACK_MS / 1000:
                return False
            wait_ms = None if seconds == FOREVER else max(round(seconds * 1000), 1)
            rows = self._store.run("gate_close", {
                "key": key, "wait_ms": wait_ms, "reason": reason[:500].replace("\0", ""), "failures": failures,
                "closed_by": by or self._name, "probed": probed, "anyway": anyway, "slack_ms": _SLACK_MS})
            self.look()
        if rows:
            self._told(key, "closed", reason)
            self._store.wake()
        return bool(rows)

    def open(self, key: str, until_at: int | None = None) -> bool:
        """Open a gate; with `until_at` only if nobody has changed it since. False where it was open, or changed."""
        opened = bool(self._store.write(lambda tx: tx.execute(
            "gate_open", {"key": key, "until_at": until_at, "anyway": until_at is None})))
        self.look()
        if opened:
            self._told(key, "open", None)
            self._store.wake()
        return opened

    def succeeded(self, probe: Probe) -> None:
        self.open(probe.key, probe.until_at)

    def withdraw(self, probe: Probe) -> None:
        """The probe made no call: another may."""
        self._store.write(lambda tx: tx.execute("gate_unprobe", {"key": probe.key, "until_at": probe.until_at}))
        self.look()

    def refused(self, key: str, reason: str, retry_after: float | None, probe: Probe | None = None) -> None:
        """The destination asks for a pause: for so many seconds, or it does not say for how long."""
        failures = probe.failures + 1 if probe is not None else 1
        seconds = BACKOFF.delay_seconds(failures) if retry_after is None else max(retry_after, _LEAST_SECONDS)
        self.close(key, seconds, reason, failures=failures, probed=probe is not None)

    def fault(self, key: str, reason: str, began: float, probe: Probe | None = None) -> None:
        """A call that began then could not be made, or was not answered. Those under way together count once."""
        if probe is not None:
            self.refused(key, reason, None, probe)
            return
        with self._lock:
            if key in self._shut or began <= self._faults.get(key, -FOREVER):
                return
            self._faults[key] = self._monotonic()
        rows = self._store.run("gate_fault", {"key": key, "reason": reason[:500].replace("\0", "")})
        if rows and rows[0][0] >= FAULTS:
            self.close(key, _OUTAGE_SECONDS, f"{rows[0][0]} errors of the connection in a row: {reason}")

    @property
    def counts_faults(self) -> bool:
        return bool(self._faults)

    def fine(self, key: str) -> None:
        """A call was answered. A write only where errors had been counted here."""
        if self._faults and self._faults.pop(key, None) is not None:
            self._store.write(lambda tx: tx.execute("gate_fine", {"key": key}))

    def all(self) -> list[Gate]:
        """Every gate that is not open, as the store has it now."""
        return [Gate(*row) for row in self._store.look("gates_shut")]

    def one(self, key: str) -> Gate | None:
        rows: list[Row] = self._store.look("gate", {"key": key})
        return Gate(*rows[0]) if rows else None
