"""What advice may do, and how much of it."""

import msgspec

from penstock.advise.asking.database import Limits


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What advice may do. Times are milliseconds, sizes bytes.

    `role` is taken in the explained database where it is there. `analyse` allows statements that only read to be run
    in the explained database; without it they are run on the copy alone. `redact` leaves constants out of plans.
    `hypothetical` and `scratch` allow these means; `rolled_back` asks for a rolled-back index instead of a real one.
    `trial_ms` bounds each execution on the copy, `build_ms` each build.
    """

    role: str | None = "advise"
    analyse: bool = False
    redact: bool = True
    hypothetical: bool = True
    scratch: bool = True
    rolled_back: bool = False
    rounds: int = 3
    statement_ms: int = 15_000
    lock_ms: int = 500
    trial_ms: int = 60_000
    build_ms: int = 30 * 60_000
    scratch_bytes: int = 16 << 20

    @property
    def limits(self) -> Limits:
        """What bounds work in the explained database."""
        return Limits(role=self.role, statement_ms=self.statement_ms, lock_ms=self.lock_ms, redact=self.redact)

    @property
    def trial_limits(self) -> Limits:
        """What bounds work on the copy, where whoever owns the tables is needed and no role of its own is taken."""
        return Limits(role=None, statement_ms=self.trial_ms, lock_ms=max(self.lock_ms, 5_000), redact=self.redact)
