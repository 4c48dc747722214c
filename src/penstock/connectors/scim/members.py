"""The destination for memberships: a group's `members` (RFC 7643 §4.2), changed by PATCH.

A membership has no content and no id of its own. Its parent is the group and its first reference the user, and its
remote id is both, as "group/user". Adding a member twice or removing one who is not there changes nothing, so every
verb may safely be repeated, and nothing needs to be looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from penstock.connectors.scim.exchange import client_of
from penstock.connectors.scim.find import equals
from penstock.connectors.scim.messages import Answer, Operation, patch, resource_path
from penstock.connectors.scim.settle import settled
from penstock.connectors.scim.singles import read_answer, send_one
from penstock.domain.errors import DeclarationError, DestinationError, Stopping
from penstock.domain.records import Change, Done, Outcome, Rejected
from penstock.sync.declaring.ports import Run

MEMBERS_PER_CALL = 100
"""Widely used servers refuse a PATCH with more."""

SEARCH_CALLS = 64
"""Calls spent on one refused chunk to find its bad members; one among a hundred takes 15, ten about 60."""

Verb = Literal["add", "remove"]
Membership = tuple[str, str]
"""The ids of a group and of a user."""

Outcomes = dict[int, Outcome | None]
"""Outcomes by the place of their change."""

Failure = DestinationError | Stopping | None


class MemberResources:
    """Memberships. `idempotent` says that a change in doubt may be sent again without a look-up."""

    batch_size = 100
    counts_calls = True
    idempotent = True

    def __repr__(self) -> str:
        return "scim.Members"

    def identify(self, change: Change) -> str:
        """The remote id of a membership: it is made of its ends, so it is known before any answer."""
        return "/".join(_wanted(change))

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Add each user to the group, one call per group and hundred users."""
        return settled(*_carry_out("add", [_wanted(change) for change in changes], run))

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Add again, since a membership only changes when its group or its user has a new id; then remove the old."""
        wanted = [_wanted(change) for change in changes]
        outcomes, failure = _carry_out("add", wanted, run)
        moved = {place: old for place, outcome in enumerate(outcomes) if isinstance(outcome, Done)
                 and (old := _held(changes[place])) and old != wanted[place]}
        if moved and failure is None:
            removed, failure = _carry_out("remove", list(moved.values()), run)
            for place, outcome in zip(moved, [*removed, *[None] * (len(moved) - len(removed))], strict=True):
                outcomes[place] = outcomes[place] if isinstance(outcome, Done) else outcome
        return settled(outcomes, failure)

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        """Remove each user from the group; a member or a group that is gone already counts as done."""
        return settled(*_carry_out("remove", [_held(change) or _wanted(change) for change in changes], run))


def _wanted(change: Change) -> Membership:
    """The membership that parent and reference name."""
    if change.parent_id and change.reference_ids:
        return change.parent_id, change.reference_ids[0]
    raise DeclarationError(f"scim.Members: expected the ids of a group and of a user for {change.key!r}; declare "
                           "parent = Groups.by(…) and references = [Users.by(…)] in the layer")


def _held(change: Change) -> Membership | None:
    """The membership that the remote id names: what the destination really has."""
    group, _, user = (change.remote_id or "").partition("/")
    return (group, user) if group and user else None


def _carry_out(verb: Verb, memberships: Sequence[Membership], run: Run) -> tuple[list[Outcome | None], Failure]:
    """Outcomes from the first membership on, and the failure that cut them short, if any."""
    if not client_of(run).offers(run.calls).patch:
        refused = Rejected("501", "memberships are changed by PATCH, which this server does not offer; replacing a "
                                  "whole group would undo what others change in it meanwhile")
        return [refused for _ in memberships], None
    chunks: dict[str, list[int]] = {}
    for place, (group, _) in enumerate(memberships):
        chunks.setdefault(group, []).append(place)
    outcomes: Outcomes = {}
    failure: Failure = None
    for group, places in chunks.items():
        for start in range(0, len(places), MEMBERS_PER_CALL):
            users = {place: memberships[place][1] for place in places[start:start + MEMBERS_PER_CALL]}
            failure = failure or _send_chunk(verb, group, users, run, outcomes)
    # What came after a gap is forgotten: to send it again changes nothing.
    known = next((place for place in range(len(memberships)) if place not in outcomes), len(memberships))
    return [outcomes[place] for place in range(known)], failure


def _send_chunk(verb: Verb, group: str, users: Mapping[int, str], run: Run, outcomes: Outcomes) -> Failure:
    """Send one group's members; halve what is refused until the bad ones are alone and the others carried out."""
    waiting, calls = [list(users)], 0
    while waiting:
        places = waiting.pop()
        operation = _operation(verb, group, [users[place] for place in places])
        try:
            run.check()
            answer = read_answer(operation, send_one(client_of(run), run, operation))
        except (DestinationError, Stopping) as error:
            return error
        calls += 1
        if _may_be_halved(answer) and len(places) > 1 and calls + len(waiting) + 2 <= SEARCH_CALLS:
            waiting += [places[len(places) // 2:], places[: len(places) // 2]]
        else:
            outcomes.update({place: _outcome(verb, answer, group, users[place], len(places)) for place in places})
    return None


def _operation(verb: Verb, group: str, users: Sequence[str]) -> Operation:
    """One PATCH (RFC 7644 §3.5.2.1 and §3.5.2.2). It is atomic: one bad member has all of it refused."""
    operations: list[dict[str, Any]]
    if verb == "add":
        operations = [{"op": "add", "path": "members", "value": [{"value": user} for user in users]}]
    else:
        operations = [{"op": "remove", "path": f"members[{equals('value', user)}]"} for user in users]
    return Operation("PATCH", resource_path("Groups", group), patch(operations))


def _may_be_halved(answer: Answer) -> bool:
    """A 404 is about the group, so no part of the chunk would fare better."""
    return answer.status >= 400 and answer.status != 404


def _outcome(verb: Verb, answer: Answer, group: str, user: str, together: int) -> Outcome | None:
    membership = f"{group}/{user}"
    if verb == "remove" and (answer.status == 404 or (answer.code == "noTarget" and together == 1)):
        return Done(membership)
    if answer.status == 404:
        return Rejected("404", f"the group {group} is gone from the destination; {answer.detail or 'no reason given'}")
    outcome = answer.outcome(membership)
    if isinstance(outcome, Rejected) and together > 1:
        return Rejected(outcome.code, f"refused together with {together - 1} others, whom it was given up to tell "
                                      f"apart: {outcome.message}")
    return Done(membership) if isinstance(outcome, Done) else outcome


Members = MemberResources()
