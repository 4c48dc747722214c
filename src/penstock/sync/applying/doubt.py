"""In doubt: creates whose answer may be lost.

A create is recorded as in doubt before it is sent; whatever happens to the answer, it is looked up before it is sent
again. What is sent again without a look-up is only what cannot make a second record, or may.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from penstock.domain.errors import StillInDoubt
from penstock.domain.records import ChangeKind, Counts
from penstock.sync.applying.sending import Conflict, doubtful
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.changes import remember
from penstock.sync.planning.plan import AMBIGUOUS, NEVER_SENT, Item, LayerPlan
from penstock.sync.state.intents import NO_ANSWER, encoded
from penstock.sync.state.messages import kept

NO_LOOKUP = "no_lookup"
FORGOTTEN = "forgotten"
"""By a person (see surgery.py): it is looked up as well, but was given up where the source has it no more."""
_KEY_BYTES = 16


@dataclass(slots=True)
class _Found:
    """What a look-up gave: who was found surely, who was not found, and who cannot be told apart from others."""

    sure: list[Item]
    absent: list[Item]
    unclear: list[Item]


class Doubts:
    """What is known and found out of the creates of one layer's plan."""

    def __init__(self, plan: LayerPlan, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._verbs = verbs

    def record(self, items: Sequence[Item]) -> None:
        """Note that these are about to be created, in one write; and give them their idempotency keys, if any.

        Such a key is made of the number of a row, so there each has one before it is sent.
        """
        keyed = self._layer.declares("idempotency_keys")
        identify = getattr(self._layer.layer.destination, "identify", None)
        marks = []
        for item in items:
            item.tried = (item.digest or b"") + (item.match or "").encode("utf-8", "surrogatepass")
            item.wait_ms = round(self._layer.in_doubt_seconds * 1000)
            item.identified = identify(item.change(ChangeKind.CREATE)) if identify is not None else None
            marks.append(doubtful(item, *NO_ANSWER))
        new = [] if keyed else [mark for mark, item in zip(marks, items, strict=True) if not item.known]
        if new:
            known = [mark for mark, item in zip(marks, items, strict=True) if item.known]
            self._plan.state.intend([mark.key for mark in new], encoded(new), items[0].wait_ms, known)
        else:
            self._plan.state.save(marks, Counts())
        if keyed:
            rows = self._plan.state.look_up([item.key for item in items])
            for item in items:
                item.idempotency_key = self._idempotency_key(item, rows[item.key].id)

    def look_up(self, doubted: list[Item]) -> list[Item]:
        """Find out what became of creates whose answer was lost; return those to be sent (again).

        What was found once, and is held by no other row, gets its remote id. The others stay in doubt: for a person
        what was found more than once or cannot be looked up, until later what is too recent to be called absent.
        """
        if not doubted or self._layer.declares("idempotent"):
            return doubted
        found = self._found(doubted)
        again: list[Item] = []
        later: list[Item] = []
        nobody_knows: list[Item] = []
        for item in found.absent:
            item.absent = self._is_old(item)
            (again if item.absent or self._is_safe(item) else later).append(item)
        for item in self._unsearchable(doubted):
            may = self._is_safe(item) or self._layer.declares("duplicates_possible")
            (again if may and item.error_class != AMBIGUOUS else nobody_knows).append(item)
        self._stay(found, later, nobody_knows)
        return again

    def look_up_absent(self, doubted: list[Item]) -> list[Item]:
        """The same for records that the source has no more; return those that surely were never created, or given up.
        """
        if not doubted:
            return []
        rows = self._plan.state.look_up([item.key for item in doubted])
        for item in doubted:
            if row := rows.get(item.key):
                remember(item, row)
        given_up = [item for item in doubted if item.error_class == FORGOTTEN or item.tried == NEVER_SENT]
        doubted = [item for item in doubted if item.error_class != FORGOTTEN and item.tried != NEVER_SENT]
        found = self._found(doubted)
        later = [item for item in found.absent if not self._is_old(item)]
        self._stay(found, later, self._unsearchable(doubted))
        return given_up + [item for item in found.absent if self._is_old(item)]

    def present(self, items: list[Item]) -> list[Item]:
        """Those of records without a row that surely are at the destination, with their remote ids."""
        return self._found([item for item in items if self._value(item) is not None]).sure

    def existing(self, conflicts: Sequence[Conflict]) -> list[Item]:
        """Look up creates that met an existing record; return those that are surely that record, with its remote id."""
        if not conflicts:
            return []
        found = self._found([item for item, _ in conflicts])
        sure = {item.key for item in found.sure}
        left = [(item, said) for item, said in conflicts if item.key not in sure]
        marks = [doubtful(item, AMBIGUOUS, f"the destination says that it exists already ({kept(said.message)}), and"
                                           f" what matches it is not one record that is free; {self._advice()}")
                 for item, said in left]
        if marks:
            self._plan.state.save(marks, Counts(failed=len(marks)))
        return found.sure

    def _found(self, items: Sequence[Item]) -> _Found:
        """Ask the destination for those that can be looked up. Gives a remote id to what it surely has."""
        searched = {item.key: value for item in items if (value := self._value(item)) is not None}
        asked = [item for item in items if item.key in searched]
        ids = self._verbs.find(self._layer, [searched[item.key] for item in asked]) if asked else {}
        held = self._plan.state.held([remote_id for found in ids.values() for remote_id in found]) if ids else set()
        wanted = Counter(remote_id for value in searched.values() for remote_id in ids.get(value, []))
        found = _Found([], [], [])
        for item in asked:
            match ids.get(searched[item.key], []):
                case []:
                    found.absent.append(item)
                case [remote_id] if remote_id not in held and wanted[remote_id] == 1:
                    item.remote_id = remote_id
                    found.sure.append(item)
                case _:
                    found.unclear.append(item)
        return found

    def _value(self, item: Item) -> str | None:
        """By which value `find` knows a record: that of `match` when it was sent, else its key; None if by none."""
        if self._layer.verb("find") is None:
            return None
        if self._layer.match is None:
            return item.key
        return item.tried_match or item.match

    def _unsearchable(self, items: Iterable[Item]) -> list[Item]:
        return [item for item in items if self._value(item) is None]

    def _is_old(self, item: Item) -> bool:
        """Whether a destination that shows new records late would show it by now."""
        return item.wait_ms <= 0

    def _is_safe(self, item: Item) -> bool:
        """Whether sending a create again cannot make a second record."""
        declares = self._layer.declares
        return declares("enforces_key") or (declares("idempotency_keys") and item.unchanged)

    def _stay(self, found: _Found, later: Sequence[Item], nobody_knows: Sequence[Item]) -> None:
        """Leave in doubt what cannot be decided."""
        several = f"its create was not answered; what matches it is several, or another record's; {self._advice()}"
        unknown = f"its create was not answered, and {self._why_not()}; {self._advice()}"
        marks = [doubtful(item, AMBIGUOUS, several) for item in found.unclear if item.error_class != AMBIGUOUS]
        marks += [doubtful(item, NO_LOOKUP, unknown) for item in nobody_knows
                  if item.error_class not in (AMBIGUOUS, NO_LOOKUP)]  # these rows say it already
        self._plan.doubtful_ms = max([self._plan.doubtful_ms, *(item.wait_ms for item in later)])
        if failed := len(found.unclear) + len(nobody_knows) + len(later):
            self._plan.state.save(marks, Counts(failed=failed))

    def _why_not(self) -> str:
        if self._layer.verb("find") is None:
            return "the layer has no find to look it up"
        return "it has no value of match to look it up by"

    def _advice(self) -> str:
        return "look at the destination and say what is true with `penstock state`"

    def _idempotency_key(self, item: Item, row_id: int) -> str:
        """The same for a create that is sent again since its answer was lost; another after a refusal, or a delete."""
        parts = (self._plan.state.identity, str(row_id), str(item.attempts))
        return blake2b("\0".join(parts).encode("utf-8", "surrogatepass") + b"\0" + (item.digest or b""),
                       digest_size=_KEY_BYTES).hexdigest()


def wait_for_doubts(plans: Iterable[LayerPlan]) -> None:
    """End a run that has done all else for a later try, where it is too early to believe that creates are absent."""
    waiting = [plan for plan in plans if plan.doubtful_ms > 0]
    if waiting:
        seconds = max(plan.doubtful_ms for plan in waiting) / 1000
        names = ", ".join(plan.layer.name for plan in waiting)
        raise StillInDoubt(f"{names}: creates whose answer was lost are not at the destination yet; it is asked again"
                           f" in {seconds:.0f} s (the layer's in_doubt_delay)", seconds)
