"""JSON read piece by piece, so that a document of any length takes no more memory than its largest value."""

from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, Protocol

_CHUNK = 65_536
_LONGEST = 16 * 1024 * 1024
_SPACE = " \t\r\n"


class _Text(Protocol):
    def read(self, size: int, /) -> str: ...


class Pull:
    """Takes one value after another from a text.

    Raises `ValueError`, which says what was expected and at which character, for what is no JSON, ends too early, or is
    something else than what was asked for.
    """

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._decoder = JSONDecoder()
        self._buffer = ""
        self._place = 0
        self._before = 0  # characters that are no longer in the buffer
        self._ended = False

    def members(self) -> Iterator[str]:
        """The names of an object's members; the value of each is to be taken before the next is asked for."""
        for _ in self._parts("{", "}"):
            name = self.value()
            if not isinstance(name, str):
                raise self._fault("expected the name of a member")
            self._take(":")
            yield name

    def items(self) -> Iterator[None]:
        """Once for each item of an array; it is to be taken before the next is asked for."""
        yield from self._parts("[", "]")

    def value(self) -> Any:
        """The next value, whole."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._place)
            except (JSONDecodeError, RecursionError) as error:
                if isinstance(error, JSONDecodeError) and len(self._buffer) - self._place < _LONGEST and self._more():
                    continue
                raise self._fault("expected a JSON value") from None
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            self._place = end
            return value

    def end(self) -> None:
        """There is nothing more."""
        if self._next(last=True):
            raise self._fault("expected the end")

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        if self._next() == closing:
            self._place += 1
            return
        while True:
            yield
            if self._next() == closing:
                self._place += 1
                return
            self._take(",")

    def _take(self, character: str) -> None:
        if self._next() != character:
            raise self._fault(f"expected {character!r}")
        self._place += 1

    def _next(self, last: bool = False) -> str:
        """The next character that is no space, left where it is; none at the end, if that may be."""
        while True:
            while self._place < len(self._buffer):
                if self._buffer[self._place] not in _SPACE:
                    return self._buffer[self._place]
                self._place += 1
            if not self._more():
                if last:
                    return ""
                raise self._fault("expected more")

    def _more(self) -> bool:
        if not self._ended:
            # Of a value that is larger than a chunk, as much again: it is looked at anew each time.
            chunk = self._text.read(max(_CHUNK, len(self._buffer) - self._place))
            self._ended = not chunk
            if chunk:
                self._before += self._place
                self._buffer, self._place = self._buffer[self._place:] + chunk, 0
        return not self._ended

    def _fault(self, expected: str) -> ValueError:
        got = repr(self._buffer[self._place:self._place + 20]) if self._place < len(self._buffer) else "its end"
        return ValueError(f"{expected} at character {self._before + self._place + 1:,}, got {got}")
