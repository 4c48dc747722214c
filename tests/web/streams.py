"""Browsers that look at live pages: each is the site's own stream, read event by event."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

SECONDS = 60.0


class Looking:
    """One that looks: `status` once it is answered, and what it is sent."""

    def __init__(self, site: Any, path: str, headers: dict[str, str]) -> None:
        self.status = 0
        self._site = site
        self._sent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._gone = asyncio.Event()
        self._asked = False
        where, _, query = path.partition("?")
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": where, "raw_path": where.encode(), "query_string": query.encode(), "root_path": "",
            "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8321),
            "headers": [(name.lower().encode(), value.encode())
                        for name, value in {"Host": "127.0.0.1:8321", **headers}.items()],
        }

    async def run(self) -> None:
        await self._site(self._scope, self._receive, self._send)
        await self._sent.put(None)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answered.set()
        elif message.get("body"):
            await self._sent.put(message["body"])

    async def answered(self) -> int:
        await asyncio.wait_for(self._answered.wait(), SECONDS)
        return self.status

    async def regions(self) -> dict[str, str] | None:
        """The next regions that are exchanged; None at the end of the stream."""
        while True:
            sent = await asyncio.wait_for(self._sent.get(), SECONDS)
            if sent is None:
                return None
            text = sent.decode()
            if text.startswith("event: regions"):
                return dict(json.loads(text.partition("data: ")[2]))

    def leave(self) -> None:
        self._gone.set()


@asynccontextmanager
async def looking(site: Any, path: str, **headers: str) -> AsyncIterator[Looking]:
    """Somebody looks, and leaves at the end."""
    one = Looking(site, path, headers)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.leave()
        await asyncio.wait_for(task, SECONDS)
