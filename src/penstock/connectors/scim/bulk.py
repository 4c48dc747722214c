"""Operations sent together by /Bulk (RFC 7644 §3.7), in requests that fit the server's limits.

Each operation has a `bulkId` of its own, and answers are matched by it, so a server may answer in any order or
leave some out: what has no answer is in doubt.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from penstock.connectors.scim.client import Client
from penstock.connectors.scim.faults import whole_call_fault
from penstock.connectors.scim.messages import (
    BULK_SCHEMA,
    Answer,
    Operation,
    Sent,
    attributes,
    error_answer,
    id_in,
    resource_version,
)
from penstock.connectors.scim.offers import Offers
from penstock.connectors.scim.reply import Reply
from penstock.connectors.scim.singles import broken_off, send_singly
from penstock.domain.errors import DestinationError, Stopping, Throttled, Unavailable
from penstock.sync.declaring.ports import Run

OPENING = b'{"schemas":["' + BULK_SCHEMA.encode() + b'"],"Operations":['
CLOSING = b"]}"

NO_BULK = (404, 405, 501)
"""What a server answers that announced /Bulk but does not have it."""

Part = list[tuple[Operation, bytes]]
"""Operations with their encoded form, at most one request's worth; `bulkId` is the position in the whole list."""


def send_in_bulk(client: Client, run: Run, operations: Sequence[Operation]) -> Sent:
    """Send the operations in order, in as few requests as the server's limits allow."""
    offers = client.offers(run.calls)
    waiting = deque(parts(operations, offers))
    answers: list[Answer | None] = []
    while waiting:
        part = waiting.popleft()
        try:
            run.check()
            reply = client.request("POST", "/Bulk", run.calls, body=_body(part)) if _fits(part, offers) else None
            if reply and reply.status == 413 and len(part) > 1:
                waiting.extendleft((part[len(part) // 2:], part[: len(part) // 2]))
                continue
            if reply and reply.status in NO_BULK:
                client.forget_bulk()
                part = [*part, *(pair for later in waiting for pair in later)]
                waiting.clear()
            if reply and not _refused_as_a_whole(reply):
                sent = read_answers(reply, len(answers), len(part))
            else:
                sent = send_singly(client, run, [operation for operation, _ in part])
        except (DestinationError, Stopping) as error:
            sent = Sent([], error)
        answers += sent.answers
        if sent.failure:
            unanswered = len(part) - len(sent.answers)
            left = unanswered + sum(len(later) for later in waiting)
            return broken_off(answers, sent.failure, doubtful=unanswered, left=left)
    return Sent(answers)


def parts(operations: Sequence[Operation], offers: Offers) -> Iterator[Part]:
    """The operations in requests of at most `max_operations` and `max_payload` bytes.

    An operation that is too long by itself gets a part of its own.
    """
    part: Part = []
    size = len(OPENING) + len(CLOSING)
    for position, operation in enumerate(operations):
        encoded = _encoded(operation, str(position))
        if part and (len(part) == offers.max_operations or size + len(encoded) + 1 > offers.max_payload):
            yield part
            part, size = [], len(OPENING) + len(CLOSING)
        part.append((operation, encoded))
        size += len(encoded) + 1
    if part:
        yield part


def _encoded(operation: Operation, bulk_id: str) -> bytes:
    fields: dict[str, Any] = {"method": operation.method, "path": operation.path, "bulkId": bulk_id}
    if operation.version:
        fields["version"] = operation.version
    if operation.data is not None:
        fields["data"] = operation.data
    return msgspec.json.encode(fields)


def _body(part: Part) -> bytes:
    return OPENING + b",".join(encoded for _, encoded in part) + CLOSING


def _fits(part: Part, offers: Offers) -> bool:
    return len(part) > 1 or len(_body(part)) <= offers.max_payload


def _refused_as_a_whole(reply: Reply) -> bool:
    """Whether nothing was carried out and no record was judged: single calls will tell which one is bad."""
    return reply.status in NO_BULK or (400 <= reply.status < 500 and reply.status not in (401, 403, 429))


def read_answers(reply: Reply, first: int, count: int) -> Sent:
    """The answers to `count` operations whose bulkIds begin with `first`; raises if nothing can be made of them."""
    fault = whole_call_fault(reply)
    if fault:
        raise fault
    entries = reply.object().get("Operations")
    if not isinstance(entries, list):
        raise reply.garbage("a BulkResponse with Operations")
    found = {_bulk_id(entry, position + first, len(entries) == count): _answer(entry, reply.token)
             for position, entry in enumerate(entries)}
    answers = [found.get(str(first + position)) for position in range(count)]
    if all(answer is None for answer in answers):
        raise reply.garbage("Operations with the bulkIds, statuses and locations of those sent")
    if all(answer is None or answer.status >= 500 for answer in answers):
        said = next(answer.detail for answer in answers if answer)
        raise Unavailable(f"{reply.call}: every operation failed at the destination ({said or 'no reason given'}); "
                          "try again later or ask who runs it", sent=True)
    return _without_throttled(answers, reply)


def _without_throttled(answers: list[Answer | None], reply: Reply) -> Sent:
    """Turn a 429 at the end of the list into `Throttled`.

    An operation with a 429 was surely not carried out, so it is not in doubt; and it says nothing of its record,
    so it should cost no attempt. Servers refuse from some operation on, and those are handed back as never sent.
    One with operations carried out behind it cannot be handed back so, and stays rejected with code 429.
    """
    kept = len(answers)
    while kept and (last := answers[kept - 1]) is not None and last.status == 429:
        kept -= 1
    if kept == len(answers):
        return Sent(answers)
    wait = reply.retry_after()
    asked = f"; it asks to wait {wait:g} s" if wait is not None else ""
    return Sent(answers[:kept], Throttled(wait, f"{reply.call}: the destination refused {len(answers) - kept} of "
                                                f"{len(answers)} operations for its rate (429){asked}"))


def _bulk_id(entry: Any, position: int, complete: bool) -> str | None:
    """An entry's bulkId. Some servers repeat it for POST only; then its place tells, if no entry is missing."""
    given = entry.get("bulkId") if isinstance(entry, dict) else None
    return given if isinstance(given, str) else str(position) if complete else None


def _answer(entry: Any, token: str | None) -> Answer | None:
    """One entry of a BulkResponse (RFC 7644 §3.7.3), or None if it cannot be understood."""
    if not isinstance(entry, dict) or (status := _status(entry.get("status"))) is None:
        return None
    response = entry.get("response")
    if status >= 400:
        return error_answer(status, response, token)
    resource = response if isinstance(response, dict) else {}
    resource_id = resource.get("id") or id_in(entry.get("location"))
    if not isinstance(resource_id, str) and entry.get("method") == "POST":
        return None
    return Answer(status, resource_id, resource_version(resource, entry.get("version")),
                  resource=attributes(resource) or None)


def _status(value: Any) -> int | None:
    """A status as RFC 7644 writes it ("201"), as a number, or in an object as early drafts had it."""
    if isinstance(value, dict):
        value = value.get("code")
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else None
