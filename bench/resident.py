"""How much memory a process and its descendants take: their proportional set size, from /proc (Linux only).

A page that n processes share counts as an nth in each, so that forks are not charged for what they share.
"""

import contextlib
import threading
from pathlib import Path


def tree(pid: int) -> list[int]:
    """A process and all its descendants, by id."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:  # grows while it is walked
        found.extend(children.get(each, ()))
    return found


def pss_mb(pid: int) -> float:
    """The proportional set size of one process in MB of 1024² bytes; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def tree_mb(pid: int) -> float:
    """The proportional set size of a process and all its descendants, in MB."""
    return sum(pss_mb(each) for each in tree(pid))


def peak_mb() -> float:
    """The most that this process was ever resident, in MB of 1024² bytes; `ru_maxrss` may be that of its parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("expected VmHWM in /proc/self/status, got none: this measure needs Linux")


class Watch:
    """Looks at a tree of processes again and again; `peak_mb` is the most that it was seen to take."""

    def __init__(self, pid: int, every_seconds: float = 0.2) -> None:
        self.peak_mb = 0.0
        self._pid = pid
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="bench-resident", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.is_set():
            self.peak_mb = max(self.peak_mb, tree_mb(self._pid))
            self._ended.wait(self._every_seconds)
