"""The most memory that another process has taken, as well as the system lets us see it."""

import subprocess
import threading
from pathlib import Path

_SAMPLE_SECONDS = 0.1


class PeakMemory:
    """The most resident memory of a process since `reset`, in MB.

    Linux keeps that figure itself and lets it be reset; elsewhere, or where that is not permitted, it is sampled.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._sampled_kb = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def reset(self) -> None:
        self._sampled_kb = 0
        try:
            Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        except OSError:
            if self._thread is None:
                self._thread = threading.Thread(target=self._sample, name="penstock-demo-memory", daemon=True)
                self._thread.start()

    def peak_mb(self) -> float:
        kept = self._sampled_kb if self._thread else _status_kb(self._pid, "VmHWM")
        return round((kept or 0) / 1024, 1)

    def close(self) -> None:
        self._closed.set()
        if self._thread:
            self._thread.join()

    def _sample(self) -> None:
        while True:
            now_kb = _status_kb(self._pid, "VmRSS") or _ps_kb(self._pid)
            self._sampled_kb = max(self._sampled_kb, now_kb)
            if self._closed.wait(_SAMPLE_SECONDS):
                return


def _status_kb(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _ps_kb(pid: int) -> int:
    try:
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    return int(done.stdout.strip() or 0)
