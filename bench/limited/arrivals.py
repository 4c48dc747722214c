"""An HTTP server that notes when each request arrives, and who sent it. It says its port, and ends at the next line."""

import asyncio
import sys
import time

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _Arrival(asyncio.Protocol):
    """One connection. A request is `GET /PROCESS`, and has no body."""

    found: list[tuple[str, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for request in data.split(b"\r\n\r\n")[:-1]:
            self.found.append((request.split(b" ", 2)[1].decode().strip("/"), now))
            self._transport.write(_ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Arrival, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.writelines(f"{process} {at}\n" for process, at in _Arrival.found)
