"""A child as its parent sees it. All but `kill` and `look` belongs to one slot's thread, with which the child dies."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from penstock.domain.errors import NoWorkerProcess, Stopping, WorkerProcessDied
from penstock.queue.attempt import ENDED, Attempt
from penstock.queue.context import current_context
from penstock.queue.task import Task
from penstock.worker.processes.crossing import arrived, raised
from penstock.worker.processes.messages import (
    Asked,
    Begin,
    Changed,
    End,
    Ended,
    Hello,
    Left,
    Look,
    Ready,
    Seen,
    Told,
    ToParent,
)
from penstock.worker.processes.naming import module_of
from penstock.worker.processes.pipe import GROUP_SIGNALS, Pipe

_BOOT = ("import sys; sys.path[:] = sys.argv[3:]; from penstock.worker.processes.inside import main;"
         " main(int(sys.argv[1]), int(sys.argv[2]))")
_LOOK_SECONDS = 0.05
_START_SECONDS = 60.0
_END_SECONDS = 2.0


class Child:
    """A process that calls bodies. It begins to start when it is made; `ready` waits until it has.

    `look` asks it from another thread where its body is, and the thread of its slot hands the answer on.

    Raises `NoWorkerProcess` where none can be started.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self.served = 0
        self.resident_bytes = 0
        self.killed = False
        self._is_ready = False
        self._began_at = time.monotonic()
        self._dismissed_at = 0.0
        self._looks: tuple[int, queue.SimpleQueue[tuple[str, ...]]] | None = None
        ours, theirs = socket.socketpair()
        self._pipe: Pipe[ToParent] = Pipe(ours, ToParent)
        try:
            self._process = _started(theirs)
        except OSError as error:
            self._pipe.close()
            raise NoWorkerProcess(f"no child process can be started: {error}") from error
        finally:
            theirs.close()
        with contextlib.suppress(OSError):  # whoever waits until it is ready learns that it has died
            self._pipe.send(Hello([os.fsencode(each) for each in sys.argv], sorted(set(modules.values()))))

    def ready(self, attempt: Attempt) -> None:
        """Wait until it can begin an attempt. Raises `NoWorkerProcess`, and what the attempt is to end by meanwhile."""
        while not self._is_ready:
            try:
                message = self._next("before it began any work: what it wrote to stderr says why", NoWorkerProcess)
            except NoWorkerProcess:
                go_on(attempt)
                raise
            if isinstance(message, Ready):
                self._is_ready = True
                return
            go_on(attempt)
            if time.monotonic() - self._began_at > _START_SECONDS:
                self.kill()
                raise NoWorkerProcess(f"a child process took more than {_START_SECONDS:g} s to import what it needs")

    def call(self, attempt: Attempt, task: Task[..., Any]) -> Any:
        """Call a task's body. Returns a signal or the result; raises what the body raised, or `WorkerProcessDied`."""
        job, function = attempt.job, task.function
        module = self._modules.get(task.name) or module_of(function) or ""
        self.served += 1
        told = Changed(job.id, None, False, _valid_until(attempt))
        try:
            self._pipe.send(Begin(
                module, function.__qualname__, job.arguments, job.lease, attempt.identity.worker_id, job.id, job.task,
                job.queue, job.attempt, job.max_attempts, told.valid_until, attempt.deadline_at,
                dict(current_context()), task.recording is not None))
            while True:
                message = self._next(f"in job {job.id}", WorkerProcessDied)
                if isinstance(message, Ended):
                    self.resident_bytes, attempt.cpu_ns = message.resident_bytes, message.cpu_ns
                    break
                if isinstance(message, Told):
                    attempt.told_at = time.monotonic()
                    if message.said is not None:
                        attempt.say(message.said)
                elif isinstance(message, Asked):
                    self._pipe.send(_left(attempt))
                elif isinstance(message, Seen) and (looks := self._looks) is not None and looks[0] == message.id:
                    looks[1].put(message.frames)
                if (now := self._state(attempt)) != told:
                    told = now
                    self._pipe.send(told)
        except OSError:
            raise self._died(f"in job {job.id}", WorkerProcessDied) from None
        return arrived(message.came_to)

    def _next(self, when: str, error: type[NoWorkerProcess | WorkerProcessDied]) -> ToParent | None:
        """The next message, or None for now. Raises `error`, or `Stopping` where we killed it."""
        try:
            message = self._pipe.receive(_LOOK_SECONDS)
        except (EOFError, OSError):
            raise self._died(when, error) from None
        if message is None and self._process.poll() is not None:  # what it has forked may hold its end of the pipe
            raise self._died(when, error)
        return message

    def _died(self, when: str, error: type[NoWorkerProcess | WorkerProcessDied]) -> Exception:
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed its end of the pipe, and lives
            self._process.kill()
            code = self._process.wait()
        if self.killed:
            return Stopping("its child process was killed, since it did not end in time")
        return error(f"a child process died {when}: {_how(code)}")

    @staticmethod
    def _state(attempt: Attempt) -> Changed:
        """What the child is to know of an attempt."""
        over = attempt.until is not None and attempt.monotonic() >= attempt.until
        return Changed(attempt.job.id, attempt.ended, over or attempt.stopping.is_set(), _valid_until(attempt))

    def look(self, job_id: int) -> "queue.SimpleQueue[tuple[str, ...]]":
        """Ask where the body of a job is. From any thread; an answer, if there is one, comes by the queue."""
        answer: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        self._looks = job_id, answer
        if self._is_ready and self.alive:
            with contextlib.suppress(OSError):
                self._pipe.send(Look(job_id))
        return answer

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def how(self) -> str:
        """How it ended, where it has."""
        code = self._process.poll()
        return "" if code is None else _how(code)

    @property
    def alive(self) -> bool:
        return not self.killed and self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self.killed = True
        self._process.kill()

    def dismiss(self) -> None:
        """Let it end, if it can. Whoever does this goes on asking whether it is `gone`."""
        self._dismissed_at = time.monotonic()
        with contextlib.suppress(OSError):
            self._pipe.send(End())

    def gone(self, *, wait: bool = False) -> bool:
        """Whether it has ended; with `wait`, once it has. One that takes too long to end is killed."""
        left = self._dismissed_at + _END_SECONDS - time.monotonic()
        try:
            self._process.wait(max(left, 0) if wait else 0)
        except subprocess.TimeoutExpired:
            if left > 0 and not wait:
                return False
            self._process.kill()
            self._process.wait()
        self._pipe.close()
        return True


def _started(end: socket.socket) -> "subprocess.Popen[bytes]":
    """A child at the other end of a socket. Signals for the whole group wait until it knows what to do with them."""
    path = [folder or os.getcwd() for folder in sys.path]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, *_flags(), "-c", _BOOT, str(end.fileno()), str(os.getpid()), *path],
            stdin=subprocess.DEVNULL, pass_fds=[end.fileno()])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _valid_until(attempt: Attempt) -> float:
    return 0.0 if attempt.identity.lost else attempt.identity.valid_until


def _left(attempt: Attempt) -> Left:
    try:
        return Left(None if attempt.load is None else attempt.load(attempt.job.id))
    except Exception as error:
        return Left(None, raised(error))


def go_on(attempt: Attempt) -> None:
    """Raise what an attempt that has not begun is to end by, if anything is."""
    if attempt.ended is not None:
        raise ENDED[attempt.ended](f"job {attempt.job.id}: {attempt.ended}")
    if attempt.stopping.is_set():
        raise Stopping(f"job {attempt.job.id}: the worker is stopping")


def _how(code: int) -> str:
    if code >= 0:
        return f"it exited with {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"killed by {name}" + (", as by the kernel where memory runs out" if -code == signal.SIGKILL else "")


def _flags() -> list[str]:
    """The options that this interpreter was begun with, as far as they change what code does."""
    extra = (name if value is True else f"{name}={value}" for name, value in sys._xoptions.items())
    return ["-O"] * sys.flags.optimize + [f"-W{each}" for each in sys.warnoptions] + [f"-X{each}" for each in extra]
