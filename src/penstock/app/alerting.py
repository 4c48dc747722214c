"""Who is told of alerts, and when something is worth one."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penstock.alerts.telling import Receiver, Telling
from penstock.alerts.watch import Watch, firing_alerts, latest_news
from penstock.alerts.webhook import IDENTITY, SIGNATURE, body_of, signed
from penstock.app.limiting import Limiting
from penstock.domain.alerts import Alert, Alerts, Firing
from penstock.domain.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from penstock.connectors.http import Client

_TIMEOUT_SECONDS = 10.0


class Alerting(Limiting):
    """Receivers of alerts, and what is looked at."""

    _rules = Alerts()

    def alert_when(self, rules: Alerts) -> None:
        """Say from when on something is worth an alert, where that is not what `Alerts()` says."""
        if not isinstance(rules, Alerts):
            raise ConfigurationError(f"alert_when: expected Alerts(…), got {rules!r}")
        self._rules = rules

    def on_alert(self, receive: Callable[[Alert], object]) -> Callable[[Alert], object]:
        """Call a function with each change of an alert's state: it begins to fire, or has recovered.

        It is called at least once, in one of the app's workers, on a thread that serves nothing else, and again (with
        the same `id`) where it raised or its process ended before it returned. It may be used as a decorator.
        """
        if not callable(receive):
            raise ConfigurationError(f"on_alert: expected a function that takes an alert, got {receive!r}")
        self._receivers.append((getattr(receive, "__qualname__", type(receive).__name__), receive))
        return receive

    def alert_webhook(self, url: str, *, secret: str | None = None) -> None:
        """Post each change of an alert's state to a URL as JSON, signed if there is a secret: see docs/alerts.md.

        What answers with anything but a success is posted to again, with growing pauses. Raises `ConfigurationError`
        for what is no URL.
        """
        self._receivers.append(_webhook(url, secret))

    def alerts(self, limit: int = 10_000) -> list[Firing]:
        """The alerts that fire by now, the oldest first. They are looked for every five seconds, by one worker."""
        return self.store.read(lambda tx: firing_alerts(tx, limit))

    def alerts_told(self, limit: int = 50) -> list[Alert]:
        """The last changes of alerts, the newest first: what began to fire and what is over, of the last week."""
        return self.store.read(lambda tx: latest_news(tx, limit))

    @property
    def alert_rules(self) -> Alerts:
        """From when on something is worth an alert."""
        return self._rules

    def alert_watch(self) -> Watch:
        """What raises and ends alerts; upkeep has it look every few seconds, in one worker at a time."""
        return Watch(self.store.control, self.events, self._rules, lambda: tuple(self.syncs))

    def alert_telling(self, ends_at: float | None = None) -> Telling:
        """What tells alerts to those who want to know; every worker runs one, and one tells each change.

        Nothing is told that might not be taken by `ends_at`, a moment of the app's `monotonic`.
        """
        def in_time() -> bool:
            longest = _TIMEOUT_SECONDS * len(self._receivers)
            return ends_at is None or self.monotonic() + longest < ends_at

        return Telling(self.store.control, self.events, self._receivers, in_time)

    @cached_property
    def _receivers(self) -> list[Receiver]:
        if self.settings.alert_webhook is None:
            return []
        return [_webhook(self.settings.alert_webhook, self.settings.alert_secret)]


def _webhook(url: str, secret: str | None) -> Receiver:
    if secret is not None and (not isinstance(secret, str) or not secret):
        raise ConfigurationError("alert_webhook: expected a secret that is text, or none at all")
    _client(url).close()  # says what is wrong with it
    return "webhook", lambda alert: _post(url, secret, alert)


def _client(url: str) -> "Client":
    from penstock.connectors import http  # here, or every app would wait for an HTTP client that few need

    parts = urlsplit(url)
    return http.connect(f"{parts.scheme}://{parts.netloc}", timeout=_TIMEOUT_SECONDS)


def _post(url: str, secret: str | None, alert: Alert) -> None:
    """Raises `Unavailable` unless the receiver took it. What is said of the URL is its host: the rest may be secret."""
    parts, body = urlsplit(url), body_of(alert)
    route = parts._replace(scheme="", netloc="", fragment="").geturl().replace("{", "%7B").replace("}", "%7D") or "/"
    headers = {"Content-Type": "application/json", IDENTITY: str(alert.id)}
    if secret is not None:
        headers[SIGNATURE] = signed(secret, body)
    with _client(url) as client:
        try:
            status = client.post(None, route if route.startswith("/") else f"/{route}", content=body, headers=headers
                                 ).status
        except Exception as error:
            raise Unavailable(f"{parts.hostname}: {f'{error}'.replace(route, '…')}") from None
    if not 200 <= status < 300:
        raise Unavailable(f"{parts.hostname} answered {status}: expected a success")
