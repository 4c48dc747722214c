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

# A name and what divides it from its value. Possessive, so that text is read once however it is made.
_NAMED = re.compile(r"""(?<![\w-])(?P<name>[\w-]++)["']?\s{0,3}(?:=>?|:)\s{0,3}""")
# A value: quoted, a word after the scheme of an authorization, or up to a space.
_VALUE = re.compile(r""""(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|"""
                    r"""(?:bearer|basic|token)\s+[^\s,;"'&]++|[^\s,;"'&)}\]]++""",
                    re.IGNORECASE)


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
        if not self.words:
            return text
        kept, done = [], 0
        for named in _NAMED.finditer(text):
            if named.start() >= done and self.hides(named["name"]):
                value = _VALUE.match(text, named.end())
                if value is not None and value.end() > named.end():
                    kept += [text[done:named.end()], HIDDEN]
                    done = value.end()
        return "".join([*kept, text[done:]])


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
