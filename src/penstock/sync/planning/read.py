"""Reading a source in pages of typed records, without trusting a single row."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from penstock.domain.errors import SourceError
from penstock.domain.records import Complete
from penstock.observe.nesting import phase
from penstock.observe.trace import READ
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.declaring.record_types import is_plain

PAGE = 1000


class Unreadable:
    """A row that does not fit the layer's record type."""

    __slots__ = ("error",)

    def __init__(self, error: str) -> None:
        self.error = error


Page = list[Any]


def pages(layer: LayerDefinition, run: Run, size: int = PAGE) -> Generator[Page, None, Complete | None]:
    """The records of a layer's source for one subject; returns `Complete` if the source proved that it gave all.

    A row that does not fit the record type comes as `Unreadable`, so that it stops no other row.
    """
    source = layer.layer.source
    raw = source.pages(run, size) if hasattr(source, "pages") else _paged(source(run), size)
    count = 0
    try:
        while True:
            try:
                page = _next(layer, run, raw)
            except StopIteration as stop:
                return _proof(layer, stop.value, count)
            count += len(page)
            yield _typed(page, layer.record_type)
    finally:
        raw.close()


def changed_pages(layer: LayerDefinition, run: Run, since: Any, size: int = PAGE) -> Generator[Page, None, Any]:
    """The records that a layer says have changed since a cursor; returns the next cursor."""
    raw = _paged(layer.layer.changed_since(since, run), size)  # type: ignore[attr-defined]
    try:
        while True:
            try:
                page = _next(layer, run, raw)
            except StopIteration as stop:
                if stop.value is None or isinstance(stop.value, Complete):
                    raise SourceError(f"{layer.name}: expected changed_since to return the next cursor, got"
                                      f" {stop.value!r}: return what the next call is to begin from") from None
                return stop.value
            yield _typed(page, layer.record_type)
    finally:
        raw.close()


def bucket_pages(layer: LayerDefinition, run: Run, bounds: list[str], spans: Sequence[tuple[int, int]],
                 size: int = PAGE) -> Generator[tuple[int, Page], None, None]:
    """The records of some spans of buckets of a layer's source, each page with the number of its span's first."""
    raw = layer.layer.source.bucket_pages(run, size, bounds, spans)
    try:
        while True:
            try:
                number, page = _stepped(layer, run, raw)
            except StopIteration:
                return
            run.time.read += len(page)
            yield number, _typed(page, layer.record_type)
    finally:
        raw.close()


def _next(layer: LayerDefinition, run: Run, raw: Iterator[Page]) -> Page:
    page: Page = _stepped(layer, run, raw)
    run.time.read += len(page)
    return page


def _stepped(layer: LayerDefinition, run: Run, raw: Iterator[Any]) -> Any:
    """What comes next, if there is time for it."""
    run.check()
    name = f"{layer.name} source"
    run.time.begin(name)
    with run.time.step(name), phase(READ):
        return next(raw)


def _proof(layer: LayerDefinition, value: Any, count: int) -> Complete | None:
    if value is None:
        return None
    if not isinstance(value, Complete):
        raise SourceError(f"{layer.name}: expected its source to return Complete(count) or nothing, got {value!r}")
    if value.count != count:
        raise SourceError(f"{layer.name}: its source says that it is complete with {value.count} records, but gave"
                          f" {count}: count what is yielded")
    return value


def _paged(records: Any, size: int) -> Generator[Page, None, Any]:
    """Cut what a generator method yields into pages, keeping its return value."""
    iterator: Iterator[Any] = iter(records)
    proof: Any = None
    page: Page = []
    try:
        while True:
            try:
                page.append(next(iterator))
            except StopIteration as stop:
                proof = stop.value
                break
            if len(page) == size:
                yield page
                page = []
        if page:
            yield page
        return proof
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _typed(rows: Sequence[Any], record_type: Any) -> Page:
    """Rows as records of the layer's type; what is no mapping is taken for a record already."""
    are = {issubclass(kind, Mapping) for kind in set(map(type, rows))}  # far cheaper than to ask every row
    if True not in are:
        return list(rows)
    if False not in are:
        return _converted(rows, record_type)
    converted = iter(_converted([row for row in rows if isinstance(row, Mapping)], record_type))
    return [next(converted) if isinstance(row, Mapping) else row for row in rows]


def _converted(rows: Sequence[Any], record_type: Any) -> Page:
    """Mappings as records of the layer's type."""
    if record_type is None:
        return [SimpleNamespace(**row) for row in rows]
    if is_plain(record_type):
        return list(rows)
    if hasattr(record_type, "model_validate"):
        return [_one(row, record_type.model_validate) for row in rows]
    try:
        return msgspec.convert(rows, list[record_type], strict=False)
    except msgspec.ValidationError:
        return [_one(row, lambda row: msgspec.convert(row, record_type, strict=False)) for row in rows]


def _one(row: Any, convert: Any) -> Any:
    try:
        return convert(row)
    except ValueError as error:
        return Unreadable(str(error).splitlines()[0])
