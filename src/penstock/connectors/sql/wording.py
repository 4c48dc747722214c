"""How this package's errors name what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A question to end a message with, or nothing where no known name is close."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(given.casefold(), by_folded, n=1)
    return f' Did you mean "{by_folded[close[0]]}"?' if close else ""
