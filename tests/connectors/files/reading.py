"""Files as somebody else writes them, and reading them as the engine does."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.domain.records import Complete, Subject
from penstock.sync.declaring.ports import Run, Source
from penstock.sync.planning.read import Unreadable

LONG_AGO = 1_700_000_000


def run_of(subject: str = "g1", account: str = "acme") -> Run:
    return Run(Subject(subject, account=account))


def write(path: Path, content: str | bytes) -> Path:
    """A file that was written long ago; compressed where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def read(source: Source, size: int = 100, run: Run | None = None) -> tuple[list[Any], list[str], Complete | None]:
    """Every record, what was said of rows that could not be read, and the proof, as far as there is one."""
    records: list[Any] = []
    faults: list[str] = []
    proof: list[Complete | None] = []

    def told() -> Iterator[Any]:
        proof.append((yield from source.pages(run or run_of(), size)))

    for page in told():
        assert 0 < len(page) <= size
        assert len({isinstance(row, Unreadable) for row in page}) == 1, "a page is one or the other"
        for row in page:
            if isinstance(row, Unreadable):
                faults.append(row.error)
            else:
                records.append(row)
    [complete] = proof
    assert complete is None or complete.count == len(records) + len(faults), "the engine counts what it is given"
    return records, faults, complete
