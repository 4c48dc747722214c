"""A real SMTP server on the loopback interface, on a thread of its own: it keeps what it was sent."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP


class Mailbox:
    """What has arrived: (recipient, subject), in the order of arrival."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[tuple[str, str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (the server calls it so)
        message = message_from_bytes(envelope.content)
        self.mails += [(recipient, message["Subject"]) for recipient in envelope.rcpt_tos]
        return "250 OK"


@contextlib.contextmanager
def smtp_server() -> Iterator[Mailbox]:
    """A server on a free port."""
    mailbox = Mailbox()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop), "127.0.0.1", 0))
    mailbox.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="smtp-server")
    thread.start()
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end(sessions: set[asyncio.Task[Any]]) -> None:
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
