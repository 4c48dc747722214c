"""A child: calls the bodies that its parent asks for, one at a time, until its parent has no more work or is gone.

The main thread calls bodies. Another one listens, so that a body learns at its next `check` what has become of its
attempt, and so that no child outlives its parent.
"""

import contextlib
import ctypes
import inspect
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from penstock.domain.errors import NoWorkerProcess
from penstock.domain.jobs import Claimed
from penstock.domain.signals import Signal
from penstock.queue.arguments.signature import Signature
from penstock.queue.attempt import Attempt, Identity, current
from penstock.queue.context import noted
from penstock.queue.task import Task
from penstock.worker.django import close_stale
from penstock.worker.memory import resident_bytes
from penstock.worker.processes.crossing import arrived, raised, returned, signalled
from penstock.worker.processes.messages import (
    Asked,
    Begin,
    Changed,
    End,
    Ended,
    Hello,
    Left,
    Look,
    Raised,
    Ready,
    Returned,
    Seen,
    Signalled,
    ToChild,
    Told,
)
from penstock.worker.processes.naming import found_in, imported
from penstock.worker.processes.pipe import GROUP_SIGNALS, Pipe

_TELL_SECONDS = 0.1
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_LEFT_ALONE = 1


class Inside:
    """The work of one child."""

    def __init__(self, pipe: Pipe[ToChild]) -> None:
        self._pipe = pipe
        self._begun: queue.SimpleQueue[tuple[Begin, Attempt] | None] = queue.SimpleQueue()
        self._attempt: Attempt | None = None
        self._telling = threading.Lock()
        self._told_at = 0.0
        self._unsaid = False
        self._left: queue.SimpleQueue[Left] = queue.SimpleQueue()
        self._found: dict[tuple[str, str], tuple[Callable[..., Any], Signature] | NoWorkerProcess] = {}

    def serve(self) -> None:
        """Until the parent says that there is no more work."""
        hello = self._pipe.receive()
        assert isinstance(hello, Hello)
        sys.argv[:] = [os.fsdecode(each) for each in hello.argv]
        threading.Thread(target=self._listen, name="penstock-parent", daemon=True).start()
        for module in hello.modules:
            with contextlib.suppress(NoWorkerProcess):  # the job that needs it tells of it
                imported(module)
        self._pipe.send(Ready())
        while (begun := self._begun.get()) is not None:
            came_to, cpu_ns = self._called(*begun)
            self._attempt = None
            self._say_rest(begun[1])
            self._pipe.send(Ended(came_to, resident_bytes(), cpu_ns))

    def _called(self, begin: Begin, attempt: Attempt) -> tuple[Returned | Signalled | Raised, int]:
        """What a body came to, and its time on the CPU."""
        token = current.set(attempt)
        began_ns = time.process_time_ns()
        close_stale()
        came_to: Returned | Signalled | Raised
        try:
            function, signature = self._task(begin)
            args, kwargs = signature.decode(begin.arguments)
            result = function(*args, **kwargs)
            if isinstance(result, Signal):
                came_to = signalled(result)
            elif inspect.iscoroutine(result):
                result.close()
                raise TypeError(f"task {begin.task} returned a coroutine, which nothing awaits")
            else:
                came_to = returned(result, begin.records)
        except Signal as error:
            came_to = signalled(error)
        except BaseException as error:
            came_to = raised(error)
        finally:
            close_stale()
            current.reset(token)
        return came_to, time.process_time_ns() - began_ns

    def _task(self, begin: Begin) -> tuple[Callable[..., Any], Signature]:
        """The function to call. What was not found is not looked for again: nothing changes that but a new child."""
        key = begin.module, begin.qualname
        found = self._found.get(key)
        if found is None:
            try:
                found = _function(begin)
            except NoWorkerProcess as error:
                found = error.with_traceback(None)
            self._found[key] = found
        if isinstance(found, NoWorkerProcess):
            raise found
        return found

    # What the parent and the body tell each other while it runs

    def _listen(self) -> None:
        while True:
            try:
                running = self._attempt
                message = self._pipe.receive(None if running is None else _TELL_SECONDS)
            except (EOFError, OSError):
                _leave()
            match message:
                case None if running is not None:
                    self._say_rest(running)
                case Begin():
                    self._attempt = attempt = self._attempt_of(message)
                    self._told_at = attempt.told_at
                    self._begun.put((message, attempt))
                case Changed():
                    if running is not None and running.job.id == message.id:
                        running.ended = message.ended
                        running.identity.valid_until = message.valid_until
                        if message.stopping:
                            running.stopping.set()
                case Left():
                    self._left.put(message)
                case Look():
                    self._look(message.id)
                case End():
                    self._begun.put(None)

    def _look(self, job_id: int) -> None:
        """Say where the body is. While it holds the interpreter nobody here gets to do so."""
        from penstock.observe.stacks import thread_stack  # most children are never asked

        frames = thread_stack(threading.main_thread().ident or 0, Inside._called.__code__)
        running = self._attempt
        if running is not None and running.job.id == job_id:
            self._pipe.send(Seen(job_id, frames))

    def _attempt_of(self, begin: Begin) -> Attempt:
        job = Claimed(begin.id, begin.lease, begin.task, begin.queue, begin.arguments, begin.attempt,
                      begin.max_attempts)
        now = time.monotonic()
        return Attempt(job, Identity(begin.worker_id, begin.valid_until), threading.Event(), begin.deadline_at,
                       started_at=now, told_at=now, tell=self._tell, load=self._load, context=noted(begin.context))

    def _load(self, job_id: int) -> str | None:
        """Ask the parent for the cursor of a job: only its slot may ask the store."""
        self._pipe.send(Asked())
        left = self._left.get()
        if left.error is not None:
            arrived(left.error)
        return left.cursor

    def _tell(self, attempt: Attempt) -> None:
        """A checkpoint. A body may make thousands in a second, of which the newest is told now and then."""
        self._unsaid = True
        if attempt.told_at - self._told_at >= _TELL_SECONDS:
            self._say_rest(attempt)

    def _say_rest(self, attempt: Attempt) -> None:
        """Tell what is new: progress, or a sign of life without any, as of a `resume` that passes over rows."""
        with self._telling:
            if attempt.told_at > self._told_at or self._unsaid:
                self._told_at = attempt.told_at
                unsaid, self._unsaid = self._unsaid, False  # before it is read: who says more meanwhile, tells again
                self._pipe.send(Told(attempt.said if unsaid else None))


def _function(begin: Begin) -> tuple[Callable[..., Any], Signature]:
    found = found_in(imported(begin.module), begin.qualname)
    if found is None:
        raise NoWorkerProcess(f"task {begin.task}: its child process found no {begin.qualname} in {begin.module}")
    if isinstance(found, Task):
        return found.function, found.signature
    return found, Signature(begin.task, found)


def _leave() -> NoReturn:
    """The parent is gone. Nobody hears of what the body comes to, and its job is somebody else's soon."""
    os._exit(_LEFT_ALONE)


def _as_any_other() -> None:
    """In what a body has forked: it ends when it is told to."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main(descriptor: int, parent: int) -> None:
    """Serve the parent with this process id at the other end of an open socket."""
    for number in GROUP_SIGNALS:  # the parent decides what ends; programs that a body starts inherit nothing of this
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
    os.register_at_fork(after_in_child=_as_any_other)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # also while a body holds the interpreter
    if os.getppid() != parent:
        _leave()
    end = socket.socket(fileno=descriptor)
    end.set_inheritable(False)
    pipe: Pipe[ToChild] = Pipe(end, ToChild)
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        Inside(pipe).serve()
