"""Runs the site under uvicorn. Live updates end when it is asked to stop, or it would wait for their browsers."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from penstock.domain.errors import ConfigurationError
from penstock.web.site import Site

_GRACE_SECONDS = 5


def serve(site: Site, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Until SIGTERM or SIGINT. `ready` is told the URL once it listens. Raises `ConfigurationError` where it cannot."""
    with listen(host, port) as listening:
        bound, number = listening.getsockname()[:2]
        ready(f"http://[{bound}]:{number}/" if ":" in bound else f"http://{bound}:{number}/")
        # What a proxy says of https counts where the proxy is on this machine, as uvicorn has it.
        config = uvicorn.Config(site, log_level="warning", access_log=False, lifespan="on", server_header=False,
                                timeout_graceful_shutdown=_GRACE_SECONDS)
        _Server(site, config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `ConfigurationError` where that cannot be."""
    address = host.strip("[]")
    try:
        found = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}; choose others by --host and --port"
                                 ) from None
    # A response goes out in two parts. Without this, which connections inherit, the second of them would wait for the
    # browser to acknowledge the first, which it puts off for 40 ms.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


class _Server(uvicorn.Server):
    """Ends by itself when it is asked to, rather than by the signal."""

    def __init__(self, site: Site, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._site.close()
        self.force_exit = self.should_exit
        self.should_exit = True
