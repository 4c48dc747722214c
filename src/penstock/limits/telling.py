"""What of each limit is used now, as people and programs read it. Nothing is changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.domain.limits import Concurrency, Limit, Quota, Rate, name_of
from penstock.domain.periods import used
from penstock.limits.gates import Gate
from penstock.limits.rows import entries
from penstock.store.port import Store, Transaction

_NEAR = 0.8
_MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Use:
    """One limit of a key. `used` counts the permits of a quota's present period, or the places that are held now. Of a
    rate `ahead_seconds` says for how long its slots are given away, and `pace` what an adaptive one allows by now, per
    its period."""

    limit: str
    most: int
    used: int = 0
    ahead_seconds: float | None = None
    pace: float | None = None

    @property
    def is_near_edge(self) -> bool:
        """Whether little is left of it: a fifth of a quota or of places, or of a rate nothing in the next second."""
        if self.ahead_seconds is not None:
            return self.ahead_seconds >= 1
        return self.most > 0 and self.used >= _NEAR * self.most


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key: its limits and its gate. `gate_until_at` is in milliseconds since 1970, UTC."""

    key: str
    limits: tuple[Use, ...]
    gate: str = "open"
    gate_until_at: int | None = None
    gate_seconds: float | None = None
    gate_reason: str | None = None
    gate_closed_by: str | None = None

    @property
    def is_near_edge(self) -> bool:
        """Whether those who spend under it wait, or will soon."""
        return self.gate != "open" or any(use.is_near_edge for use in self.limits)


def states(store: Store, declared: Iterable[Limit]) -> list[KeyState]:
    """Every key of which something was given, or whose gate is not open. `declared` are the limits that the app knows:
    of others the store has only their names."""
    known = {name_of(limit): limit for limit in declared}

    def work(tx: Transaction) -> tuple[list[Gate], list[tuple[str, str, int, int | None, str, int]], set[int]]:
        return ([Gate(*row) for row in tx.rows("gates_shut")], list(tx.rows("limits_given")),
                {row[0] for row in tx.rows("permit_holders_alive")})

    shut, rows, alive = store.read(work)
    gates = {gate.key: gate for gate in shut}
    uses: dict[str, list[Use]] = {key: [] for key in gates}
    for key, name, next_us, interval_us, spent, now_ms in rows:
        uses.setdefault(key, []).append(_use(known.get(name), name, next_us, interval_us, entries(spent), now_ms,
        alive))
    return [_state(key, uses[key], gates.get(key)) for key in sorted(uses)]


def page(store: Store, declared: Iterable[Limit], *, begins: str = "", start: str = "", count: int = 50
         ) -> tuple[list[KeyState], str | None]:
    """The first keys from one on of which something was given, those that begin so; and from which the next page goes.

    There may be a key for every customer of somebody's, so no more than a bounded number of rows is read.
    """
    known = {name_of(limit): limit for limit in declared}

    def work(tx: Transaction) -> tuple[list[tuple[str, str, int, int | None, str, int]], dict[str, Gate], set[int]]:
        asked = {"key": max(start, begins), "count": _MOST_ROWS}
        return (list(tx.rows("limits_page", asked)),
                {row[0]: Gate(*row) for row in tx.rows("gates_shut_page", asked)},
                {row[0] for row in tx.rows("permit_holders_alive")})

    rows, gates, alive = store.read(work)
    uses: dict[str, list[Use]] = {}
    for key, name, next_us, interval_us, spent, now_ms in rows:
        if not key.startswith(begins):
            break
        uses.setdefault(key, []).append(_use(known.get(name), name, next_us, interval_us, entries(spent), now_ms,
                                             alive))
    found = list(uses)
    if len(rows) == _MOST_ROWS and len(found) > 1:
        found = found[:-1]  # the rest of it was not read
    more = len(found) > count or (len(rows) == _MOST_ROWS and rows[-1][0].startswith(begins))
    shown = found[:count]
    return [_state(key, uses[key], gates.get(key)) for key in shown], f"{shown[-1]}\x01" if more and shown else None


def near_edge(store: Store, declared: Iterable[Limit], count: int) -> list[KeyState]:
    """Keys that hold work up, or are about to: those whose gate is not open, then those of which little is left.

    Like a page it reads a bounded number of rows: of more keys than that, only the first by name are looked at for how
    much is left.
    """
    given, _ = page(store, declared, count=_MOST_ROWS)
    known = {state.key: state for state in given}
    closed = [known.get(gate.key) or _state(gate.key, [], gate) for gate in shut(store, count=count)]
    held = {state.key for state in closed}
    return [*closed, *(state for state in given if state.is_near_edge and state.key not in held)][:count]


def shut(store: Store, *, begins: str = "", count: int = 50) -> list[Gate]:
    """The first gates that are not open, of keys that begin so."""
    rows = store.look("gates_shut_page", {"key": begins, "count": count})
    return [Gate(*row) for row in rows if row[0].startswith(begins)]


def _use(limit: Limit | None, name: str, next_us: int, interval_us: int | None, spent: list[list[int]], now_ms: int,
         alive: set[int]) -> Use:
    match limit:
        case Rate():
            ahead = max((next_us - now_ms * 1000) / 1_000_000, 0.0)
            pace = None if interval_us is None else limit.seconds * 1_000_000 / interval_us
            return Use(f"{limit}", limit.count, ahead_seconds=round(ahead, 3), pace=pace)
        case Quota():
            return Use(f"{limit}", limit.count, used(limit, [(begin, units) for begin, units in spent], now_ms))
        case Concurrency():
            return Use(f"{limit}", limit.count, sum(count for holder, count in spent if holder in alive))
    return Use(f"{name} (not declared by this app)", 0)


def _state(key: str, limits: list[Use], gate: Gate | None) -> KeyState:
    if gate is None:
        return KeyState(key, tuple(limits))
    left = None if gate.until_at is None else max((gate.until_at - gate.now_ms) / 1000, 0.0)
    return KeyState(key, tuple(limits), gate.state, gate.until_at, left, gate.reason, gate.closed_by)
