"""Live updates: regions of a page, renewed for every browser that looks at it by one load of the page.

A channel is one page with its query, for people of the same scopes. While browsers look at it, one task loads it every
so many seconds and renders its regions; a browser is sent those that are not as it has them. A channel ends with its
last stream, and a stream by itself after some minutes: its browser comes again, and by then may no longer look.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import compile_path

from penstock.web.answering import Answering
from penstock.web.asked import Misread, from_pairs
from penstock.web.declared import Forbidden, NotFound, Person, View
from penstock.web.frame import Frame
from penstock.web.sharing import Key, Shared

MOST_STREAMS = 500
STREAM_SECONDS = 300.0
QUIET_SECONDS = 15.0
_log = logging.getLogger("penstock.web")


@dataclass
class _Channel:
    """`regions` are those of its latest load. `nobody` looks any more; `ended`: there is nothing to look at."""

    frame: Frame
    view: View[Any, Any]
    asked: Any
    regions: dict[str, str] = field(default_factory=dict)
    streams: set[asyncio.Event] = field(default_factory=set)
    at_work: asyncio.Task[None] | None = None
    nobody: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def tell(self) -> None:
        for news in self.streams:
            news.set()


class Live:
    """The `channels` of a site that are looked at, and what its live pages were last loaded with."""

    def __init__(self, answering: Answering, share_seconds: float) -> None:
        self._answering = answering
        self._shared = Shared(share_seconds)
        self._views = sorted(((compile_path(view.path), view) for view in answering.declared.views if view.live),
                             key=lambda found: found[1].path.replace("{", "\uffff"))
        self.channels: dict[Key, _Channel] = {}
        self._loops: set[asyncio.AbstractEventLoop] = set()
        self._streams = 0
        self._closed = False

    def loaded(self, view: View[Any, Any], person: Person, asked: Any) -> Any:
        """What a view shows to people of these scopes; loaded once for all who ask within a moment."""
        return self._shared.get((view.path, person.scopes, msgspec.json.encode(asked)),
                                lambda: self._answering.looked(view, person, asked))

    def forget(self) -> None:
        """Something was changed: what is asked for next is loaded anew."""
        self._shared.forget()

    def close(self) -> None:
        """End every stream, from any thread."""
        self._closed = True
        for loop in list(self._loops):
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        for channel in list(self.channels.values()):
            channel.tell()

    async def stream(self, request: Request) -> Response:
        """`/live?of=PATH?QUERY`, the page as its URL has it, without the root."""
        visit = await self._answering.visit(request)
        if visit.person is None:
            return PlainTextResponse("sign in first\n", 401)
        if self._closed or self._streams >= MOST_STREAMS:
            return PlainTextResponse("no more live updates just now\n", 503, {"Retry-After": "30"})
        path, _, query = request.query_params.get("of", "").partition("?")
        found = self._found(path, query)
        if found is None:
            return PlainTextResponse("there is no live page of this address\n", 404)
        view, asked = found
        if view.scope not in visit.person.scopes:
            return PlainTextResponse("this needs another scope\n", 403)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        root = request.scope.get("root_path", "")
        key = (root, path, query, visit.person.scopes)
        frame = Frame(root=root, path=path, query=query, person=visit.person, live=view.live)
        return StreamingResponse(self._events(key, frame, view, asked), media_type="text/event-stream",
                                 headers={"X-Accel-Buffering": "no"})

    def _found(self, path: str, query: str) -> tuple[View[Any, Any], Any] | None:
        for (pattern, _, convertors), view in self._views:
            if match := pattern.match(path):
                named = {name: convertors[name].convert(value) for name, value in match.groupdict().items()}
                try:
                    return view, from_pairs(view.asked, named, parse_qsl(query))
                except (Misread, ValueError):
                    return None
        return None

    async def _events(self, key: Key, frame: Frame, view: View[Any, Any], asked: Any) -> AsyncIterator[str]:
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        key = (*key, id(loop))
        channel = self.channels.get(key)
        if channel is None or channel.ended:
            channel = self.channels[key] = _Channel(frame, view, asked)
            channel.at_work = loop.create_task(self._renew(channel))
        channel.streams.add(news)
        self._loops.add(loop)
        self._streams += 1
        sent: dict[str, str] = {}
        ends = loop.time() + STREAM_SECONDS
        try:
            yield "retry: 3000\n\n"
            while not self._closed and not channel.ended and loop.time() < ends:
                changed = {id: html for id, html in channel.regions.items() if sent.get(id) != html}
                if changed:
                    sent = dict(channel.regions)
                    yield f"event: regions\ndata: {json.dumps(changed)}\n\n"
                try:
                    await asyncio.wait_for(news.wait(), QUIET_SECONDS)
                    news.clear()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._streams -= 1
            channel.streams.discard(news)
            if not channel.streams:
                if self.channels.get(key) is channel:
                    del self.channels[key]
                channel.nobody.set()
                assert channel.at_work is not None
                with anyio.CancelScope(shield=True):  # what it loads goes on in its thread, and the app is not to close
                    await asyncio.wait([channel.at_work])

    async def _renew(self, channel: _Channel) -> None:
        assert channel.view.live is not None
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(channel.nobody.wait(), channel.view.live)
                return
            try:
                channel.regions = await run_in_threadpool(self._rendered, channel)
            except (NotFound, Forbidden):
                channel.ended = True
                channel.tell()
                return
            except Exception as error:  # the store may answer again; until then the page stays as it is
                _log.warning("a live page could not be renewed: %s", error)
            channel.tell()

    def _rendered(self, channel: _Channel) -> dict[str, str]:
        model = self.loaded(channel.view, channel.frame.person, channel.asked)
        frame = Frame(channel.frame.root, channel.frame.path, channel.frame.query, channel.frame.person,
                      live=channel.frame.live, replica=self._answering.of_replica())
        return self._answering.templates.regions(frame, channel.view, model, channel.asked)
