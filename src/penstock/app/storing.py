"""What an app has declared, and the store that it lives in: opened when first needed, closed with the app."""

import threading
import time
from collections.abc import Callable
from copy import copy
from typing import Any, Self

from penstock import config
from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean
from penstock.events import Event
from penstock.events.telling import Events, listening_faults
from penstock.queue.arguments.sealing import Keyring
from penstock.queue.middleware import Middlewares
from penstock.queue.task import Task
from penstock.schedule.periodic import Periodic
from penstock.store import migrate
from penstock.store.layers import LayerTable
from penstock.store.open import check_replica, check_url, open_store
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.renamed import tables


class Storing:
    """The settings, the declared and the store of one app."""

    def __init__(self, url: str | None = None, *, encryption: Keyring | None = None, **settings: Any) -> None:
        self.settings, self._origins = config.traced({"url": url, **settings})
        replica = self.settings.replica_url
        if fault := check_url(self.settings.url) or (replica and check_replica(self.settings.url, replica)):
            raise ConfigurationError(fault)
        given: object = encryption
        if given is not None and not isinstance(given, Keyring):
            raise ConfigurationError(f"encryption: expected Keyring({{…}}), got a {type(given).__name__}")
        keys = self.settings.encryption_keys
        self.keyring = encryption or (Keyring.read(keys) if keys else None)
        """The keys that arguments are sealed with, and opened; None for an app without any."""
        self.events = Events()
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.syncs: dict[str, SyncDefinition] = {}
        self.periodics: dict[str, Periodic] = {}
        self.monotonic: Callable[[], float] = time.monotonic
        """The one clock by which windows and workers measure how long they may go on, in seconds."""
        self.middleware = Middlewares()
        self._lock = threading.Lock()
        self._store: Store | None = None

    def configuration(self) -> list[config.Setting]:
        """Every setting with its value, secrets masked, and where that came from."""
        return config.shown(self.settings, self._origins)

    @property
    def store(self) -> Store:
        """The store, opened on first use. A SQLite store migrates itself; a PostgreSQL store is never migrated here."""
        with self._lock:
            if self._store is None:
                store = self._open()
                if store.migrates_itself:
                    self._made(store)
                self._store = store
            return self._store

    def seen_through(self, store: Store) -> Self:
        """This app as a store of the same content shows it, for what only reads; whoever opened that closes it."""
        seen = copy(self)
        seen._store = store
        return seen

    def _made(self, store: Store) -> list[str]:
        """Migrate a store that was just opened; close it again if that cannot be."""
        try:
            return migrate.migrate(store, self.layer_tables)
        except BaseException:
            store.close()
            raise

    def _open(self) -> Store:
        return open_store(self.settings.url, now=self.settings.now, pool_size=self.settings.pool_size,
                          busy_timeout_seconds=self.settings.busy_timeout_seconds)

    @property
    def layer_tables(self) -> list[LayerTable]:
        """The state tables of every layer of every sync."""
        return [table for sync in self.syncs.values() for table in tables(sync)]

    def migrate(self) -> list[str]:
        """Make what the store lacks; return the names of what was made."""
        with self._lock:
            if self._store is not None:
                return migrate.migrate(self._store, self.layer_tables)
            store = self._open()
            made = self._made(store)
            self._store = store
            return made

    def migration_sql(self) -> str:
        """What `migrate` would run, as SQL for a person to read or run; runs none of it."""
        store = self._open()
        try:
            return migrate.script(store, self.layer_tables)
        finally:
            store.close()

    def check(self) -> None:
        """Raise `SchemaMissing` or `SchemaTooNew` unless the store fits this app; a SQLite store is made to fit."""
        if self.store.migrates_itself:
            self.migrate()
        migrate.check(self.store, self.layer_tables)

    def definition(self, sync: str) -> SyncDefinition:
        """A declared sync by its name. Raises `ConfigurationError` with the nearest name."""
        try:
            return self.syncs[sync]
        except KeyError:
            raise ConfigurationError(f"this app declares no sync {sync!r}{did_you_mean(sync, self.syncs)}") from None

    def listen(self, listener: Callable[[Any], object], *kinds: type[Event]) -> None:
        """Call `listener` with the events of this process: those of some `kinds` (of `penstock.events`), or all but the
        frequent ones, which are about every single job: docs/events.md. Raises `ConfigurationError`.
        """
        if faults := listening_faults(listener, kinds):
            raise ConfigurationError(faults)
        self.events.listen(listener, *kinds)

    def close(self) -> None:
        """Close the store. The app opens it again when it is next needed."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
