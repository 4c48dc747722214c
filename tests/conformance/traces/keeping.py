"""Traces of a test's own: real ones, which say that they took as long as the test has them take, kept by a recorder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from penstock.domain.traces import PHASES
from penstock.observe.recorder import Recorder
from penstock.observe.trace import Trace
from penstock.store.port import Store

SHOP = "postgresql://localhost:5432/shop"
US = 1000


class Traced:
    """Keeps traces in a store."""

    def __init__(self, store: Store) -> None:
        self.recorder = Recorder(lambda: store, every_seconds=3600)

    @contextmanager
    def trace(self, name: str, *, took_us: int, kind: str = "trace", phase: str = "queried", failed: bool = False,
              cpu_us: int | None = None, **about: Any) -> Iterator[Trace]:
        """One trace that took so long, all of it in one phase."""
        trace = Trace(kind, name)
        trace.about = about or None
        trace.began -= took_us * US
        trace.phases[PHASES.index(phase)] += took_us * US
        yield trace
        trace.end(failed=failed, cpu_ns=None if cpu_us is None else cpu_us * US)
        self.recorder.ended(trace)

    def traced(self, name: str, *, took_us: int, times: int = 1, **options: Any) -> None:
        """Several that told of nothing."""
        for _ in range(times):
            with self.trace(name, took_us=took_us, **options):
                pass

    def flush(self) -> None:
        self.recorder.flush()


def asked(trace: Trace, text: str, parameters: list[Any], *, took_us: int, rows: int) -> None:
    """Tell a trace of a statement for each of the parameters."""
    for each in parameters:
        trace.statement(text, "psycopg", SHOP, took_us * US, rows, each)


def called(trace: Trace, method: str, paths: list[str], *, took_us: int) -> None:
    """Tell a trace of a call to each path."""
    for path in paths:
        trace.called(method, "api.example.com", path, took_us * US)


def json_of(found: Mapping[str, Any], *names: str) -> list[Any]:
    """Some values of a JSON object, in order."""
    return [found[name] for name in names]
