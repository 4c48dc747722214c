"""Reading a list page by page: each way gives the items one by one, and at the end the proof that these are all.

A page that leads back, one that is cut off, and a total that the items do not reach are `SourceError`s: what was read
so far proves nothing. Where nothing went wrong and yet nothing proves that the list was whole, there is no proof
(None), and nothing is deleted for it. A layer's source may be one of these as it is:

    def source(self, run):
        return run.client.by_cursor(run, "/people", items="data", cursor="next")
"""

from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from typing import Any, Protocol, TypeVar, cast

import msgspec

from penstock.connectors.http.reply import MISSING, Reply, at
from penstock.domain.errors import SourceError
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Run

Total = str | Callable[[Reply], int]
"""Where an answer says how many items there are: a field (with dots), or a function of the answer."""

Items = Generator[Any, None, Complete | None]


class Answer(Protocol):
    """What a page is read from: a `Reply`, or another connector's of its own."""

    @property
    def call(self) -> str: ...

    def json(self) -> Any: ...

    def shown(self) -> str: ...


A = TypeVar("A", bound=Answer)


def by_cursor(run: Run | None, page: Callable[[str | None], Answer], *, items: str, cursor: str | Callable[[Any], Any],
              more: str | None, total: Total | None, omitted_at_end: bool) -> Items:
    """Pages that each name a cursor for the next one, until one names none.

    `items`, `cursor` and `more` are fields of the answer, with dots between those within others; `cursor` may also be
    a function of the decoded answer. An empty cursor, or null, is the end. So is a field `more` that is false; where it
    is true there has to be a cursor. A last page on which the field is missing altogether proves nothing where it never
    was there: it may have another name. `omitted_at_end=True` says that this is how the API ends a list.
    """
    reading = _Reading(run, total)
    known = omitted_at_end or not isinstance(cursor, str)
    value: str | None = None
    while True:
        reply = reading.next(page, value, f"the cursor {value!r}" if value is not None else "")
        answer = reply.json()
        given = reading.items(reply, answer, items)
        reading.count += len(given)
        yield from given
        found = at(answer, cursor) if isinstance(cursor, str) else cursor(answer)
        known = known or found is not MISSING
        if more is not None:
            goes_on = at(answer, more)
            if not isinstance(goes_on, bool):
                raise reading.fault(reply, f"true or false in {more!r}")
            known = True
            if not goes_on:
                break
            if found is MISSING or found is None or found == "":
                raise reading.fault(reply, f"a cursor, since {more!r} is true: the list is cut off")
        if found is MISSING or found is None or found == "":
            break
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise reading.fault(reply, "a cursor that is text or a number")
        value = str(found)
    return reading.proof(known)


def by_offset(run: Run | None, page: Callable[[int], Answer], *, items: str, total: Total | None,
              identity: Callable[[Any], Any] | None = None) -> Items:
    """Pages asked for by how many items to pass over, until there are `total`, or until one is empty.

    A page may hold fewer items than were asked for, as servers have limits of their own. Without a `total` that stays
    the same there is no proof: an item that is deleted meanwhile moves the others, and one is passed over. With
    `identity`, which tells items apart, each page begins with the last item of the one before: where it does not, items
    have moved though there may be as many as before, and there is no proof either.
    """
    reading = _Reading(run, total)
    position, last = 0, None
    while True:
        overlap = int(last is not None)
        reply = reading.next(page, position - overlap, "")
        found = reading.items(reply, reply.json(), items)
        reading.once(reply, found)
        fresh = found if last is None else reading.behind(last, found, identity)
        reading.count += len(fresh)
        yield from fresh
        position += len(found) - overlap
        if not fresh or (reading.total is not None and position >= reading.total):
            return reading.proof(total is not None)
        # A page of one item could not hold the last one and another.
        last = fresh[-1] if identity is not None and len(found) > 1 else None
        if identity is not None and last is None:
            reading.moved = True


def by_link(run: Run | None, first: str, page: Callable[[str], A],
            following: Callable[[A, str], str | None], *, items: str, total: Total | None) -> Items:
    """Pages that link to the next one, until one does not."""
    reading = _Reading(run, total)
    url: str | None = first
    while url is not None:
        reply = reading.next(page, url, "the next page's link")
        given = reading.items(reply, reply.json(), items)
        reading.count += len(given)
        yield from given
        url = following(reply, url)
    return reading.proof(True)


class _Reading:
    """What is known of a list so far: `count` items were given, of the `total` that the destination says there are."""

    def __init__(self, run: Run | None, total: Total | None) -> None:
        self._run = run
        self._where = total
        self._seen: set[Any] = set()
        self._call = ""
        self.moved = False
        self.count = 0
        self.total: int | None = None

    def next(self, page: Callable[[Any], A], place: Any, named: str) -> A:
        """Ask for the page at a place where none was asked for yet."""
        if self._run is not None:
            self._run.check()
        if place in self._seen:
            raise SourceError(f"{self._call}: expected every page to lead to another, got {named} a second time after"
                              f" {self.count} items: the pages go round in a circle. Ask who runs the destination.")
        self._seen.add(place)
        reply = page(place)
        self._call = reply.call
        return reply

    def items(self, reply: Answer, answer: Any, path: str) -> list[Any]:
        found = at(answer, path)
        if not isinstance(found, list):
            raise self.fault(reply, f"a list of items in {path!r}" if path else "a list of items")
        self._tell_total(reply, answer)
        return found

    def behind(self, last: Any, found: list[Any], identity: Callable[[Any], Any] | None) -> Sequence[Any]:
        """What a page has behind the last item of the one before, with which it should begin."""
        assert identity is not None
        place = next((place for place, item in enumerate(found) if identity(item) == identity(last)), -1)
        self.moved = self.moved or place != 0
        return found[place + 1:]

    def once(self, reply: Answer, found: list[Any]) -> None:
        """Raise where this very page was given before: the destination does not heed what is asked for."""
        digest = blake2b(msgspec.json.encode(found), digest_size=16).digest()
        if found and digest in self._seen:
            raise SourceError(f"{reply.call}: expected a new page after {self.count} items, got one that"
                              " was given before: the pages go round in a circle. Check the names of offset and limit.")
        self._seen.add(digest)

    def proof(self, ended: bool) -> Complete | None:
        if self.total is not None and not self.moved and self.count != self.total:
            raise SourceError(f"{self._call}: expected {self.total} items, as it says itself, got {self.count}: the"
                              " list is cut off. Try again, or ask who runs the destination.")
        return Complete(self.count) if (ended or self.total is not None) and not self.moved else None

    def fault(self, reply: Answer, expected: str) -> SourceError:
        return SourceError(f"{reply.call}: expected {expected}, got {reply.shown()}")

    def _tell_total(self, reply: Answer, answer: Any) -> None:
        if self._where is None:
            return
        told = at(answer, self._where) if isinstance(self._where, str) else self._where(cast(Reply, reply))
        if isinstance(told, bool) or not isinstance(told, int) or told < 0:
            raise self.fault(reply, f"the number of all items in {self._where!r}" if isinstance(self._where, str)
                             else "a function that gives the number of all items")
        self.moved = self.moved or (self.total is not None and self.total != told)
        self.total = told
