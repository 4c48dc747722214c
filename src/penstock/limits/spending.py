"""Spending permits: what one call needs, got from the pools of this process, or waited for.

The invariants: a call that has its permit holds one of every limit that it is under, and every gate of its keys was
open a moment ago (or it is the one call that is let through to see). Nobody holds a connection to the store while they
wait. What was got and cannot be used, since another permit did not come, goes back where it can.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypedDict, Unpack

from penstock.domain.errors import Limited, StillInDoubt, Throttled, Unavailable
from penstock.domain.jobs import message
from penstock.domain.limits import Concurrency, Limit, Quota, Rate
from penstock.limits import adaptive
from penstock.limits.gates import FOREVER, QUOTA, Gates, Probe
from penstock.limits.places import Holder, PlacePool
from penstock.limits.quotas import QuotaPool
from penstock.limits.rates import RatePool, Shut
from penstock.limits.relation import Relation
from penstock.limits.steps import Patience, Steps, Waits, adrive, drive
from penstock.store.port import Store

_THREADS = 8
_GROW_SECONDS = 0.5
_LOOK_SECONDS = 0.25
_MOMENT_SECONDS = 0.01


class Need(NamedTuple):
    """One limit that a call is under: under which key, and how many permits it takes."""

    limit: Limit
    key: str
    weight: int = 1


class Options(TypedDict, total=False):
    """How permits are waited for.

    `patience` and `gate_patience` are the seconds to wait at most, in all and for a gate that is closed; `check` raises
    what ends the wait before. `blamed` are the keys whose gates an error of the call closes: all of its own, if it is
    not given. A call `inside` of one that has its permit goes through no gate.
    """

    patience: float
    gate_patience: float
    check: Callable[[], object] | None
    blamed: Sequence[str]
    inside: bool


class Permit:
    """Leave to make one call. It is told what became of the call: `done` or `failed`, once.

    `spent` is how many permits of rates and quotas it took, `waited` for how many seconds.
    """

    __slots__ = ("_began", "_blamed", "_keys", "_over", "_places", "_probes", "_spending", "spent", "waited")

    def __init__(self, spending: "Spending", keys: Sequence[str], blamed: Sequence[str], probes: list[Probe],
                 places: "list[tuple[PlacePool, int, int]]", spent: int, waited: float, began: float) -> None:
        self._spending = spending
        self._keys = keys
        self._blamed = blamed
        self._probes = probes
        self._places = places
        self._over = False
        self._began = began
        self.spent = spent
        self.waited = waited

    def done(self) -> None:
        """The call was answered."""
        if self._end():
            self._spending.succeeded(self._keys, self._probes)

    def failed(self, error: BaseException) -> None:
        """The call ended with an error; one that says so closes the gates of its keys."""
        if self._end():
            self._spending.failed(self._keys, self._blamed, self._probes, self._began, error)

    async def aend(self, error: BaseException | None) -> None:
        """`done` or `failed` on an event loop, where that may have to write."""
        if error is None and not self._probes and self._spending.quiet(self._keys):
            self.done()
            return
        threads = self._spending.threads()
        await asyncio.get_running_loop().run_in_executor(threads, self.__exit__, type(error), error, None)

    def unused(self) -> None:
        """No call was made after all."""
        if self._end():
            for probe in self._probes:
                self._spending.gates.withdraw(probe)

    def _end(self) -> bool:
        over, self._over = self._over, True
        for pool, weight, era in self._places:
            pool.release(weight, era)
        self._places = []
        return not over

    def __enter__(self) -> "Permit":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.done()
        else:
            self.failed(error)


class Spending:
    """The permits of one process. Safe to use from any thread; nothing is opened before it is needed."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float], sleep: Callable[[float], object], name: str,
                 told: Callable[[str, str, str | None], object] = lambda key, state, reason: None,
                 waits: Waits = lambda begins: None) -> None:
        self.store = self._store = store
        self._monotonic = monotonic
        self._sleep = sleep
        self._waits = waits
        self._relation = Relation(monotonic)
        self.gates = Gates(store, self._relation, monotonic, name, told)
        self._holder = Holder(store, monotonic, name)
        self._lock = threading.Lock()
        self._rates: dict[tuple[tuple[str, Rate], ...], RatePool] = {}
        self._quotas: dict[tuple[str, Quota], QuotaPool] = {}
        self._places: dict[tuple[str, int], PlacePool] = {}
        self._grown: dict[str, float] = {}
        self._adaptive: dict[str, Rate] = {}
        self._threads: ThreadPoolExecutor | None = None

    def acquire(self, needs: Sequence[Need], gates: Iterable[str] = (), **options: Unpack[Options]) -> Permit:
        """Leave for one call, waited for. Raises `Limited`, and what `check` raises.

        `gates` are further keys whose gates the call goes through.
        """
        return drive(self.steps(needs, gates, options), self._sleep, self._waits)

    async def aacquire(self, needs: Sequence[Need], gates: Iterable[str] = (), **options: Unpack[Options]) -> Permit:
        """The same on an event loop."""
        return await adrive(self.steps(needs, gates, options), self.threads, self._sleep, self._waits)

    def threads(self) -> ThreadPoolExecutor:
        """Threads for event loops, which must not wait for the store themselves."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="penstock-limits")
            return self._threads

    def steps(self, needs: Sequence[Need], gates: Iterable[str], options: Options) -> Steps[Permit]:
        waiting = Patience(options.get("patience", FOREVER), self._monotonic, options.get("check"))
        keys = tuple(dict.fromkeys((*gates, *(need.key for need in needs))))
        probes: list[Probe] = []
        places: list[tuple[PlacePool, int, int]] = []
        inside = options.get("inside", False)
        try:
            while True:
                if not inside:
                    yield from self._through(keys, waiting, probes, options.get("gate_patience", FOREVER))
                try:
                    yield from self._spend(needs, waiting, places, inside or bool(probes))
                    break
                except Shut:
                    yield self.gates.look
            spent = sum(need.weight for need in needs if not isinstance(need.limit, Concurrency))
            return Permit(self, keys, options.get("blamed") or keys, probes, places, spent, waiting.waited,
                          self._monotonic())
        except BaseException:
            for pool, weight, era in places:
                pool.release(weight, era)
            for probe in probes:
                self.gates.withdraw(probe)  # rare enough to do it here, whoever's thread it is
            raise

    def _through(self, keys: Sequence[str], patience: Patience, probes: list[Probe], most: float) -> Steps[None]:
        """Go through the gates, and wait where one opens soon."""
        fresh = self.gates.stale
        if fresh:
            yield self.gates.look
        probing = {probe.key for probe in probes}
        while (gate := self.gates.shut(key for key in keys if key not in probing)) is not None:
            left = self.gates.left(gate)
            if left > _MOMENT_SECONDS:
                longest = min(patience.left(), most)
                if longest <= 0 or (gate.state != "probing" and left > longest):
                    if fresh:
                        raise self.gates.closed(gate, left)
                    fresh = True  # nobody is sent away for what is not so any more
                    yield self.gates.look
                    continue
                yield from patience.sleep(min(left, _LOOK_SECONDS, max(patience.left(), 0.001)))
                if left > _LOOK_SECONDS:
                    yield self.gates.look
                continue
            probe: Probe | None = yield lambda gate=gate: self.gates.probe(gate)  # type: ignore[misc]
            if probe is not None:
                probes.append(probe)
                probing.add(probe.key)
            elif (now := self.gates.shut([gate.key])) is not None and self.gates.left(now) <= _MOMENT_SECONDS:
                if patience.left() <= 0 or most <= 0:
                    raise self.gates.closed(gate, _MOMENT_SECONDS)
                yield from patience.sleep(_MOMENT_SECONDS)

    def _spend(self, needs: Sequence[Need], patience: Patience, places: list[tuple[PlacePool, int, int]],
               probing: bool) -> Steps[None]:
        """Get what is scarcest in time last: a slot lapses, a place and a quota's permit wait with us."""
        if not places:
            for need in needs:
                if isinstance(need.limit, Concurrency):
                    pool = self._place_pool(need.key, need.limit.count)
                    if not pool.ready(need.weight):
                        yield from pool.take(need.weight, patience)
                    places.append((pool, need.weight, pool.era))
        taken: list[tuple[QuotaPool, int]] = []
        try:
            for need in needs:
                if isinstance(need.limit, Quota):
                    quota = self._quota_pool(need.key, need.limit)
                    if not quota.ready(need.weight):
                        yield from quota.take(need.weight, patience)
                    taken.append((quota, need.weight))
            for weight in sorted({need.weight for need in needs if isinstance(need.limit, Rate)}, reverse=True):
                rates = self._rate_pool(tuple((need.key, need.limit) for need in needs
                                              if isinstance(need.limit, Rate) and need.weight == weight))
                if probing or weight > 1 or not rates.ready():
                    yield from rates.take(weight, patience, probing)
        except BaseException:
            for quota, weight in taken:
                quota.give_back(weight)
            raise

    def _place_pool(self, key: str, most: int) -> PlacePool:
        with self._lock:
            found = self._places.get((key, most))
            if found is None:
                found = self._places[key, most] = PlacePool(self._holder, key, most)
            return found

    def _quota_pool(self, key: str, quota: Quota) -> QuotaPool:
        with self._lock:
            found = self._quotas.get((key, quota))
            if found is None:
                found = QuotaPool(self._store, self._relation, self._monotonic, key, quota,
                                  lambda seconds, reason: self.gates.close(key, seconds, reason, by=QUOTA))
                self._quotas[key, quota] = found
            return found

    def _rate_pool(self, rates: tuple[tuple[str, Rate], ...]) -> RatePool:
        with self._lock:
            found = self._rates.get(rates)
            if found is None:
                found = RatePool(self._store, self._relation, self._monotonic, rates, self.gates.found_open)
                self._rates[rates] = found
                self._adaptive.update({key: rate for key, rate in rates if rate.start is not None})
            return found

    def round_trips(self) -> tuple[int, int]:
        """How often this process asked for slots, and how many it used: what a benchmark wants to know."""
        pools = list(self._rates.values())
        return sum(pool.asked for pool in pools), sum(pool.given for pool in pools)

    def succeeded(self, keys: Sequence[str], probes: Sequence[Probe] = ()) -> None:
        """A call under these keys was answered."""
        for probe in probes:
            self.gates.succeeded(probe)
        for key in keys:
            self.gates.fine(key)
            rate = self._adaptive.get(key)
            if rate is not None and self._monotonic() - self._grown.get(key, -FOREVER) > _GROW_SECONDS * rate.seconds:
                self._grown[key] = self._monotonic()
                adaptive.faster(self._store, key, rate)

    def quiet(self, keys: Sequence[str]) -> bool:
        """Whether a call's success needs no word to the store."""
        return not self.gates.counts_faults and not any(key in self._adaptive for key in keys)

    def failed(self, keys: Sequence[str], blamed: Sequence[str], probes: Sequence[Probe], began: float,
               error: BaseException) -> None:
        """A call under these keys ended with an error. Only what the destination, or the way to it, is to blame for
        closes gates; whatever else it was, the destination answered."""
        if isinstance(error, Limited):
            for probe in probes:
                self.gates.withdraw(probe)
            return
        if not isinstance(error, Throttled | Unavailable) or not blames(error):
            self.succeeded((), probes)
            return
        probed = {probe.key: probe for probe in probes}
        reason, asked = message(error), getattr(error, "retry_after", None)
        slowed = False
        if isinstance(error, Throttled):
            for key in keys:
                if (rate := self._adaptive.get(key)) is not None:
                    adaptive.slower(self._store, key, rate)
                    slowed = True
        for key in dict.fromkeys((*blamed, *probed)):
            if slowed and asked is None and key not in probed:
                continue  # half the pace is the answer to that
            if isinstance(error, Throttled) or asked is not None:
                self.gates.refused(key, reason, asked, probed.get(key))
            else:
                self.gates.fault(key, reason, began, probed.get(key))

    @property
    def in_use(self) -> bool:
        """Whether somebody in this process holds a place of a limit on how many there may be at once."""
        return self._holder.in_use

    def close(self) -> None:
        """Give back what is held. Closing twice does nothing more."""
        self._holder.close()
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None


def blames(error: Any) -> bool:
    """Whether an error speaks of its destination, or the way there: what Penstock says of its own clock does not."""
    return not isinstance(error, StillInDoubt) and getattr(error, "gate", True) is not False

