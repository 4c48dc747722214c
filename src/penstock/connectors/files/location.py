"""Paths that may hold `:subject` and `:account`. A key never leads to another folder than the path says.

Keys come from wherever subjects are made up, perhaps from strangers, so one that could climb out of its folder is
refused, not cleaned: two keys must never mean one file.
"""

import os
import re

from penstock.domain.errors import ConfigurationError, SourceError
from penstock.domain.names import did_you_mean
from penstock.sync.declaring.ports import Run

PARAMETERS = ("account", "subject")
_PARAMETER = re.compile(r":([A-Za-z_]\w*)")


class Location:
    """Where the file of a run is. Raises ConfigurationError where the path cannot work."""

    def __init__(self, owner: str, path: object) -> None:
        try:
            text = os.fspath(path)  # type: ignore[call-overload]
        except TypeError:
            text = None
        if not isinstance(text, str) or not text or "\0" in text:
            raise ConfigurationError(f"{owner} expects the path of a file, as text or a Path, but got {path!r}.")
        if "://" in text:
            raise ConfigurationError(f"{owner} expects the path of a file, but got a URL. Fetch the file first.")
        unknown = [name for name in _PARAMETER.findall(text) if name not in PARAMETERS]
        if unknown:
            raise ConfigurationError([
                f"The path of a {owner} may hold :account and :subject, but it holds :{name}"
                f"{did_you_mean(name, PARAMETERS) or '.'}" for name in unknown
            ])
        self.template: str = text
        self.parameters = frozenset(_PARAMETER.findall(text))
        self._owner = owner

    def __str__(self) -> str:
        return self.template

    def of(self, run: Run) -> str:
        """The path for one run. Raises SourceError for a key that is no name of a file."""
        keys = {"subject": run.subject.key, "account": run.account}
        return _PARAMETER.sub(lambda found: self._checked(found[1], keys[found[1]]), self.template)

    def _checked(self, parameter: str, key: str) -> str:
        if key in ("", ".", "..") or not {"/", "\\", "\0"}.isdisjoint(key):
            raise SourceError(
                f"{self._owner}: the {parameter} {key!r} is to stand in the path {self.template}, where a name"
                " without / and \\ is expected. Call it something else, or keep all subjects in one file, with"
                " subject= naming the column that tells them apart."
            )
        return key
