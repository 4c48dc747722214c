"""Plans are remembered by their statement's fingerprint, so that another plan than before is an event."""

from collections.abc import Sequence

import msgspec

from penstock.domain.advice import Plan
from penstock.events import PlanFlipped
from penstock.events.telling import Events
from penstock.store.port import Store, Transaction

_MOST = 20


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that was seen earlier. Moments are milliseconds of the epoch."""

    shape: str
    first_seen_at: int
    last_seen_at: int
    seen: int
    flags: tuple[str, ...]
    text: str


class PlansKept:
    """The plans in Penstock's own store. What is kept of one is its text, redacted as it was given."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events

    def of(self, fingerprint: str, database: str) -> list[Remembered]:
        """The last seen first."""
        return [Remembered(shape=shape, first_seen_at=first, last_seen_at=last, seen=seen,
                           flags=tuple(msgspec.json.decode(flags, type=list[str])), text=text)
                for shape, first, last, seen, flags, text in self._store.look(
                    "explained_plans", {"fingerprint": fingerprint, "database": database, "count": _MOST})]

    def keep(self, fingerprint: str, database: str, plans: Sequence[Plan], trapped: Sequence[str] = ()) -> str | None:
        """Remember plans; `trapped` are the shapes of those in which something is wrong.

        Where one is of a shape never seen before, though others were: says so, and tells of it as `PlanFlipped`.
        """
        shapes = {plan.shape: plan for plan in plans}
        known = self.of(fingerprint, database)

        def put(tx: Transaction) -> None:
            for shape, plan in shapes.items():
                labels = [each.parameters for each in plans if each.shape == shape and each.parameters]
                flags = msgspec.json.encode([*dict.fromkeys(labels), *(["trap"] if shape in trapped else [])])
                tx.execute("explained_plan_put", {"fingerprint": fingerprint, "database": database, "shape": shape,
                                                  "flags": flags.decode(), "plan": plan.text})

        self._store.write(put)
        fresh = [shape for shape in shapes if shape not in {each.shape for each in known}]
        if not known or not fresh:
            return None
        self._events.emit(PlanFlipped(fingerprint=fingerprint, database=database, was=known[0].shape, now=fresh[0]))
        return (f"the plan is another one than any before: {_first(known[0].text)} became"
                f" {_first(shapes[fresh[0]].text)}")


def _first(text: str) -> str:
    """What tells a plan from another at a glance: how it reads its tables."""
    scans = [line.strip() for line in text.splitlines() if " on " in line or " using " in line]
    return scans[0].partition("  (")[0] if scans else text.partition("\n")[0].partition("  (")[0]
