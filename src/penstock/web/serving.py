"""Runs the site under uvicorn. Live updates end when it is asked to stop, or it would wait for their browsers."""

from collections.abc import Callable
from types import FrameType

import uvicorn

from penstock.web.site import Site

_GRACE_SECONDS = 5


def serve(site: Site, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Until SIGTERM or SIGINT. `ready` is told the URL once it listens."""
    # What a proxy says of https and of addresses counts where the proxy is on this machine, as uvicorn has it.
    _Server(site, uvicorn.Config(site, host.strip("[]"), port, log_level="warning", access_log=False, lifespan="on",
                                 server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS), ready).run()


class _Server(uvicorn.Server):
    def __init__(self, site: Site, config: uvicorn.Config, ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._site = site
        self._ready = ready

    async def startup(self, sockets: "list[object] | None" = None) -> None:  # type: ignore[override]
        await super().startup()
        if self.started and not self.should_exit:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._site.close()
        super().handle_exit(sig, frame)
