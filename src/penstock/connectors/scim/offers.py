"""What a server says it can do: its ServiceProviderConfig (RFC 7643 §5, with `pagination` of RFC 9865 §4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPERATIONS = 1000
PAYLOAD_BYTES = 1_048_576
"""Bounds of a bulk request, where the server offers bulk and gives no bounds."""

PAGE = 500
"""Resources asked for in one page, where the server gives no lower bound."""


@dataclass(frozen=True, slots=True)
class Offers:
    """The defaults are for a server that has no ServiceProviderConfig. `max_payload` is in bytes."""

    bulk: bool = False
    max_operations: int = OPERATIONS
    max_payload: int = PAYLOAD_BYTES
    patch: bool = True
    etag: bool = False
    filter: bool = True
    sort: bool = False
    cursor: bool = False
    page: int = PAGE

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Offers":
        """A limit of zero, or one that is not a number, counts as not given."""
        bulk, pagination = _section(config, "bulk"), _section(config, "pagination")
        return cls(
            bulk=bulk.get("supported") is True,
            max_operations=_limit(bulk.get("maxOperations"), OPERATIONS),
            max_payload=_limit(bulk.get("maxPayloadSize"), PAYLOAD_BYTES),
            patch=_section(config, "patch").get("supported") is not False,
            etag=_section(config, "etag").get("supported") is True,
            filter=_section(config, "filter").get("supported") is not False,
            sort=_section(config, "sort").get("supported") is True,
            cursor=pagination.get("cursor") is True,
            page=min(PAGE, _limit(_section(config, "filter").get("maxResults"), PAGE),
                     _limit(pagination.get("maxPageSize"), PAGE)),
        )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _limit(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
