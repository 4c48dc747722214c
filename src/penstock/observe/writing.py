"""The rows of one process: what they have come to in this hour and day, and which of them are still to be written."""

from penstock.domain.slow import SlowTrace
from penstock.observe.kept import (
    DAY_MS,
    HOUR_MS,
    Keeps,
    Name,
    Row,
    call_row,
    flame_row,
    slow_row,
    slow_trace,
    statement_row,
    text,
    totals_row,
)
from penstock.observe.totals import FAILED, OTHER_CALLS, OTHER_STATEMENTS, SLOWEST, Totals, add_stacks
from penstock.observe.trace import Trace, clock
from penstock.store.port import Store, Transaction

_MOST_NAMES = 500
_MOST_WAITING = 20_000
_FLAMES_MS = 60_000

_PUT = {"trace_totals": ("trace_totals_put", "traces"), "trace_statements": ("trace_statements_put", "traces"),
        "statement_texts": ("statement_texts_put", "texts"), "trace_calls": ("trace_calls_put", "traces"),
        "trace_flames": ("trace_flames_put", "traces"), "slow_traces": ("slow_traces_put", "traces")}
Key = tuple[object, ...]


class Writing:
    """Absolute values for each row. `waits` says whether something is still to be written, `written` counts rows."""

    def __init__(self, process: str, keeps: Keeps) -> None:
        self.process = process
        self.keeps = keeps
        self.written = 0
        self._hour = self._day = -1
        self._totals: dict[Name, Totals] = {}
        self._stacks: dict[Name, dict[str, int]] = {}
        self._sampled: set[Name] = set()  # whose stacks are still to be written
        self._flames_at: dict[Name, int] = {}
        self._slow: dict[Name, list[SlowTrace | None]] = {}
        self._failures: dict[Name, int] = {}
        self._texts: dict[Key, bool] = {}  # with whether they varied when they were written
        self._rows: dict[str, dict[Key, Row]] = {}

    @property
    def waits(self) -> bool:
        return any(self._rows.values()) or bool(self._sampled)

    def write(self, store: Store, fresh: dict[Name, Totals], *, everything: bool = True) -> None:
        """Add to the rows and write those that changed. Raises what the store raises: before it has told the time,
        nothing was taken; afterwards all of it was, and waits for the next time.

        Stacks, whose rows are long, are written once a minute, unless `everything` is to be.
        """
        ((now,),) = store.look("now")
        ticks = clock()
        for of in list(fresh):
            self._take(of, fresh.pop(of), int(now), ticks)
        self._put_flames(None if everything else int(now))
        rows = {table: list(found.values()) for table, found in self._rows.items() if found}

        def work(tx: Transaction) -> None:
            for table, found in rows.items():
                statement, parameter = _PUT[table]
                tx.execute(statement, {parameter: text(found)})

        if rows:
            store.write(work)
        self.written += sum(map(len, rows.values()))
        for found in self._rows.values():
            found.clear()

    def _take(self, of: Name, totals: Totals, now: int, ticks: int) -> None:
        """Add to the sums of this hour, and note which rows are to be written."""
        hour, day = now - now % HOUR_MS, now - now % DAY_MS
        if hour != self._hour:
            self._hour, self._totals, self._texts = hour, {}, {}
        if day != self._day:
            self._put_flames(None)
            self._day, self._slow, self._stacks, self._failures = day, {}, {}, {}
        slow = [(trace, now - (ticks - trace.began) // 1_000_000) for _, _, trace in totals.slowest]
        failures = [(trace, now - (ticks - trace.began) // 1_000_000) for trace in totals.failures]
        if of not in self._totals and len(self._totals) >= _MOST_NAMES:
            of = of[0], "(others)"
        changed = set(totals.statements), set(totals.calls)
        stacks, totals.stacks = totals.stacks, {}
        known = self._totals.setdefault(of, Totals())
        known.absorb(totals)
        self._put("trace_totals", (hour, *of), totals_row(self.process, hour, of, known))
        for key in {key if key in known.statements else OTHER_STATEMENTS for key in changed[0]}:
            statement = known.statements[key]
            row, words = statement_row(self.process, hour, of, statement, self.keeps)
            self._put("trace_statements", (hour, *of, *key), row)
            if self._texts.get(key, ...) != statement.varied:
                self._texts[key] = statement.varied
                self._put("statement_texts", key, words)
        for route in {route if route in known.calls else OTHER_CALLS for route in changed[1]}:
            self._put("trace_calls", (hour, *of, *route), call_row(self.process, hour, of, known.calls[route]))
        if stacks:
            add_stacks(self._stacks.setdefault(of, {}), stacks)
            self._sampled.add(of)
        self._keep(of, slow, failures)

    def _put_flames(self, now: int | None) -> None:
        """Note the stacks that are to be written: of the names whose turn it is `now`, of all without."""
        for of in list(self._sampled):
            if now is None or not 0 <= now - self._flames_at.get(of, now - _FLAMES_MS) < _FLAMES_MS:
                self._sampled.discard(of)
                self._flames_at[of] = now or 0
                self._put("trace_flames", (self._day, *of), flame_row(self.process, self._day, of, self._stacks[of]))

    def _keep(self, of: Name, slow: list[tuple[Trace, int]], failures: list[tuple[Trace, int]]) -> None:
        """Keep those among the slowest of the day as they were, and the latest that failed."""
        places = self._slow.setdefault(of, [None] * (SLOWEST + FAILED))
        for trace, began_at in slow:
            place = min(range(SLOWEST), key=lambda each: _took_us(places[each]))
            lowest = places[place]
            if lowest is None or lowest.took_us < trace.took_ns // 1000:
                self._place(of, places, place, slow_trace(trace, began_at, self.keeps))
        for trace, began_at in failures:
            number = self._failures[of] = self._failures.get(of, -1) + 1
            self._place(of, places, SLOWEST + number % FAILED, slow_trace(trace, began_at, self.keeps))

    def _place(self, of: Name, places: list[SlowTrace | None], place: int, slow: SlowTrace) -> None:
        places[place] = slow
        self._put("slow_traces", (self._day, *of, place), slow_row(self.process, self._day, place, slow))

    def _put(self, table: str, key: Key, row: Row) -> None:
        waiting = self._rows.setdefault(table, {})
        if key in waiting or len(waiting) < _MOST_WAITING:
            waiting[key] = row


def _took_us(slow: SlowTrace | None) -> int:
    return -1 if slow is None else slow.took_us
