"""One HTTP answer. Whatever of it may end in a message is redacted and bounded."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.retry import retry_after
from penstock.domain.errors import DestinationError, Refused, Unavailable
from penstock.domain.records import GONE, Done, Outcome, Rejected

EXCERPT_CHARACTERS = 200
MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """`call` names the request for people ("POST /people/{}"); `headers` have lower-case names.

    `writes` says whether the call was to change anything. `json` and `object` raise what `fault` gives where the status
    is no success, and `Unavailable` where the body is not what was asked for.
    """

    call: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    writes: bool = False
    secrets: Secrets = field(default_factory=Secrets, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    def json(self) -> Any:
        """The decoded body."""
        if not self.ok:
            raise self.fault()
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            raise self.garbage("JSON") from None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object."""
        decoded = self.json()
        if isinstance(decoded, dict):
            return decoded
        raise self.garbage("a JSON object")

    def outcome(self, remote_id: str | None = None, *, id_in: str | None = None, code: str | None = None,
                gone: Collection[int] = (410,)) -> Outcome:
        """What became of the one record that the call was about.

        A success is `Done` with `remote_id`, or with what the answer has in the field `id_in` (fields within fields
        have dots between them), and with the answer's ETag. A 4xx is `Rejected` with `code`, else its
        status, and how the body begins. The statuses in `gone` say that there is no such record any more, which is
        what a DELETE wants: there they are `Done`. (A 404 may as well come from a wrong URL; so `gone` has to name it.)
        Raises `Unavailable` (in doubt) for a success without the field.
        """
        if self.status in gone and self.call.startswith("DELETE "):
            return Done(remote_id)
        if not self.ok:
            return Rejected(GONE if self.status in gone else code or str(self.status), self.said())
        if id_in is None:
            return Done(remote_id, self.etag)
        found = at(self.object(), id_in)
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise self.garbage(f"the new record's id in {id_in!r}")
        return Done(str(found), self.etag)

    def retry_after(self) -> float | None:
        """The seconds that the answer asks to wait, or None."""
        return retry_after(self.headers)

    def text(self) -> str:
        """The body as text, on one line and without secrets."""
        return " ".join(self.secrets.redacted(self.body.decode("utf-8", "replace")).split())

    def said(self) -> str:
        """What the destination said, for a record's message."""
        text = self.text()
        if not text:
            return f"refused with status {self.status}"
        return text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"

    def shown(self) -> str:
        """What came, for an error's message: status, content type and how the body begins."""
        kind = self.secrets.redacted(self.headers.get("content-type", "no content type"))[:EXCERPT_CHARACTERS]
        return f"status {self.status}, {kind}: {self.text()[:EXCERPT_CHARACTERS] or '(empty)'!r}"

    def fault(self) -> DestinationError:
        """The error of an answer that is no success. A write that met a 4xx was refused, and changed nothing."""
        message = (f"{self.call}: expected a success, got {self.shown()}; check what was asked for, and that the"
                   " account may do it")
        if self.writes and 400 <= self.status < 500:
            return Refused(str(self.status), message)
        return Unavailable(message, sent=self.writes)

    def garbage(self, expected: str) -> Unavailable:
        """The error of an answer that makes no sense; a write that was answered so is in doubt."""
        return Unavailable(f"{self.call}: expected {expected}, got {self.shown()}; check the base URL, and that no"
                           " proxy answers in its place", sent=self.writes)


MISSING: Any = object()


def at(answer: Any, path: str) -> Any:
    """What an answer holds at a path of fields with dots between them ("" is all of it), or MISSING."""
    for name in path.split(".") if path else ():
        if not isinstance(answer, dict) or name not in answer:
            return MISSING
        answer = answer[name]
    return answer
