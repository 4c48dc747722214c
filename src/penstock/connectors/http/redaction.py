"""Secrets, and texts without them: also where a destination repeats one, escaped or encoded."""

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import msgspec

_KEPT = 4
REDACTED = "[redacted]"


class Secrets:
    """Values that no message may show, with those of `others`. Of values that are renewed, the last are remembered."""

    def __init__(self, values: Iterable[str] = (), *others: "Secrets") -> None:
        self._fixed = tuple(value for value in values if value)
        self._renewed: tuple[str, ...] = ()
        self._others = others

    def __repr__(self) -> str:
        return "<secrets>"

    def add(self, value: str) -> None:
        """Remember one that takes the place of an earlier one."""
        if value and value not in self._renewed:
            self._renewed = (*self._renewed[1 - _KEPT:], value)

    def redacted(self, text: str) -> str:
        """The text without any of them, plain, in JSON or in a URL."""
        for value in sorted(self._values(), key=len, reverse=True):
            for form in _forms(value):
                text = text.replace(form, REDACTED)
        return text

    def _values(self) -> list[str]:
        return [*self._fixed, *self._renewed, *(value for other in self._others for value in other._values())]


def _forms(value: str) -> set[str]:
    in_json = msgspec.json.encode(value).decode()[1:-1]
    return {value, in_json, in_json.replace("/", "\\/"), quote(value), quote(value, safe=""), quote_plus(value)}
