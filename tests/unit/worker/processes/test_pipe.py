"""Messages arrive whole, in order, whatever their size and however they are cut on the way."""

import socket
import threading
from collections.abc import Iterator

import pytest

from penstock.worker.processes.messages import End, Hello, ToChild
from penstock.worker.processes.pipe import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe[ToChild], socket.socket]]:
    ours, theirs = socket.socketpair()
    pipe: Pipe[ToChild] = Pipe(ours, ToChild)
    with theirs:
        yield pipe, theirs
        pipe.close()


def test_messages_of_any_size(ends: tuple[Pipe[ToChild], socket.socket]) -> None:
    pipe, theirs = ends
    other: Pipe[ToChild] = Pipe(theirs, ToChild)
    large = Hello([], ["x" * 3_000_000])
    sending = threading.Thread(target=lambda: [other.send(each) for each in (End(), large, End())])
    sending.start()
    assert [pipe.receive() for _ in range(3)] == [End(), large, End()]
    sending.join()


def test_a_message_in_pieces(ends: tuple[Pipe[ToChild], socket.socket]) -> None:
    pipe, theirs = ends
    sent: Pipe[ToChild]
    one, other = socket.socketpair()
    with one, other:
        sent = Pipe(one, ToChild)
        sent.send(Hello([b"a"], ["b"]))
        message = other.recv(1000)
    for byte in message[:-1]:
        theirs.sendall(bytes([byte]))
        assert pipe.receive(0) is None
    theirs.sendall(message[-1:])
    assert pipe.receive() == Hello([b"a"], ["b"])


def test_an_end_that_is_gone(ends: tuple[Pipe[ToChild], socket.socket]) -> None:
    pipe, theirs = ends
    theirs.close()
    with pytest.raises(EOFError):
        pipe.receive()
    with pytest.raises(BrokenPipeError):
        pipe.send(End())
