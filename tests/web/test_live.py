"""Live updates: one load for all browsers, only what changed, and an end when nobody looks or the site closes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from penstock import Penstock
from penstock.web.declared import Declared, NotFound, Seen, View
from penstock.web.pages import overview
from penstock.web.site import Site
from tests.web.small import OPERATE, READ, TOKENS
from tests.web.streams import SECONDS, looking

BROWSERS = 50


class Gated:
    """The overview, each load of which a test lets go; it says for whom."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.loads: list[frozenset[str]] = []
        self.missing = False

    def load(self, seen: Seen, asked: overview.Asked) -> overview.Now:
        assert self.gate.acquire(timeout=SECONDS)
        self.loads.append(seen.person.scopes)
        if self.missing:
            raise NotFound("it is gone")
        return overview.load(seen, asked)

    @property
    def declared(self) -> Declared:
        return Declared(views=(View(path="/", asked=overview.Asked, load=self.load, template="overview.html",
                                    title="Overview", nav="overview", live=0.01),
                               View(path="/still", asked=overview.Asked, load=self.load, template="overview.html",
                                    title="Overview", nav="overview")))


@pytest.fixture
def gated() -> Iterator[Gated]:
    gated = Gated()
    yield gated
    gated.gate.release(1000)  # whoever still loads ends


def site_of(app: Penstock, gated: Gated) -> Site:
    return Site(app, local=not app.settings.web_tokens, share_seconds=0, hosts=(), declared=gated.declared)


def test_many_browsers_cost_one_load_and_are_sent_what_changed(app: Penstock, gated: Gated):
    @app.task
    def work() -> None: ...

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            site = site_of(app, gated)
            browsers = [await stack.enter_async_context(looking(site, "/live?of=/")) for _ in range(BROWSERS)]
            assert [await each.answered() for each in browsers] == [200] * BROWSERS
            gated.gate.release()
            first = [await each.regions() for each in browsers]
            assert all(set(each or {}) >= {"figures", "queues", "windows"} for each in first)
            assert len(gated.loads) == 1
            await asyncio.to_thread(work.enqueue)
            gated.gate.release()
            for each in browsers:
                changed = await each.regions() or {}
                assert 'id="queue-default"' in changed["queues"]
                assert "windows" not in changed
            assert len(gated.loads) == 2
            gated.gate.release(1000)

    asyncio.run(scene())


def test_the_token_against_forgery_is_not_sent_about(app: Penstock, gated: Gated):
    async def scene() -> None:
        gated.gate.release()
        async with looking(site_of(app, gated), "/live?of=/") as browser:
            assert 'name="csrf" value="0' not in str(await browser.regions())
            gated.gate.release(1000)

    asyncio.run(scene())


def test_the_site_ends_every_stream_when_it_closes_and_begins_no_other(app: Penstock, gated: Gated):
    async def scene() -> None:
        site = site_of(app, gated)
        gated.gate.release(1000)
        async with looking(site, "/live?of=/") as one, looking(site, "/live?of=/") as two:
            await one.regions()
            await two.regions()
            await asyncio.to_thread(site.close)
            for each in (one, two):
                while await each.regions() is not None:
                    pass
        async with looking(site, "/live?of=/") as late:
            assert await late.answered() == 503

    asyncio.run(scene())


def test_a_channel_ends_with_the_last_who_looks(app: Penstock, gated: Gated):
    async def scene() -> None:
        site = site_of(app, gated)
        gated.gate.release()
        async with looking(site, "/live?of=/") as one:
            async with looking(site, "/live?of=/") as two:
                await one.regions()
                await two.regions()
            assert len(site.live.channels) == 1
            gated.gate.release(1000)
        assert not site.live.channels

    asyncio.run(scene())


def test_a_page_of_what_is_gone_ends(app: Penstock, gated: Gated):
    async def scene() -> None:
        gated.missing = True
        gated.gate.release()
        async with looking(site_of(app, gated), "/live?of=/") as one:
            assert await one.regions() is None

    asyncio.run(scene())


@pytest.mark.parametrize("of", ["/still", "/nowhere", "", "https://evil.example/", "/live"])
def test_only_live_pages_are(app: Penstock, gated: Gated, of: str):
    async def scene() -> None:
        async with looking(site_of(app, gated), f"/live?of={of}") as one:
            assert await one.answered() == 404

    asyncio.run(scene())


class TestWithTokens:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"web_tokens": TOKENS}

    def test_nobody_looks_without_one(self, app: Penstock, gated: Gated):
        async def scene() -> None:
            async with looking(site_of(app, gated), "/live?of=/") as one:
                assert await one.answered() == 401

        asyncio.run(scene())

    def test_people_of_other_scopes_have_a_load_of_their_own(self, app: Penstock, gated: Gated):
        async def scene() -> None:
            site = site_of(app, gated)
            gated.gate.release(2)
            async with looking(site, "/live?of=/", Authorization=f"Bearer {READ}") as one, \
                    looking(site, "/live?of=/", Authorization=f"Bearer {OPERATE}") as two:
                await one.regions()
                await two.regions()
                assert set(gated.loads) == {frozenset({"read"}), frozenset({"read", "operate"})}
                gated.gate.release(1000)

        asyncio.run(scene())
