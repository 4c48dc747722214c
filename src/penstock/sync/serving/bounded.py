"""A bound for looks at a source that somebody waits for: so many records, and so long, and no further."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from penstock.domain.errors import OutOfTime
from penstock.sync.declaring.ports import Run


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `records` of the source are read, and no page is begun after `seconds`. `instead` says how else to look.

    A page that has begun is waited for: whoever wrote the source decides how long that takes.
    """

    records: int
    seconds: float
    instead: str
    monotonic: Callable[[], float] = time.monotonic

    def put_on(self, run: Run) -> None:
        """Have a run raise `OutOfTime` before the next page, once it is beyond the bound."""
        end = self.monotonic() + self.seconds

        def check() -> None:
            if run.time.read >= self.records or self.monotonic() >= end:
                raise OutOfTime(f"{run.time.read:,} records of the source were read: expected no more than"
                                f" {self.records:,}, and no more than {self.seconds:g} s, where somebody waits for it;"
                                f" {self.instead}")

        run.check = check
