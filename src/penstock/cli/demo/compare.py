"""Whether the destination equals the source: everything is read back over HTTP and held against the HR database."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from penstock.cli.demo.server import Destination
from penstock.cli.demo.source import opened
from penstock.connectors import scim

Facts = dict[str, set[tuple[Any, ...]]]
"""What is so, by kind: users, groups and memberships, each as a set of plain values."""


def differences(path: Path, destination: Destination) -> list[str]:
    """A sentence for each fact that only one of the two has; none if they are equal."""
    wanted, found = in_source(path), in_destination(destination)
    return [*_told("is missing from the destination", wanted, found), *_told("is not in the source", found, wanted)]


def in_source(path: Path) -> Facts:
    """What the destination should hold: whoever is in a group, every group, and who is in which."""
    with opened(path) as hr:
        return {
            "user": {(email, name, employee, True) for email, name, employee in hr.execute(
                "select email, name, employee_id from person where employee_id in (select employee_id from member)")},
            "group": set(hr.execute("select title, group_id from door_group")),
            "member": set(hr.execute("select title, email from member join door_group using (group_id)"
                                     " join person using (employee_id)")),
        }


def in_destination(destination: Destination) -> Facts:
    """What it does hold. Lists are made into sets only once nothing is in them twice."""
    with scim.connect(destination.url, token=destination.token) as client:
        users = list(client.resources("Users"))
        groups = list(client.resources("Groups"))
    names = {user["id"]: user["userName"] for user in users}
    return {
        "user": _once((user["userName"], user.get("displayName"), user.get("externalId"), user.get("active", True))
                      for user in users),
        "group": _once((group["displayName"], group.get("externalId")) for group in groups),
        "member": _once((group["displayName"], names.get(member["value"], member["value"]))
                        for group in groups for member in group.get("members") or ()),
    }


def _once(facts: Iterable[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """The facts as a set, in which one that was there twice is marked as such, so that it equals nothing."""
    found: set[tuple[Any, ...]] = set()
    for fact in facts:
        found.add((*fact, "twice") if fact in found else fact)
    return found


def _told(what: str, these: Facts, those: Facts) -> list[str]:
    return [f"{kind} {', '.join(map(str, fact))} {what}"
            for kind, facts in these.items() for fact in sorted(facts - those[kind], key=str)]
