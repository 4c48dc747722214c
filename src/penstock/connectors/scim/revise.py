"""Changes attributes of resources that exist: by PATCH, or by PUT where the server has no PATCH.

Where the server has ETags, a write says which version it was made for. A resource that has changed since is read
once and written once more; a PUT is always made from a fresh read, since it replaces the whole resource and must
give back what it does not mean to change.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.connectors.scim.exchange import client_of, send
from penstock.connectors.scim.messages import Answer, Operation, patch, resource_path, resource_version
from penstock.connectors.scim.singles import refusal
from penstock.domain.errors import DestinationError, Stopping, Unavailable
from penstock.domain.records import GONE, Change, Outcome, Rejected
from penstock.sync.declaring.ports import Run

Revision = tuple[Change, Mapping[str, Any]]
"""A change and the attributes that it replaces."""

Answers = dict[int, Answer | None]
"""Answers by the place of their revision."""

Failure = DestinationError | Stopping | None


def revise(endpoint: str, revisions: Sequence[Revision], run: Run) -> tuple[list[Outcome | None], Failure]:
    """Send every revision; gives the outcomes from the first on, and the failure that cut them short, if any."""
    answers: Answers = {}
    operations = _written(endpoint, dict(enumerate(revisions)), run, answers, fresh=False)
    failure = _send(run, operations, answers)
    stale = {place: revisions[place] for place, operation in operations.items()
             if operation.version and (answer := answers.get(place)) and answer.status == 412}
    if stale and failure is None:
        failure = _send_again(endpoint, stale, run, answers)
    outcomes = []
    for place, (change, _) in enumerate(revisions):
        if place not in answers:
            break
        outcomes.append(_outcome(change, answers[place], resource_path(endpoint, known_id(change))))
    return outcomes, failure


def known_id(change: Change) -> str:
    if not change.remote_id:
        raise ValueError(f"the {change.kind} of {change.key!r} has no remote id; it must be created or found first")
    return change.remote_id


def _written(endpoint: str, revisions: Mapping[int, Revision], run: Run, answers: Answers, *,
             fresh: bool) -> dict[int, Operation]:
    """An operation for each revision whose resource is still there; `answers` gets the others."""
    operations = {}
    for place, (change, content) in revisions.items():
        made = _operation(resource_path(endpoint, known_id(change)), content, change.version, run, fresh=fresh)
        if isinstance(made, Operation):
            operations[place] = made
        else:
            answers[place] = made
    return operations


def _operation(path: str, content: Mapping[str, Any], version: str | None, run: Run, *,
               fresh: bool) -> Operation | Answer:
    client = client_of(run)
    offers = client.offers(run.calls)
    current: dict[str, Any] = {}
    if fresh or not offers.patch:
        reply = client.get(path, run.calls, {"attributes": "id,meta"} if offers.patch else None)
        if not reply.ok:
            return refusal("GET", reply)
        current = reply.object()
        version = resource_version(current, reply.etag)
    version = version if offers.etag else None
    if offers.patch:
        return Operation("PATCH", path, patch([{"op": "replace", "value": content}]), version)
    kept = {name: value for name, value in current.items() if name != "meta"}
    return Operation("PUT", path, {**kept, **content}, version)


def _send(run: Run, operations: Mapping[int, Operation], answers: Answers) -> Failure:
    sent = send(run, list(operations.values()))
    answers.update(zip(operations, sent.answers, strict=False))
    if isinstance(sent.failure, Unavailable) and sent.failure.sent:
        # What an earlier try said of these no longer holds: the call that broke may have carried them out.
        for place in list(operations)[len(sent.answers):]:
            if place in answers:
                answers[place] = None
    return sent.failure


def _send_again(endpoint: str, stale: Mapping[int, Revision], run: Run, answers: Answers) -> Failure:
    """The second and last try of what had changed; until it is answered, the 412 stands."""
    try:
        operations = _written(endpoint, stale, run, answers, fresh=True)
    except DestinationError as error:
        return error
    return _send(run, operations, answers)


def _outcome(change: Change, answer: Answer | None, path: str) -> Outcome | None:
    if answer is None:
        return None
    if answer.status == 404:
        return Rejected(GONE, f"{path} is gone from the destination; {answer.detail or 'no reason given'}")
    if answer.status == 412:
        return Rejected("412", f"{path} was changed by somebody else while it was written; it will be tried again")
    return answer.outcome(change.remote_id)
