"""Operations sent one by one, for servers without /Bulk.

One call concerns one record, so a 403 or a 500 may be the record's own trouble as well as the whole destination's.
The calls around it tell: among answers of another kind it is the record's, and the others are carried out; three
in a row, or a 500 where no call of the batch got through, are the destination's, and the rest is not sent.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.connectors.scim.client import Client
from penstock.connectors.scim.faults import no_service, whole_call_fault
from penstock.connectors.scim.messages import (
    Answer,
    Method,
    Operation,
    Sent,
    attributes,
    error_answer,
    id_in,
    resource_version,
)
from penstock.connectors.scim.reply import Reply
from penstock.domain.errors import DestinationError, Stopping, Unavailable
from penstock.sync.declaring.ports import Run

SUSPECT = (403, 500)
STRIKES = 3
SCIM_ERROR = ("schemas", "status", "scimType", "detail")
"""The fields of a SCIM error (RFC 7644 §3.12); a body with none of them comes from something else."""


def send_singly(client: Client, run: Run, operations: Sequence[Operation]) -> Sent:
    """Send each operation in a call of its own, in order."""
    answers: list[Answer | None] = []
    suspects: list[Reply] = []
    understood = False
    for operation in operations:
        try:
            run.check()
            reply = send_one(client, run, operation)
            if reply.status in SUSPECT:
                suspects.append(reply)
                answers.append(error_answer(reply.status, reply.json(), reply.token, reply.text()))
            else:
                answers.append(read_answer(operation, reply))
                understood, suspects = True, []
        except (DestinationError, Stopping) as error:
            return broken_off(answers, error, doubtful=1, left=len(operations) - len(answers))
        if len(suspects) == STRIKES:
            return _struck_out(answers, suspects, len(operations))
    if suspects and suspects[-1].status == 500 and not understood:
        return _struck_out(answers, suspects, len(operations))
    return Sent(answers)


def send_one(client: Client, run: Run, operation: Operation) -> Reply:
    body = None if operation.data is None else msgspec.json.encode(operation.data)
    headers = {"If-Match": operation.version} if operation.version else None
    return client.request(operation.method, operation.path, run.calls, body=body, headers=headers)


def read_answer(operation: Operation, reply: Reply) -> Answer:
    """The destination's answer to one operation; raises where it is the whole call's fault or makes no sense."""
    fault = whole_call_fault(reply)
    if fault:
        raise fault
    if not reply.ok:
        return refusal(operation.method, reply)
    resource: dict[str, Any] = reply.object() if reply.body.strip() else {}
    given = resource.get("id")
    resource_id = given if isinstance(given, str) else id_in(reply.headers.get("location"))
    if operation.method == "POST" and not resource_id:
        raise reply.garbage("a resource with an id")
    return Answer(reply.status, resource_id, resource_version(resource, reply.etag),
                  resource=attributes(resource) or None)


def refusal(method: Method, reply: Reply) -> Answer:
    """A 4xx for one record. A 404 that no SCIM resource gave would make every delete look done, so it is an error."""
    error = reply.json()
    speaks_scim = not reply.body.strip() or (isinstance(error, dict) and not error.keys().isdisjoint(SCIM_ERROR))
    if reply.status in (404, 405) and (method == "POST" or not speaks_scim):
        raise no_service(reply)
    return error_answer(reply.status, error, reply.token, reply.text())


def broken_off(answers: list[Answer | None], error: DestinationError | Stopping, *, doubtful: int, left: int) -> Sent:
    """What is known when a call fails that carried the next `doubtful` of the `left` operations."""
    if isinstance(error, Unavailable) and error.sent and doubtful < left:
        # Only this call is in doubt; those behind it were never sent, and must not be looked up for nothing.
        error.sent = False
        answers = answers + [None] * doubtful
    return Sent(answers, error)


def _struck_out(answers: list[Answer | None], suspects: list[Reply], total: int) -> Sent:
    """The suspects were the destination's fault: a 403 carried nothing out, a 500 leaves its record in doubt."""
    failed = [reply for reply in suspects if reply.status == 500]
    fault = whole_call_fault((failed or suspects)[-1])
    assert isinstance(fault, Unavailable), "every suspect status is a fault of the whole call"
    if 0 < len(failed) < len(suspects):
        fault.sent = False      # each has its own answer, and nothing was sent after them
        return Sent(answers, fault)
    settled = answers[: len(answers) - len(suspects)]
    return broken_off(settled, fault, doubtful=len(failed), left=total - len(settled))
