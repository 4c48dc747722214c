"""The fence around every write of a run.

A write is one transaction that first proves the run's lease: a window that lost its lease can save nothing.
"""

from dataclasses import asdict, dataclass, field

from penstock.domain.errors import StaleLease
from penstock.domain.records import Counts
from penstock.store.port import Transaction
from penstock.sync.state.tally import Tally


@dataclass(frozen=True, slots=True)
class Fence:
    """The run that writes, and the lease by which it may. `tally` is what it did in each layer."""

    run_id: int
    lease: int
    tally: Tally = field(default_factory=Tally, compare=False)


def add_counts(tx: Transaction, fence: Fence, counts: Counts, layers: str | None = None) -> None:
    """Add to a run's counts under its lease; `layers` are those of all its layers then, where they change.

    Raises `StaleLease` where the lease has passed on.
    """
    numbers = {name: value for name, value in asdict(counts).items() if name != "calls"}
    params = {**numbers, "read_calls": counts.calls.read, "write_calls": counts.calls.write, "layers": layers,
              "id": fence.run_id, "lease": fence.lease}
    if not tx.execute("run_progress", params):
        raise StaleLease(f"run {fence.run_id}: its lease has passed to another worker; what was to be saved is dropped")
