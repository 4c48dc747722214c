"""Folding: many requests for one subject become one run. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_MOST_REASONS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One committed row of `sync_requests`."""

    id: int
    sync: str
    subject: str
    account: str | None
    priority: int
    reason: str
    requested_at: int


@dataclass(slots=True)
class Folded:
    """Everything that is asked for one subject: the highest priority, every distinct reason, the first time."""

    sync: str
    subject: str
    account: str | None
    priority: int
    requested_at: int
    reasons: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)


def fold(requests: Iterable[Request]) -> list[Folded]:
    """Group requests by sync and subject, in the order in which each subject was first asked for."""
    found: dict[tuple[str, str], Folded] = {}
    for request in requests:
        key = (request.sync, request.subject)
        folded = found.get(key)
        if folded is None:
            folded = found[key] = Folded(request.sync, request.subject, request.account, request.priority,
                                         request.requested_at)
        folded.priority = max(folded.priority, request.priority)
        folded.account = folded.account or request.account
        folded.ids.append(request.id)
        folded.reasons = merge_reasons(folded.reasons, [request.reason])
    return list(found.values())


def merge_reasons(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The distinct reasons of both, the newest few of them, oldest first."""
    return [reason for reason in dict.fromkeys([*first, *second]) if reason][-_MOST_REASONS:]
