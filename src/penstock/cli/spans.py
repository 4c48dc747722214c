"""Spans of time as people type them: 90s, 10m, 2h, 1d."""

import re
from datetime import timedelta

import click

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str, option: str) -> timedelta:
    """Raises `UsageError`, which names the option."""
    match = _SPAN.fullmatch(text)
    if match is None or not float(match[1]):
        raise click.UsageError(f"{option}: expected a time such as 90s, 10m, 2h or 1d, got {text!r}")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})
