"""A source as the engine reads it, with the kit's boundaries around each page."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Run
from penstock.testing.connectors.faults import PAGE_HALVED, PAGE_LAST, PAGE_TWICE, SOURCE_FAILED, Faults

Pages = Generator[Sequence[Any], None, Complete | None]


class ReadThrough:
    """Stands in the place of a layer's source, and has all that it has.

    `given` is the layer's own source: an object with pages, a generator method of the layer, or None; then `kept` gives
    the records. `size` is the most that a page may have.
    """

    def __init__(self, given: Any, name: str, faults: Faults, size: Callable[[], int],
                 kept: Callable[[], Sequence[Any]], layer: Any = None) -> None:
        self._given = given
        self._name = name
        self._faults = faults
        self._size = size
        self._kept = kept
        self._layer = layer

    def __get__(self, layer: Any, owner: type | None = None) -> "ReadThrough":
        """On a layer: the same, which knows the layer that its generator method belongs to."""
        if layer is None:
            return self
        return ReadThrough(self._given, self._name, self._faults, self._size, self._kept, layer)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._given, name)
        return self._bucket_pages if name == "bucket_pages" and callable(found) else found

    def __repr__(self) -> str:
        return repr(self._given)

    def pages(self, run: Run, size: int) -> Pages:
        """The source's pages, unless a fault is armed; what it proves at its end is handed on."""
        raw = self._pages(run, self._size())
        try:
            while True:
                self._before()
                try:
                    page = next(raw)
                except StopIteration as stop:
                    proof: Complete | None = stop.value
                    return proof
                struck = self._faults.reach("page", "after", self._what)
                if struck is PAGE_TWICE:
                    yield page
                if struck in (PAGE_LAST, PAGE_HALVED):
                    page = page[:len(page) // 2]
                if page:
                    yield page
                if struck is PAGE_LAST:
                    return None
        finally:
            raw.close()

    def _bucket_pages(self, run: Run, size: int, bounds: list[str],
                      spans: Sequence[tuple[int, int]]) -> Generator[tuple[int, Sequence[Any]], None, None]:
        """The pages of some buckets, which can only fail: what they prove are their digests."""
        raw = self._given.bucket_pages(run, self._size(), bounds, spans)
        try:
            while True:
                self._before()
                try:
                    numbered = next(raw)
                except StopIteration:
                    return
                self._faults.reach("page", "after", self._what)
                yield numbered
        finally:
            raw.close()

    @property
    def _what(self) -> str:
        return f"a page of {self._name}"

    def _before(self) -> None:
        if self._faults.reach("page", "before", self._what) is SOURCE_FAILED:
            raise OSError(f"{self._what}: the kit broke the source off")

    def _pages(self, run: Run, size: int) -> Pages:
        """The source's own pages, of at most `size` records."""
        if self._given is None:
            return paged(kept_whole(self._kept()), size)
        if hasattr(self._given, "pages"):
            pages: Pages = self._given.pages(run, size)
            return pages
        return paged(iter(self._given(run) if self._layer is None else self._given(self._layer, run)), size)


def kept_whole(records: Sequence[Any]) -> Generator[Any, None, Complete]:
    """The kit's own source: records, and the proof that these were all."""
    yield from records
    return Complete(len(records))


def paged(records: Iterator[Any], size: int) -> Pages:
    """Records in pages; what a generator of them returns is handed on."""
    page: list[Any] = []
    while True:
        try:
            page.append(next(records))
        except StopIteration as stop:
            if page:
                yield page
            proof: Complete | None = stop.value
            return proof
        if len(page) == size:
            yield page
            page = []
