"""A database's messages without the values of the row that they are about: those may be anybody's secrets."""

import re
from collections.abc import Iterable

_PLACEHOLDER = "***"
_SHORT = 3


def redacted(message: str, values: Iterable[object]) -> str:
    """`message` without the values, where they stand in quotes or, unless they are very short, by themselves."""
    texts = {text for value in values if value is not None and (text := str(value))}
    for text in sorted(texts, key=len, reverse=True):
        for quote in "\"'":
            message = message.replace(f"{quote}{text}{quote}", f"{quote}{_PLACEHOLDER}{quote}")
        if len(text) >= _SHORT or text.isdigit():
            message = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", _PLACEHOLDER, message)
    return message
