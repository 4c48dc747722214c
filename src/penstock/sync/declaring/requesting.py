"""Requests from code: for which subjects, and what is asked of their runs beyond the ordinary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from penstock.domain.options import RunOptions, Target
from penstock.sync.declaring.address import record_of, target_of
from penstock.sync.declaring.declare import SyncDefinition

Only = Iterable[str | tuple[str, str | int | Sequence[str | int]]]
"""Layers, and records as `"LAYER:KEY"` or `("LAYER", key)`."""


class Requester(Protocol):
    """Writes requests; the app is one."""

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Requesting:
    """A sync with the options of a request. Requests only insert: they lock nothing and meet nothing."""

    definition: SyncDefinition
    requester: Requester
    priority: int = 0
    reason: str = ""
    connection: Any = None
    options: RunOptions = field(default_factory=RunOptions)

    def using(self, *, priority: int = 0, reason: str = "", connection: Any = None, full: bool = False,
              only: Only = ()) -> "Requesting":
        """See `Sync.using`."""
        targets = [only] if isinstance(only, str) else only
        options = RunOptions.of(full, [self._target(target) for target in targets])
        return replace(self, priority=priority, reason=reason, connection=connection, options=options)

    def request(self, subject: str, *, account: str | None = None) -> None:
        """Ask that one subject be brought up to date. Without `account` it comes from the sync's `subjects()`."""
        self.request_many([(subject, account)])

    def request_many(self, subjects: "list[tuple[str, str | None]]") -> None:
        """The same for many subjects, as (subject, account), in one statement."""
        self.requester.request([
            {"sync": self.definition.name, "subject": str(subject), "account": account, "priority": self.priority,
             "reason": self.reason, "options": self.options.text}
            for subject, account in subjects
        ], self.connection)

    def _target(self, target: str | tuple[str, Any]) -> Target:
        return target_of(self.definition, target) if isinstance(target, str) else record_of(self.definition, *target)
