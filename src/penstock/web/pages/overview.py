"""The first page: whether all is well, and if not, where to look."""

import msgspec

from penstock.web.declared import Seen, View


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class QueueNow(msgspec.Struct, frozen=True):
    """How many jobs of a queue are in which state."""

    queue: str
    states: dict[str, int]


class Overview(msgspec.Struct, frozen=True):
    """What is going on now."""

    queues: list[QueueNow]


def load(seen: Seen, asked: Asked) -> Overview:
    """What is going on now."""
    found: dict[str, dict[str, int]] = {}
    for count in seen.app.counts():
        states = found.setdefault(count.queue, {})
        states[count.state] = states.get(count.state, 0) + count.jobs
    return Overview([QueueNow(queue, states) for queue, states in sorted(found.items())])


VIEWS = [View(path="/", asked=Asked, load=load, template="overview.html", title="Overview", nav="overview", live=2.0)]
