"""Where the traces of an app's work go: its own store."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from penstock.app.databases import Databases, NamedDatabase
from penstock.domain.parameters import keep
from penstock.domain.traces import Sample, StatementSeen
from penstock.observe.locks import LockWatch
from penstock.observe.recorder import Recorder
from penstock.observe.slowness import Told
from penstock.worker.traced import Tracer

if TYPE_CHECKING:
    from penstock.advise.at_once import AtOnce


class Tracing(Databases):
    """Has a recorder, unless `traces` is off."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._lock_watches: list[LockWatch] = []
        self._at_once: AtOnce | None = None
        self.recorder: Recorder | None = None
        """Takes what was traced; None where `traces` is off."""
        if self.settings.traces:
            self.recorder = Recorder(lambda: self.store, keeps=self.keeping)

    def database(self, name: str, url: str, **options: Any) -> NamedDatabase:
        named = super().database(name, url, **options)
        if self.recorder is not None and named.place.startswith("postgresql://"):
            watch = LockWatch(url)
            watch.start()
            self._lock_watches.append(watch)
        if self.recorder is not None and find_spec("sqlglot") is not None:
            self.recorder.explain = self._explain
        return named

    database.__doc__ = Databases.database.__doc__

    def tracer(self) -> Tracer | None:
        """What traces the attempts of a worker, if anything does."""
        if self.recorder is None:
            return None
        self.recorder.open()
        for watch in self._lock_watches:
            watch.start()
        return Tracer(self.recorder)

    def close(self) -> None:
        """Write what was traced, and close the store. The app opens it again when it is next needed."""
        if self.recorder is not None:
            self.recorder.close()
        for watch in self._lock_watches:
            watch.stop()
        if self._at_once is not None:
            self._at_once.close()
        super().close()

    def _explain(self, told: Told) -> None:
        """Have the plan of a slow statement asked for while its parameters are known, if its database was named."""
        url = next((each.url for each in self.databases.values() if each.place == told.database), None)
        if url is None:
            return
        if self._at_once is None:
            from penstock.advise.asking.keeping import PlansKept
            from penstock.advise.at_once import AtOnce
            self._at_once = AtOnce(lambda: PlansKept(self.store, self.events))
        self._at_once.ask(url, StatementSeen(
            fingerprint=told.fingerprint, text=told.text, driver=told.driver, database=told.database, calls=told.calls,
            total_us=told.total_us, max_us=told.max_us, samples=[
                Sample(call=place, took_us=0, parameters=keep(each, "all"))
                for place, each in enumerate(told.parameters)]))
