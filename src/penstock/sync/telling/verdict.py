"""What the next run would do with one record, and why, in words. Pure, over what a plan of that record says."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from penstock.domain.records import RecordState
from penstock.sync.planning.plan import Item


class Verdict(msgspec.Struct, frozen=True):
    """What would be done (`create`, `update`, `delete`, `skip`, `wait`, `none`, `unknown`), and why."""

    would: str
    because: str


class _Layer(Protocol):
    @property
    def mode(self) -> str: ...

    @property
    def on_delete(self) -> str: ...

    @property
    def account_scoped(self) -> bool: ...


def verdict(layer: _Layer, kind: str | None, item: Item | None, source: Any, state: Any,
            created_first: Sequence[str] | None, *, source_has: bool) -> Verdict:
    """The verdict from the kind of change that a plan laid, and its item.

    `created_first` are the parents and references that the same run would create before it, if that is all that it
    waits for.
    """
    if not source_has and kind != "delete":
        return _absent(layer, source, state)
    if item is None or kind is None:
        return Verdict("skip", f"the layer is {layer.mode}, and what is there is not changed")
    match kind:
        case "delete":
            verb = "disabled" if layer.on_delete == "disable" else "deleted"
            return Verdict("delete", f"the source was read whole and has it no more, so it is {verb}, if the guard and"
                                     " people let it")
        case "blocked" if created_first:
            return Verdict("create", f"once {' and '.join(created_first)} is created, which the same run does first")
        case "blocked":
            return Verdict("wait", f"blocked: {item.error}")
        case "waiting":
            return Verdict("wait", f"it failed {item.attempts} times, and is sent again in {item.wait_ms / 1000:.0f} s,"
                                   " or as soon as it changes")
        case "failed":
            return Verdict("none", f"it cannot be rendered: {item.error}")
        case "duplicate":
            return Verdict("none", "the source has several records with this key; neither is sent")
        case "rebase":
            return Verdict("skip", "it only lacks fields that render no longer gives; the digest is noted anew")
        case "create":
            return Verdict("create", _why_create(state))
        case "match":
            return Verdict("update", f"the destination has one record that matches it, {item.remote_id}; it is adopted")
        case "matched":
            return Verdict("skip", f"the destination has it already, just so, as {item.remote_id}; it is adopted")
        case "ambiguous":
            return Verdict("wait", f"{item.error}")
        case _:
            return _update(item, state)


def _why_create(state: Any) -> str:
    if state is None:
        return "it was never sent"
    if state.status == RecordState.IN_DOUBT:
        return f"it is in doubt ({state.error_class}), so it is looked up before"
    return f"the destination has not taken it yet: it is {state.status}"


def _update(item: Item, state: Any) -> Verdict:
    digest = item.digest.hex() if item.digest else None
    if state is None or state.digest is None:
        return Verdict("update", "it is not known what the destination has")
    if digest == state.digest and state.status == RecordState.SYNCED:
        return Verdict("skip", "what is rendered now is what was sent")
    if state.status != RecordState.SYNCED:
        return Verdict("update", f"it is {state.status}" + (f" ({state.error_class})" if state.error_class else ""))
    names = [*(item.changed or ()), *item.dropped]
    return Verdict("update", "what is rendered now is not what was sent"
                             + (f": {', '.join(names)}" if names else ""))


def _absent(layer: _Layer, source: Any, state: Any) -> Verdict:
    if state is None:
        return Verdict("none", "neither the source nor the state has it")
    if state.status in (RecordState.DISABLED, RecordState.OBSERVED):
        return Verdict("none", f"the source has it not, and it is {state.status}, so it is left alone")
    if layer.on_delete == "keep":
        return Verdict("none", "the source has it no more, and the layer deletes nothing")
    if not source.complete or not source.read:
        return Verdict("none", "the source did not prove that it was read whole, so nothing is deleted")
    if layer.account_scoped:
        return Verdict("wait", "this subject has it no more; it goes when every subject of the account has been read"
                               " since nobody claims it")
    return Verdict("delete", "the source has it no more")
