"""What a worker and its child tell each other. Times are seconds of `time.monotonic()`, which all processes share."""

from datetime import timedelta
from typing import Any

import msgspec

from penstock.domain.progress import Said


class Hello(msgspec.Struct, tag=True):
    """The first message to a child: how its parent was called, and what to import before a job needs it."""

    argv: list[bytes]
    modules: list[str]


class Begin(msgspec.Struct, tag=True):
    """Call the body of a task. `lease` to `context` are what `current_job()` needs; `records` asks for the result."""

    module: str
    qualname: str
    arguments: str
    lease: int
    worker_id: int
    id: int
    task: str
    queue: str
    attempt: int
    max_attempts: int
    valid_until: float
    deadline_at: float | None
    context: dict[str, Any]
    records: bool


class Changed(msgspec.Struct, tag=True):
    """What has become of the attempt since: why it is to end, whether the worker stops, until when the lease holds."""

    id: int
    ended: str | None
    stopping: bool
    valid_until: float


class Raised(msgspec.Struct, tag=True):
    """A body raised an error. `known` is the nearest of its classes that decides an outcome, or empty; `plain` are the
    attributes by which such an error decides."""

    class_name: str
    message: str
    text: str
    known: str
    plain: dict[str, Any]


class Left(msgspec.Struct, tag=True):
    """The cursor that earlier attempts have left, as JSON; or why it cannot be read."""

    cursor: str | None
    error: Raised | None = None


class End(msgspec.Struct, tag=True):
    """There is no more work for this child."""


class Look(msgspec.Struct, tag=True):
    """Say where in the code the body of this job is."""

    id: int


ToChild = Hello | Begin | Changed | Left | Look | End


class Ready(msgspec.Struct, tag=True):
    """A child has imported what it could, and waits for work."""


class Told(msgspec.Struct, tag=True):
    """A body gave a sign of life; what has been said of progress until then, where that is more than before."""

    said: Said | None


class Asked(msgspec.Struct, tag=True):
    """A body asks for the cursor that earlier attempts have left."""


class Returned(msgspec.Struct, tag=True):
    """A body returned; its result as JSON where that is recorded, or why JSON has no words for it."""

    result: bytes | None = None
    unwritable: str | None = None


class Signalled(msgspec.Struct, tag=True):
    """A body returned or raised a `Signal`."""

    name: str
    delay: timedelta | None
    reason: str


class Ended(msgspec.Struct, tag=True):
    """A body has come to its end."""

    came_to: Returned | Signalled | Raised
    resident_bytes: int
    cpu_ns: int


class Seen(msgspec.Struct, tag=True):
    """Where the body of a job was when somebody looked: names and places, no value of anything."""

    id: int
    frames: tuple[str, ...]


ToParent = Ready | Told | Asked | Seen | Ended
