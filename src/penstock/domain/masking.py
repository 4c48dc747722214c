"""Hides the values of what is named like a secret: in JSON by name, in text where a name and a value stand together.

It goes by names alone, so it can only catch what is called by its name. What has to be hidden for certain is marked
or sealed where it is declared: docs/arguments.md.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

HIDDEN = "••••"
_DEEP = 50


@dataclass(frozen=True)
class Masking:
    """The words by which secrets are known, in lower case without `_` and `-`."""

    words: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, listed: str) -> Self:
        """From a list with commas, as settings have it."""
        return cls(tuple(sorted({_plain(word) for word in listed.split(",") if _plain(word)})))

    def hides(self, name: str) -> bool:
        """Whether what has this name is hidden: one of the words is in it."""
        plain = _plain(name)
        return any(word in plain for word in self.words)

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value of JSON, without what its names say is secret."""
        if depth > _DEEP:
            return HIDDEN
        if isinstance(value, dict):
            return {name: HIDDEN if self.hides(str(name)) else self.value(each, depth + 1)
                    for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, depth + 1) for each in value]
        if isinstance(value, str):
            return self.text(value)
        return value

    def json(self, text: str) -> str:
        """The same for JSON as text; what is none is masked as text."""
        try:
            return json.dumps(self.value(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.text(text)

    def text(self, text: str) -> str:
        """Text without values that follow such a name: `password=…`, `"token": "…"`, `Authorization: Bearer …`."""
        if not self.words or not text:
            return text
        return self._pattern.sub(rf"\g<name>{HIDDEN}", text)

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self.words)


@lru_cache(maxsize=32)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """A name with one of the words in it, what divides it from its value, and the value: quoted, or up to a space."""
    spelt = "|".join("[_-]?".join(map(re.escape, word)) for word in words)
    value = r"""(?:"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|(?:bearer|basic|token)\s+[^\s,;"'&]+|[^\s,;"'&)}\]]+)"""
    return re.compile(rf"""(?P<name>[\w-]{{0,40}}?(?:{spelt})[\w-]{{0,40}}["']?\s{{0,3}}(?:=>?|:)\s{{0,3}}){value}""",
                      re.IGNORECASE)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
