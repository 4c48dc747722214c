"""What comes in and what goes out, without any HTTP in it."""

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.servers.ads.records import Record


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` is what follows `/v1/customers/`, in parts, beginning with the customer."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    token: str
    body: bytes

    @property
    def customer(self) -> str:
        return self.path[0]

    @property
    def route(self) -> str:
        return "page" if self.method == "GET" else self.path[-1]


@dataclass(slots=True)
class Reply:
    """What to answer. Without a status the connection is closed, or `reset`; `wait` is in seconds, infinite for one
    that hangs."""

    status: int | None
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    reset: bool = False

    @property
    def body(self) -> bytes:
        return msgspec.json.encode(self.content)


class Refusal(Exception):
    """A request is refused as a whole."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None,
                 **details: Any) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"error": {"code": code, "message": message, **details}}, headers or {})


def throttled(seconds: float | None, message: str) -> Refusal:
    """Retry-After has whole seconds, so that it is never too early."""
    headers = {} if seconds is None else {"Retry-After": str(math.ceil(seconds))}
    return Refusal(429, "RATE_EXCEEDED", message, headers)


def broken(status: int) -> Refusal:
    return Refusal(status, "INTERNAL_ERROR", "something went wrong inside")


def shown(record: Record) -> dict[str, Any]:
    """A record as the API reads it back."""
    return {"id": str(record.id), "parent": None if record.parent is None else str(record.parent),
            "reference": record.reference, "fields": record.fields}
