"""Reading a destination back, a page at a time: what `read` gives, checked, whether it is `def` or `async def`."""

import inspect
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any, NamedTuple

from penstock.domain.errors import DestinationError
from penstock.domain.fields import held_digests
from penstock.domain.records import Complete
from penstock.observe.nesting import phase
from penstock.observe.trace import CALLED
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.verbs import Verbs, counts_itself

_PAGE = 1000


class Seen(NamedTuple):
    """A record as the destination holds it: by which value it is matched, and the digests of its fields."""

    remote_id: str
    value: str | None
    fields: dict[str, bytes]


def can_tell(layer: LayerDefinition) -> bool:
    """Whether the destination of a layer can say what it holds."""
    return layer.verb("fetch") is not None or layer.verb("read") is not None


def read_pages(layer: LayerDefinition, run: Run, verbs: Verbs) -> Iterator[list[Seen]]:
    """All that the destination holds, in pages; each counts as a call, unless the destination counts its own.

    Raises what `read` raises, and `DestinationError` for what is no such record, or where `read` returns a
    `Complete` with another number than came.
    """
    read: Any = layer.verb("read")
    calls, counting, before, count = run.calls, not counts_itself(layer), run.calls.read, 0
    pages = raw_pages(verbs.finish(read(run)), verbs)
    while True:
        verbs.check(layer, "read")
        try:
            with run.permits.call(0), run.time.step(f"{layer.name}.read", lambda: calls.read), phase(CALLED):
                page = next(pages)
        except StopIteration as stop:
            if counting and count == 0 and calls.read == before:
                calls.read += 1
            if isinstance(stop.value, Complete) and stop.value.count != count:
                raise DestinationError(f"{layer.name}.read says that it is complete with {stop.value.count} records,"
                                       f" but gave {count}: count what is yielded, and raise where a page is missing"
                                       ) from None
            return
        if counting and calls.read == before:
            calls.read += 1
        before = calls.read
        count += len(page)
        run.time.read += len(page)
        yield [_seen(layer, each) for each in page]


def raw_pages(answer: Any, verbs: Verbs) -> Generator[list[Any], None, Any]:
    """Lists as they are yielded; what is yielded one by one in lists of a thousand. Returns what `read` returned."""
    records = _awaiting(answer, verbs) if hasattr(answer, "__anext__") else iter(answer)
    page: list[Any] = []
    try:
        while True:
            try:
                each = next(records)
            except StopIteration as stop:
                if page:
                    yield page
                return stop.value
            if isinstance(each, list):
                yield each
            else:
                page.append(each)
            if len(page) == _PAGE:
                yield page
                page = []
    finally:
        if isinstance(records, Generator):
            records.close()


def _awaiting(answer: AsyncGenerator[Any, None], verbs: Verbs) -> Generator[Any, None, None]:
    """What an `async def` that yields gives."""
    try:
        while True:
            try:
                yield verbs.finish(answer.__anext__())
            except StopAsyncIteration:
                return
    finally:
        if inspect.isasyncgen(answer):
            verbs.finish(answer.aclose())


def _seen(layer: LayerDefinition, record: Any) -> Seen:
    try:
        remote_id, value, payload, *parent = record
        parent_id = None if not parent or parent[0] is None else str(parent[0])
        return Seen(str(remote_id), None if value is None else str(value), held_digests(payload, parent_id))
    except (TypeError, ValueError) as error:
        raise _strange(layer, record, error) from None


def held_of(layer: LayerDefinition, record: Any) -> tuple[str, Any]:
    """The remote id of a record that `read` gave, and what is held there. Raises `DestinationError`."""
    try:
        remote_id, _, payload, *_ = record
        return str(remote_id), payload
    except (TypeError, ValueError) as error:
        raise _strange(layer, record, error) from None


def _strange(layer: LayerDefinition, record: Any, error: Exception) -> DestinationError:
    return DestinationError(f"{layer.name}.read: expected (remote id, value of match or else key, payload) and, if it"
                            f" is known, the parent's remote id; got {record!r:.100} ({error})")
