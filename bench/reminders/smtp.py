"""A real SMTP server in a process of its own, and what it can take when nothing is in between.

`python -m bench.reminders.smtp serve` prints its port, and then, for each line that it is told, how many mails it has
got. `… flood COUNT THREADS` sends mails from threads and prints how long that took.
"""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiosmtpd.smtp import SMTP

from bench.arms import ROOT
from bench.reminders.mail import address, deliver
from bench.tally import say

FLOOD = (sys.executable, "-m", "bench.reminders.smtp", "flood")


class Counting:
    """What happens to a mail: it is counted."""

    def __init__(self) -> None:
        self.mails = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (the server calls it so)
        self.mails += 1
        return "250 OK"


class MailServer:
    """A running server: `port`, and how many mails it has got."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._asked())

    def mails(self) -> int:
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return int(self._asked())

    def _asked(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the SMTP server ended: expected it to serve until it is no longer wanted")
        return line


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """An SMTP server on a free port of the loopback interface."""
    command = [sys.executable, "-m", "bench.reminders.smtp", "serve"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield MailServer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


async def _serve() -> None:
    handler = Counting()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0,
                                      backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def answer() -> None:
        for _ in sys.stdin:
            print(handler.mails, flush=True)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=answer, daemon=True).start()
    await ended.wait()
    server.close()


def _flood(count: int, threads: int) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(deliver, number, address(number)) for number in range(count)]:
            done.result()
    say(mails=count, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(_serve())
    else:
        _flood(int(sys.argv[2]), int(sys.argv[3]))
