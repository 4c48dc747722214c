"""Requests from code: for which subjects, and what is asked of their runs beyond the ordinary.

What cannot be a subject or an account is refused before anything is written, and nothing of its call is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from penstock.domain.errors import ConfigurationError
from penstock.domain.options import RunOptions, Target
from penstock.domain.records import Subject
from penstock.sync.declaring.address import record_of, target_of
from penstock.sync.declaring.declare import SyncDefinition

Only = Iterable[str | tuple[str, str | int | Sequence[str | int]]]
"""Layers, and records as `"LAYER:KEY"` or `("LAYER", key)`."""


Wanted = str | int | Subject | tuple[str | int, str | None]
"""A subject by its key, with its account or without; a `Subject` brings its own."""
_MOST_FAULTS = 20


class Requester(Protocol):
    """Writes requests; the app is one."""

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None: ...

    async def arequest(self, requests: list[dict[str, Any]], connection: Any = None) -> None: ...


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
        faults = [fault for fault in (_priority_fault(priority), _text_fault("reason", reason)) if fault]
        if faults:
            raise ConfigurationError(faults)
        targets = [only] if isinstance(only, str) else only
        options = RunOptions.of(full, [self._target(target) for target in targets])
        return replace(self, priority=priority, reason=reason, connection=connection, options=options)

    def request(self, subject: str, *, account: str | None = None) -> None:
        """Ask that one subject be brought up to date. Without `account` it comes from the sync's `subjects()`.

        Raises `ConfigurationError` for what cannot be a subject or an account. Whether `subjects()` gives the subject
        is asked later: a run of one that it does not give is refused, and says so.
        """
        self.request_many([(subject, account)])

    async def arequest(self, subject: str, *, account: str | None = None) -> None:
        """The same from `async` code."""
        await self.arequest_many([(subject, account)])

    def request_many(self, subjects: Iterable[Wanted]) -> None:
        """The same for many subjects in one statement: keys, `(key, account)`, or what `subjects()` gives."""
        self.requester.request(self._rows(subjects), self.connection)

    async def arequest_many(self, subjects: Iterable[Wanted]) -> None:
        """The same from `async` code."""
        await self.requester.arequest(self._rows(subjects), self.connection)

    def _rows(self, subjects: Iterable[Wanted]) -> list[dict[str, Any]]:
        if isinstance(subjects, str):
            raise ConfigurationError(f"{self.definition.name}: expected several subjects, got the text {subjects!r}:"
                                     " use request() for one")
        wanted = [_wanted(each) for each in subjects]
        faults = [f"{self.definition.name}: {fault}" for subject, account in wanted
                  for fault in (_subject_fault(subject), _account_fault(account)) if fault]
        if faults:
            raise ConfigurationError(faults[:_MOST_FAULTS])
        common = {"sync": self.definition.name, "priority": self.priority, "reason": self.reason,
                  "options": self.options.text}
        return [{**common, "subject": str(subject), "account": account} for subject, account in wanted]

    def _target(self, target: str | tuple[str, Any]) -> Target:
        return target_of(self.definition, target) if isinstance(target, str) else record_of(self.definition, *target)


def _wanted(given: Wanted) -> tuple[Any, Any]:
    if isinstance(given, Subject):
        return given.key, given.account
    if isinstance(given, tuple) and len(given) == 2:
        return given
    return given, None


def _subject_fault(subject: object) -> str | None:
    if type(subject) is int:
        return None
    return _text_fault("subject", subject) or (None if subject else "subject: expected the key of one, got ''")


def _account_fault(account: object) -> str | None:
    if account is None:
        return None
    return _text_fault("account", account) or (None if account else "account: expected its name, or None, got ''")


def _text_fault(what: str, value: object) -> str | None:
    """Why something is no text that both databases can hold, or None."""
    if not isinstance(value, str):
        return f"{what}: expected text, got {value!r}"
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"{what}: expected text without NUL and lone surrogates, got {value!r}"
    return None


def _priority_fault(priority: object) -> str | None:
    if type(priority) is int and abs(priority) < 2**31:
        return None
    return f"priority: expected a whole number of at most 31 bits, got {priority!r}"
