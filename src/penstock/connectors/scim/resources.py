"""Destinations for whole resources: Users and Groups (RFC 7643 §4.1 and §4.2).

A verb gives one outcome per change. If a call fails half-way, what was settled before it is in the error's
`outcomes`, so nothing that the destination confirmed is forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from penstock.connectors.scim.adopt import adopt, leave_open
from penstock.connectors.scim.exchange import client_of, send
from penstock.connectors.scim.find import fetch, find
from penstock.connectors.scim.messages import (
    GROUP_SCHEMA,
    USER_SCHEMA,
    Answer,
    Operation,
    attributes,
    resource_path,
)
from penstock.connectors.scim.revise import Revision, known_id, revise
from penstock.connectors.scim.settle import settled
from penstock.domain.errors import DeclarationError
from penstock.domain.records import GONE, Change, Done, Outcome, Rejected
from penstock.sync.declaring.ports import Found, Run


class Resources:
    """One endpoint. `attribute` is what a layer's `match` means here."""

    batch_size = 100
    counts_calls = True
    read_scope = "account"

    def __init__(self, endpoint: str, schema: str, attribute: str) -> None:
        self.endpoint = endpoint
        self.schema = schema
        self.attribute = attribute

    def __repr__(self) -> str:
        return f"scim.{self.endpoint}"

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """POST each payload (RFC 7644 §3.3); what exists already (409) is adopted and updated."""
        sent = send(run, [Operation("POST", f"/{self.endpoint}", self._new(change)) for change in changes])
        outcomes = [answer.outcome() if answer else None for answer in sent.answers]
        conflicts = {place: self._revision(changes[place]) for place, answer in enumerate(sent.answers)
                     if answer and answer.status == 409}
        failure = sent.failure
        if conflicts and failure is None:
            failure = adopt(self.endpoint, self.attribute, conflicts, outcomes, run)
        elif conflicts:
            leave_open(conflicts, outcomes)
        return settled(outcomes, failure)

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Replace the payload's attributes and leave all others alone (RFC 7644 §3.5)."""
        return settled(*revise(self.endpoint, [self._revision(change) for change in changes], run))

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """DELETE each resource (RFC 7644 §3.6); one that is gone already counts as done."""
        paths = [resource_path(self.endpoint, known_id(change)) for change in changes]
        sent = send(run, [Operation("DELETE", path) for path in paths])
        return settled([_gone(change, answer) for change, answer in zip(changes, sent.answers, strict=False)],
                       sent.failure)

    def find(self, values: Sequence[str], run: Run) -> Found:
        """Look up values of `attribute`, many in one request (RFC 7644 §3.4.2)."""
        return find(client_of(run), self.endpoint, self.attribute, values, run.calls)

    def fetch(self, remote_ids: Sequence[str], run: Run) -> Mapping[str, Mapping[str, Any]]:
        """What the resources with these ids say of themselves, without those that are gone."""
        return fetch(client_of(run), self.endpoint, remote_ids, run.calls)

    def read(self, run: Run) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        """Every resource of the endpoint, page by page: its id, its `attribute`, and all that it says of itself."""
        for resource in client_of(run).resources(self.endpoint, run.calls):
            value = resource.get(self.attribute)
            if isinstance(resource.get("id"), str):
                yield resource["id"], value if isinstance(value, str) else None, attributes(resource)

    def _revision(self, change: Change) -> Revision:
        return change, self._content(change)

    def _content(self, change: Change) -> dict[str, Any]:
        """The payload's attributes, without those that the server or this module sets."""
        payload = msgspec.to_builtins(change.payload)
        if not isinstance(payload, Mapping):
            raise DeclarationError(f"{self!r}: expected render to give a mapping from attribute to value, "
                                   f"got {type(change.payload).__name__} for {change.key!r}")
        return attributes(payload)

    def _new(self, change: Change) -> dict[str, Any]:
        """A whole resource; `schemas` names the extensions that it carries (RFC 7643 §3.3)."""
        content = self._content(change)
        return {"schemas": [self.schema, *(name for name in content if name.lower().startswith("urn:"))], **content}


class UserResources(Resources):
    """Users, who can be disabled as well. No two of them may have one `userName` (RFC 7643 §4.1.1)."""

    enforces_key = True
    implies: Mapping[str, Any] = {"active": True}

    def _revision(self, change: Change) -> Revision:
        """An update also enables: a record that is in the source again was perhaps disabled when it was not."""
        return change, {**self.implies, **self._content(change)}

    def disable(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Set `active` to false. A user who is gone is as good as disabled."""
        outcomes, failure = revise(self.endpoint, [(change, {"active": False}) for change in changes], run)
        return settled([Done(change.remote_id) if isinstance(outcome, Rejected) and outcome.code == GONE else outcome
                        for change, outcome in zip(changes, outcomes, strict=False)], failure)


def _gone(change: Change, answer: Answer | None) -> Outcome | None:
    if answer is None:
        return None
    return Done(change.remote_id) if answer.status == 404 else answer.outcome(change.remote_id)


Users = UserResources("Users", USER_SCHEMA, "userName")
Groups = Resources("Groups", GROUP_SCHEMA, "displayName")
