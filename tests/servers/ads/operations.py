"""The operations of one call, one after another: each in its own right, or all of them or none."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tests.servers.ads.records import KINDS, Account, Refused, Undo

Fields = dict[str, Any]


class Operation(msgspec.Struct):
    """One operation. A negative `id` names a record that this call creates, for those behind it in the same call."""

    create: Fields | UnsetType = UNSET
    update: Fields | UnsetType = UNSET
    remove: Any = UNSET
    kind: str | None = None
    id: int | str | None = None
    parent: int | str | None = None
    reference: str | None = None

    @property
    def verb(self) -> str:
        """`create`, `update` or `remove`; raises `Refused` where it is not exactly one of them."""
        verbs = [name for name in ("create", "update", "remove") if getattr(self, name) is not UNSET]
        if len(verbs) != 1:
            raise Refused("BAD_OPERATION", f"expected one of create, update and remove, got {verbs or 'none'}")
        return verbs[0]


class Result(msgspec.Struct, omit_defaults=True):
    """What became of one operation; `operation` is its place in the call."""

    operation: int
    ok: bool
    id: str | None = None
    code: str | None = None
    message: str | None = None


class Body(msgspec.Struct, rename="camel"):
    """The body of a call. `kind` is that of operations which name none themselves."""

    operations: list[Operation]
    kind: str | None = None
    partial_failure: bool = True


Heard = tuple[str, str, int | None, str | None, str | None]
"""An operation's kind, its verb, the record's id, its reference, and the code if it was refused."""


def carry_out(account: Account, call: Body, rejected: Callable[[Operation], str | None] | None,
              told: Callable[[str, str, int | None, str | None, str | None], None]) -> list[Result]:
    """Carry out a call's operations in order, and say what became of each.

    Without partial failure a refusal takes back all that was done before it. `rejected` gives the code by which an
    operation is to be refused, whatever it asks; `told` hears of each, when all is over.
    """
    undo: Undo | None = None if call.partial_failure else []
    made: dict[int, int] = {}
    results: list[Result] = []
    heard: list[Heard] = []
    for place, operation in enumerate(call.operations):
        kind = operation.kind or call.kind or ""
        verb = ""
        try:
            verb = operation.verb
            if rejected is not None and (code := rejected(operation)):
                raise Refused(code, "it is refused, as it was told to be")
            id = _one(account, kind, verb, operation, made, undo)
            results.append(Result(place, True, str(id)))
            heard.append((kind, verb, id, operation.reference, None))
        except Refused as refused:
            results.append(Result(place, False, code=refused.code, message=refused.message))
            heard.append((kind, verb, None, operation.reference, refused.code))
    if undo is not None and not all(result.ok for result in results):
        for step in reversed(undo):
            step()
        heard = [(kind, verb, None, reference, code or "ABORTED") for kind, verb, _, reference, code in heard]
    for each in heard:
        told(*each)
    return results


def _one(account: Account, kind: str, verb: str, operation: Operation, made: dict[int, int], undo: Undo | None) -> int:
    if kind not in KINDS:
        raise Refused("BAD_OPERATION", f"expected a kind among {', '.join(KINDS)}, got {kind!r}")
    parent = _number(operation.parent, made)
    if verb == "create":
        temporary = _whole(operation.id)
        if temporary is not None and (temporary >= 0 or temporary in made):
            raise Refused("BAD_ID", f"expected no id, or a negative one that is new in this call, got {temporary}")
        assert operation.create is not UNSET
        id = account.create(kind, operation.create, parent, operation.reference, undo)
        if temporary is not None:
            made[temporary] = id
        return id
    id_there = _number(operation.id, made)
    if verb == "remove":
        return account.remove(kind, id_there, undo)
    assert operation.update is not UNSET
    return account.update(kind, id_there, operation.update, parent, operation.reference, undo)


def _number(id: int | str | None, made: dict[int, int]) -> int | None:
    """The record's own id; a negative one that no record of this call has stays as it is, and is not found."""
    number = _whole(id)
    return number if number is None or number >= 0 else made.get(number, number)


def _whole(id: int | str | None) -> int | None:
    try:
        return None if id is None else int(id)
    except ValueError:
        raise Refused("BAD_ID", f"expected an id, which is a whole number, got {id!r}") from None


def left_out(results: Sequence[Result], places: Sequence[int]) -> list[Result]:
    """The results without those at some places; a negative place counts from the end."""
    missing = {place % len(results) for place in places} if results else set()
    return [result for place, result in enumerate(results) if place not in missing]
