"""Bodies that the children of a worker run: they say what they see in files, for a test to read."""

import ctypes
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from penstock import Cancel, Penstock, Retry, Secret, Snooze, current_context, current_job
from penstock.domain.errors import Throttled
from tests.waiting import until

hoard: list[bytes] = []


def say(path: str, text: object = "") -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def who(path: str) -> None:
    say(path, os.getpid())


def about(path: str) -> None:
    job = current_job()
    say(path, [job.id, job.task, job.queue, job.attempt, job.max_attempts, 0 < job.remaining() <= 30,
               current_context()])


def ends(how: str) -> Any:
    match how:
        case "snooze":
            return Snooze(timedelta(hours=1), "not yet")
        case "cancel":
            raise Cancel("withdrawn")
        case "retry":
            raise Retry(timedelta(minutes=7), "busy")
        case "throttled":
            raise Throttled(90)
        case "error":
            return {}["missing"]
        case "odd":
            raise Odd("\ud800")
        case "exit":
            raise SystemExit(3)
        case "died":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)


class Odd(Exception):
    """Of a class that its parent does not know, and with a message that cannot be encoded."""


def whispers(path: str, word: Annotated[str, Secret]) -> None:
    if not word.startswith("open"):
        raise ValueError(f"{word} is no way in")
    say(path, f"{os.getpid()} {word} for {current_context()['tenant']}")


def checking(path: str) -> None:
    """Go on until something says that it is to end."""
    say(path, os.getpid())
    try:
        until("it is told to end", current_job().check)
    except BaseException as error:
        say(path, type(error).__name__)
        raise


def deaf(path: str) -> None:
    """Go on, whatever anybody says."""
    say(path, os.getpid())
    until("nobody says so", lambda: False, 600)


def until_there(path: str, wanted: str) -> None:
    say(path, os.getpid())
    until("the file is there", Path(wanted).exists)


def holds(path: str, wanted: str) -> None:
    """Wait in native code for a writer of a FIFO, and let no other thread of this interpreter run meanwhile."""
    say(path, os.getpid())
    os.close(ctypes.PyDLL(None).open(wanted.encode(), os.O_RDONLY))


def steps(path: str, wanted: str) -> None:
    """Two checkpoints at once, of which the newer one counts, and then a wait."""
    job = current_job()
    job.checkpoint(percent=10, note="begun")
    job.checkpoint(percent=50, note="half")
    until_there(path, wanted)


def resumed(path: str, upto: int) -> int:
    """Go through numbers, and fail in the middle of the second, then of the fourth."""
    job = current_job()
    say(path, job.cursor)
    for number in job.resume(range(1, upto + 1), key=int):
        if number == 2 * job.attempt:
            raise Retry(timedelta(0))
    return upto


def given(what: str) -> Any:
    return {"unwritable": object(), "large": "x" * 1000, "plain": {"at": timedelta(seconds=1)}}[what]


def computes(milliseconds: int) -> None:
    began_ns = time.process_time_ns()
    while time.process_time_ns() - began_ns < milliseconds * 1_000_000:
        pass


def greedy(path: str, mebibytes: int) -> None:
    hoard.append(b"x" * (mebibytes << 20))
    who(path)


def declare(app: Penstock, *functions: Any, **options: Any) -> None:
    """Declare some of these as tasks of an app, each by its own name."""
    for function in functions:
        app.task(name=function.__name__, pool="process", **options)(function)
