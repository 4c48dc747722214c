"""What a pattern is: a known way of being slow, found in what traces say, with its evidence in numbers.

A pattern is only named where the numbers say so. Each rule is a function from `Work` to the patterns that it finds;
its thresholds stand at the top of its file, with their reasons.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from penstock.domain.fingerprint import fingerprint
from penstock.domain.traces import CallSeen, StatementSeen, TraceSeen
from penstock.observe.trace import OTHERS

PatternKind = Literal["n+1", "loop of queries", "single writes", "slow batches", "offset paging", "plan flip",
                      "sort spill", "unused columns", "lock wait", "limit wait", "chatty calls", "shared fetch"]
REST = fingerprint(OTHERS)
"""The fingerprint under which a trace with too many different statements tells the rest of them as one."""
PATTERNS: tuple[PatternKind, ...] = PatternKind.__args__  # type: ignore[attr-defined]


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """One pattern that was found in the traces of one name.

    `says` is one sentence with the evidence in it, `faster` what would help, `evidence` the same numbers for programs.
    `took_us` is the time that it is about, over all traces looked at, and `share` (0 to 1) what that is of their wall
    time. `fingerprint` and `database` name its statement, `route` its call, `site` where in the code it comes from.
    """

    kind: PatternKind
    says: str
    faster: str
    evidence: dict[str, int | float | str]
    took_us: int
    share: float
    fingerprint: str | None = None
    database: str | None = None
    route: str | None = None
    site: str | None = None


class PlanSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A plan of one statement as it was kept: first seen at `since`, last at `until`, milliseconds of the epoch.

    `text` is for people, a line for each node; see `penstock.domain.plans`. `flags` say for which parameters it was
    asked (`first`, `middle`, `last`, `common`), and what is wrong with it (`trap`).
    """

    fingerprint: str
    shape: str
    text: str
    since: int
    until: int
    database: str | None = None
    flags: tuple[str, ...] = ()


class Work(NamedTuple):
    """What the traces of one name came to over one span of time, with their statements, calls and kept plans."""

    trace: TraceSeen
    statements: Sequence[StatementSeen] = ()
    calls: Sequence[CallSeen] = ()
    plans: Sequence[PlanSeen] = ()

    def share(self, took_us: float) -> float:
        """What a time is of the wall time of all traces, at most 1: what runs side by side may take longer."""
        return min(took_us / self.trace.total_us, 1.0) if self.trace.total_us > 0 else 0.0


class Rule(Protocol):
    """Finds patterns of its kind; none where the evidence does not do."""

    def __call__(self, work: Work) -> Iterator[Pattern]: ...
