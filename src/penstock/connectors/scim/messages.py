"""What is said over the wire: one operation on one resource, and the destination's answer to it.

An operation is the same whether it travels alone or inside a bulk request (RFC 7644 §3.7), so everything above
this module decides what to do without knowing how it is sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from penstock.connectors.scim.reply import redacted
from penstock.domain.errors import DestinationError, Stopping
from penstock.domain.records import Done, Outcome, Rejected

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

MEDIA_TYPE = "application/scim+json"
MESSAGE_CHARACTERS = 500
"""The most of a destination's own words that one record's message keeps."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One write to one resource. `path` begins with a slash; `version` is the ETag that it must still have."""

    method: Method
    path: str
    data: Mapping[str, Any] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the destination said to one operation. `code` is its scimType (RFC 7644 §3.12), else the status.

    `resource` are the attributes that it says the resource has now, if it says so.
    """

    status: int
    resource_id: str | None = None
    version: str | None = None
    code: str = ""
    detail: str = ""
    resource: Mapping[str, Any] | None = None

    def outcome(self, remote_id: str | None = None) -> Outcome | None:
        """The outcome for the record; None (in doubt) where the server failed half-way or named no id."""
        if 400 <= self.status < 500:
            return Rejected(self.code or str(self.status), self.detail or f"refused with status {self.status}")
        if not 200 <= self.status < 300:
            return None
        done = remote_id or self.resource_id
        return Done(done, self.version, self.resource) if done else None


@dataclass(slots=True)
class Sent:
    """Answers to a list of operations, from the first on; None is an operation in doubt.

    With a `failure` there may be fewer answers than operations. Those without one were not carried out, unless
    `failure.sent` says that they may have been.
    """

    answers: list[Answer | None]
    failure: DestinationError | Stopping | None = None


def resource_path(endpoint: str, resource_id: str) -> str:
    return f"/{endpoint}/{quote(resource_id, safe='')}"


def id_in(location: object) -> str | None:
    """The id at the end of a resource's URL (`meta.location`, RFC 7643 §3.1), or None."""
    if not isinstance(location, str):
        return None
    return unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2]) or None


def patch(operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of a PATCH (RFC 7644 §3.5.2)."""
    return {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}


def attributes(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a resource, without those that only the server sets."""
    return {name: value for name, value in resource.items() if name not in ("schemas", "id", "meta")}


def resource_version(resource: Mapping[str, Any], header: str | None = None) -> str | None:
    """A resource's version: the ETag header if there was one, else `meta.version` (RFC 7644 §3.14)."""
    meta = resource.get("meta")
    version = header or (meta.get("version") if isinstance(meta, Mapping) else None)
    return version if isinstance(version, str) else None


def error_answer(status: int, error: object, token: str | None, text: str = "") -> Answer:
    """The answer in a SCIM error object (RFC 7644 §3.12), else with the `text` that came in its place."""
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    code, detail = fields.get("scimType"), fields.get("detail")
    shown = redacted(detail, token) if isinstance(detail, str) else text
    return Answer(status, code=code if isinstance(code, str) else "", detail=shortened(shown))


def shortened(text: str) -> str:
    """One line of at most `MESSAGE_CHARACTERS`."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= MESSAGE_CHARACTERS else line[: MESSAGE_CHARACTERS - 1] + "…"
