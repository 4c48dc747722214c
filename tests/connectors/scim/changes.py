"""Changes as the engine would hand them to a verb."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.domain.records import Change, ChangeKind, Done, Outcome


def new(name: str, **more: Any) -> Change:
    """The create of a user."""
    payload = {"externalId": f"E-{name}", "userName": f"{name}@example.org", "displayName": name.title(), **more}
    return Change(ChangeKind.CREATE, f"E-{name}", payload, match=f"{name}@example.org")


def changed(remote_id: str, payload: Mapping[str, Any], version: str | None = None) -> Change:
    return Change(ChangeKind.UPDATE, "E1", payload, remote_id=remote_id, version=version)


def gone(remote_id: str) -> Change:
    return Change(ChangeKind.DELETE, "E1", remote_id=remote_id)


def in_group(group: str, user: str, remote_id: str | None = None) -> Change:
    """The create of a membership."""
    return Change(ChangeKind.CREATE, f"{group}|{user}", remote_id=remote_id, parent_id=group, reference_ids=(user,))


def ids(outcomes: Sequence[Outcome | None]) -> list[str]:
    """The remote ids of outcomes that must all be done."""
    assert all(isinstance(outcome, Done) and outcome.remote_id for outcome in outcomes), outcomes
    return [str(outcome.remote_id) for outcome in outcomes if isinstance(outcome, Done)]
