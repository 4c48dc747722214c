"""Folding: many requests for one subject become one run. Pure.

Only requests with the same options fold together: an ordinary run would do more than `--only` asked for, a full one
would send what nobody asked to be sent again, and one that is restricted would lose the rest. Requests of other options
wait for a run of their own, in the order in which they were asked.
"""

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
    options: str = ""


@dataclass(slots=True)
class Folded:
    """Everything that is asked for one subject with the same options: the highest priority, every distinct reason, the
    first time."""

    sync: str
    subject: str
    account: str | None
    priority: int
    requested_at: int
    options: str = ""
    reasons: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)


def fold(requests: Iterable[Request]) -> list[Folded]:
    """Group requests by sync, subject and options, in the order in which each of these was first asked for."""
    found: dict[tuple[str, str, str], Folded] = {}
    for request in requests:
        key = (request.sync, request.subject, request.options)
        folded = found.get(key)
        if folded is None:
            folded = found[key] = Folded(request.sync, request.subject, request.account, request.priority,
                                         request.requested_at, request.options)
        folded.priority = max(folded.priority, request.priority)
        folded.account = folded.account or request.account
        folded.ids.append(request.id)
        folded.reasons = merge_reasons(folded.reasons, [request.reason])
    return list(found.values())


def merge_reasons(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The distinct reasons of both, the newest few of them, oldest first."""
    return [reason for reason in dict.fromkeys([*first, *second]) if reason][-_MOST_REASONS:]
