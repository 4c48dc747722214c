"""What the tests of an application need: jobs run at once, or one after the other; a clock that stands still; and
assertions about what is enqueued.

(`penstock.testing.connectors` is the kit for authors of sources and destinations.)

Nothing here pretends: jobs are encoded, decoded, decided on and (but for `inline`) stored by the code of a worker.
"""

from penstock.testing.clock import FakeClock
from penstock.testing.draining import Drained, drain
from penstock.testing.enqueued import Enqueued, all_enqueued, assert_enqueued, refute_enqueued
from penstock.testing.inline import Inline, inline
from penstock.testing.place import clear, stored_at
from penstock.testing.running import Ran

__all__ = [
    "Drained",
    "Enqueued",
    "FakeClock",
    "Inline",
    "Ran",
    "all_enqueued",
    "assert_enqueued",
    "clear",
    "drain",
    "inline",
    "refute_enqueued",
    "stored_at",
]
