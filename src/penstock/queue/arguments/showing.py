"""What people are shown of a job's arguments: the one place that every list, page and answer asks.

An envelope is never shown as it lies in the store. What is marked as secret is hidden, and so is what is sealed, unless
whoever asks has the keys and says that it is to be revealed.
"""

import msgspec

from penstock.domain.envelope import unwrapped
from penstock.domain.errors import JobError
from penstock.queue.arguments.marks import Marks
from penstock.queue.arguments.packing import SEALED_RESULT, Packing

SEALED = '"(encrypted)"'
_UNKNOWN = '"(of another version of Penstock)"'


def shown(packing: Packing, marks: Marks | None, job_id: int, text: str, *, reveal: bool = False) -> str:
    """A job's arguments as JSON, from how they lie in the store; `"(encrypted)"` for what is sealed.

    Raises `ArgumentsHeld` and `InvalidArguments` where they are to be revealed and cannot be opened.
    """
    if reveal:
        return packing.unsealed(job_id, text)[1]
    try:
        header, body = unwrapped(text)
    except JobError:
        return _UNKNOWN
    if header.key is not None:
        return SEALED
    if marks is None:
        return body
    try:  # what is marked has its name in the declared version
        body = packing.upgraded(header.v, body)
        return msgspec.json.encode(marks.shown(msgspec.json.decode(body))).decode()
    except Exception:  # whatever an upgrade may raise
        return msgspec.json.encode(f"(of version {header.v})").decode()


def result_shown(packing: Packing, job_id: int, text: str, *, reveal: bool = False) -> str:
    """A result as JSON, from how it lies in the store; `"(encrypted)"` for what is sealed.

    Raises `MissingKey` and `SealBroken` where it is to be revealed and cannot be opened.
    """
    return SEALED if text.startswith(SEALED_RESULT) and not reveal else packing.result_opened(job_id, text)
