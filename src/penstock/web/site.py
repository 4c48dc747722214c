"""Builds the site, an ASGI application, from what the pages declare.

It is closed by default: without tokens it is for this machine alone, and whoever mounts it elsewhere has to give it
tokens, or to say in so many words that something before it lets nobody in.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.web import pages
from penstock.web.answering import Answering
from penstock.web.api import Api
from penstock.web.declared import Declared
from penstock.web.guarding import Guard
from penstock.web.health import Health
from penstock.web.live import Live
from penstock.web.people import People
from penstock.web.rendering import STATIC, Templates
from penstock.web.sessions import Sessions
from penstock.web.signing import Signing


class Site:
    """The dashboard of an app, as an ASGI application. `close` ends live updates, so that a server can stop."""

    def __init__(self, app: Penstock, *, local: bool, share_seconds: float, hosts: Iterable[str],
                 declared: Declared | None = None) -> None:
        declared = declared or pages.declared()
        people = People.read(app.settings.web_tokens)
        templates = Templates(frozenset(view.path for view in declared.views))
        sessions = Sessions(people, app.settings.web_secret)
        answering = Answering(app, people, sessions, templates, declared)
        self.live = Live(answering, share_seconds)
        answering.live = self.live
        signing, health = Signing(answering), Health(answering, share_seconds)
        api = Api(answering)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            try:
                yield
            finally:
                self.close()

        routes: list[Route | Mount] = [
            Route("/healthz", health.alive), Route("/readyz", health.ready), Route("/metrics", health.metrics),
            Route("/sign-in", signing.sign_in, methods=["GET", "POST"]),
            Route("/sign-out", signing.sign_out, methods=["POST"]),
            Route("/theme", signing.theme, methods=["POST"]),
            Route("/live", self.live.stream),
            Mount("/static", _Static(directory=STATIC)),
            *api.routes(),
            *answering.routes(),
        ]
        self._site = Guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers=answering.handlers()),
                           hosts=[*(app.settings.web_hosts or "").split(","), *hosts], local=local)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def close(self) -> None:
        """End every live update, from any thread; new ones are refused."""
        self.live.close()


def asgi(app: Penstock, *, unprotected: bool = False, hosts: Iterable[str] = (), share_seconds: float = 1.0) -> Site:
    """The dashboard of an app, to be served, or mounted under a prefix of any ASGI application.

    It needs tokens (the setting `web_tokens`), unless it is `unprotected`: then whoever reaches it may do everything,
    so something before it has to let nobody in. `hosts` are names that it is reached by, besides those of the setting
    `web_hosts`, `localhost` and addresses. What one browser was shown is shown to others for `share_seconds`, where a
    page is live. Raises `ConfigurationError`.
    """
    if not unprotected and not app.settings.web_tokens:
        raise ConfigurationError("asgi: expected tokens for the dashboard, got none: make one by `penstock web"
                                 " --new-token NAME` and put it into the setting web_tokens, or say unprotected=True"
                                 " if something before it lets nobody in")
    return Site(app, local=False, share_seconds=share_seconds, hosts=hosts)


def for_this_machine(app: Penstock, hosts: Iterable[str] = (), *, share_seconds: float = 1.0) -> Site:
    """The dashboard as `penstock web` serves it on loopback: without tokens, whoever is on this machine may use it.

    Raises `ConfigurationError` where it has other names, but no tokens.
    """
    if (app.settings.web_hosts or hosts) and not app.settings.web_tokens:
        raise ConfigurationError("web_hosts: a dashboard that others can reach needs tokens: make one by `penstock web"
                                 " --new-token NAME` and put it into the setting web_tokens")
    return Site(app, local=not app.settings.web_tokens, share_seconds=share_seconds, hosts=hosts)


class _Static(StaticFiles):
    """The URL of a file changes with its content, so whoever has it need not ask again."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


