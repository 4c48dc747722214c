"""What an app runs on, examined: the store beneath it, its own settings, what fires, and what a worker would find."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from penstock.app.draining import Draining
from penstock.domain.errors import ConfigurationError, StoreError
from penstock.domain.finding import Finding, fault, ok, warning
from penstock.store import health
from penstock.worker import app_pools


class Examining(Draining):
    """Says what is wrong, and what to do about it."""

    def examine(self, queues: Mapping[str, int] | None = None) -> list[Finding]:
        """All that can be found out, for a worker of these queues with so many slots each, else of all queues.

        Nothing is changed, except that a SQLite store is migrated as when it is first used.
        """
        slots = sum(self.slots(queues).values())
        return [_versions(), *self._examined_store(slots), *self._examined_alerts(), *app_pools.examine(slots)]

    def _examined_store(self, slots: int) -> list[Finding]:
        try:
            return health.examine(self.store, self.layer_tables, slots=slots)
        except (StoreError, ConfigurationError) as error:
            return [fault("store", str(error), "")]  # such a message says itself what to do

    def _examined_alerts(self) -> list[Finding]:
        """What fires; nothing where the store is not fit to be asked, which is a finding of its own."""
        try:
            firing = self.alerts()
        except (StoreError, ConfigurationError):
            return []
        if not firing:
            return [ok("alerts", "none fires")]
        return [warning("alerts", f"{alert.kind}: {alert.summary}", f"since {_time(alert.since_at)}; see"
                        " docs/alerts.md") for alert in firing]


def _versions() -> Finding:
    return ok("versions", f"Penstock {version('penstock')}, {platform.python_implementation()}"
                          f" {platform.python_version()}, {platform.platform()}")


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"
