"""Changes as the engine gives them to a destination's verbs."""

from collections.abc import Collection, Sequence
from typing import Any

from penstock.connectors import SQLDestination
from penstock.domain.records import Change, ChangeKind, Done, Subject
from penstock.sync.declaring.ports import Run


def create(key: str, payload: Any = None, **rest: Any) -> Change:
    return Change(ChangeKind.CREATE, key, payload, **rest)


def update(remote_id: str | None, payload: Any = None, *, key: str | None = None, **rest: Any) -> Change:
    return Change(ChangeKind.UPDATE, key or f"key of {remote_id}", payload, remote_id, **rest)


def delete(remote_id: str) -> Change:
    return Change(ChangeKind.DELETE, f"key of {remote_id}", remote_id=remote_id)


def run_of(subject: str = "s-1", account: str = "a-1", held: Collection[str] = ()) -> Run:
    return Run(Subject(subject, account=account), held=lambda ids: {each for each in ids if each in held})


def created(destination: SQLDestination, *changes: Change, run: Run | None = None) -> list[str]:
    """Create what surely can be, and give the remote ids."""
    outcomes = destination.create(changes, run or run_of())
    return [done(outcome) for outcome in outcomes]


def done(outcome: Any) -> str:
    assert isinstance(outcome, Done), outcome
    assert outcome.remote_id is not None
    return outcome.remote_id


def refused(outcomes: Sequence[Any]) -> list[tuple[str, str] | None]:
    """Code and message of what was refused, None for what was done."""
    return [None if isinstance(outcome, Done) else (outcome.code, outcome.message) for outcome in outcomes]
