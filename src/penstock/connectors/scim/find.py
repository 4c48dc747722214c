"""Looks resources up by their natural key, `userName` of a user and `displayName` of a group; and by their ids.

Natural keys are compared without regard to case (RFC 7643 §4.1.1 and §8.7.1: caseExact is false), so an answer is
mapped back to every asked value that differs from it in case only. Ids are compared as they are (§3.1).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from penstock.connectors.scim.client import Client
from penstock.connectors.scim.messages import attributes, resource_path
from penstock.domain.records import Calls

VALUES_PER_FILTER = 20
FILTER_CHARACTERS = 1500
"""Bounds of one request: a URL of about 2,000 characters passes everywhere."""


def find(client: Client, endpoint: str, attribute: str, values: Sequence[str],
         calls: Calls) -> dict[str, str | list[str]]:
    """The remote id of each value that was found, or a list where there are several; the others are left out."""
    ids: dict[str, dict[str, None]] = {}
    for where in _filters(client, attribute, sorted(set(values)), calls):
        for resource in client.resources(endpoint, calls, where=where, attributes=f"id,{attribute},externalId"):
            value, resource_id = resource.get(attribute), resource.get("id")
            if isinstance(value, str) and isinstance(resource_id, str):
                ids.setdefault(value.casefold(), {})[resource_id] = None
    found: dict[str, str | list[str]] = {}
    for value in values:
        if matches := list(ids.get(value.casefold(), ())):
            found[value] = matches[0] if len(matches) == 1 else matches
    return found


def fetch(client: Client, endpoint: str, ids: Sequence[str], calls: Calls) -> dict[str, dict[str, Any]]:
    """What the resources with these ids say of themselves; those that are gone are left out.

    Many are asked for in one request, where the server can filter. Who is not among the answers is asked for alone: a
    server need not filter by id, and only 404 says that a resource is gone (RFC 7644 §3.4.1).
    """
    found: dict[str, dict[str, Any]] = {}
    if client.offers(calls).filter:
        for where in _filters(client, "id", sorted(set(ids)), calls):
            for resource in client.resources(endpoint, calls, where=where):
                if isinstance(resource.get("id"), str):
                    found[resource["id"]] = attributes(resource)
    for resource_id in dict.fromkeys(ids):
        if resource_id not in found:
            reply = client.get(resource_path(endpoint, resource_id), calls)
            if reply.status == 404:
                continue
            if not reply.ok:
                raise reply.garbage("a resource, or 404")
            found[resource_id] = attributes(reply.object())
    return {resource_id: found[resource_id] for resource_id in ids if resource_id in found}


def equals(attribute: str, value: str) -> str:
    """A filter for one value; RFC 7644 §3.4.2.2 writes strings as JSON does."""
    return f"{attribute} eq {msgspec.json.encode(value).decode()}"


def _filters(client: Client, attribute: str, values: Sequence[str], calls: Calls) -> Iterator[str | None]:
    """Filters that name all values, or one None (read everything) for a server that cannot filter."""
    if not values:
        return
    if not client.offers(calls).filter:
        yield None
        return
    terms: list[str] = []
    for value in values:
        term = equals(attribute, value)
        if terms and (len(terms) == VALUES_PER_FILTER or len(" or ".join([*terms, term])) > FILTER_CHARACTERS):
            yield " or ".join(terms)
            terms = []
        terms.append(term)
    if terms:
        yield " or ".join(terms)
