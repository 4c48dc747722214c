"""Resets a connection, as a router does that has forgotten it: the other end reads an error, not an end."""

import os
import socket
import struct


def reset(connection: socket.socket) -> None:
    """Close with nothing said, so that the kernel answers with RST. The socket is of no use any more."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
