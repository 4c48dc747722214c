"""A destination in memory, as a person would write one, with the ways in which real ones misbehave."""

from collections.abc import Callable, Sequence
from typing import Any

from penstock.domain.errors import Unavailable
from penstock.domain.records import Change, Done, Outcome
from penstock.sync.declaring.ports import Run


class Remote:
    """Records by remote id. The next call fails `before` it is carried out, or its answer is `lost`."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, list[str]]] = []
        self.refused: dict[str, Outcome] = {}
        self.before: Exception | None = None
        self.lost: BaseException | None = None
        self.idempotent = False
        self.identify: Callable[[Change], str] | None = None
        self._ids = 0

    def create(self, changes: Sequence[Change], run: Run) -> list[Outcome | None]:
        return self._call("create", changes, self._create)

    def update(self, changes: Sequence[Change], run: Run) -> list[Outcome | None]:
        return self._call("update", changes, self._update)

    def delete(self, changes: Sequence[Change], run: Run) -> list[Outcome | None]:
        return self._call("delete", changes, self._delete)

    def disable(self, changes: Sequence[Change], run: Run) -> list[Outcome | None]:
        return self._call("disable", changes, self._disable)

    def find(self, values: Sequence[str], run: Run) -> dict[str, list[str]]:
        self.calls.append(("find", list(values)))
        found: dict[str, list[str]] = {}
        for remote_id, record in self.records.items():
            if record["match"] in values:
                found.setdefault(record["match"], []).append(remote_id)
        return found

    def named(self, verb: str) -> list[str]:
        """Every key that a verb was called with, in order."""
        return [key for name, keys in self.calls for key in keys if name == verb]

    def _call(self, verb: str, changes: Sequence[Change], one: Any) -> list[Outcome | None]:
        self.calls.append((verb, [change.key for change in changes]))
        if self.before is not None:
            error, self.before = self.before, None
            raise error
        outcomes = [self.refused.get(change.key) or one(change) for change in changes]
        if self.lost is not None:
            lost, self.lost = self.lost, None
            raise lost
        return outcomes

    def _create(self, change: Change) -> Outcome:
        self._ids += 1
        remote_id = self.identify(change) if self.identify else f"r{self._ids}"
        self.records[remote_id] = {"key": change.key, "payload": change.payload, "match": change.match or change.key,
                                   "parent": change.parent_id, "references": change.reference_ids, "active": True}
        return Done(remote_id)

    def _update(self, change: Change) -> Outcome:
        if self.idempotent and change.remote_id not in self.records:
            return self._create(change)
        if change.remote_id not in self.records:
            raise Unavailable(f"update of {change.remote_id}, which is not there")
        self.records[change.remote_id].update(payload=change.payload, active=True, parent=change.parent_id,
                                              references=change.reference_ids)
        return Done()

    def _delete(self, change: Change) -> Outcome:
        self.records.pop(str(change.remote_id), None)
        return Done()

    def _disable(self, change: Change) -> Outcome:
        self.records[str(change.remote_id)]["active"] = False
        return Done()
