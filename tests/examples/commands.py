"""An example's commands: the first of a test in a process of its own, as people run it, the others in this one.

What a further process would prove is that Python can start it once more, for half a second each.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.cli import main
from tests.processes import penstock as process


@dataclass
class Commands:
    """Runs `penstock …` in a folder, where the example is unless `PYTHONPATH` says otherwise; gives what it printed."""

    folder: Path
    environment: dict[str, str]
    code: int | None = field(default=None, init=False)  # how the last one ended

    def __call__(self, *arguments: str, code: int | None = 0) -> list[str]:
        """The lines that it printed; `None` as its exit code says that any will do."""
        alone = self.code is None
        self.code, lines = self._alone(*arguments) if alone else self._here(*arguments)
        assert code is None or self.code == code, lines
        return lines

    def _alone(self, *arguments: str) -> tuple[int, list[str]]:
        with process(*arguments, folder=self.folder, **self.environment) as child:
            lines = child.rest()
            return child.wait(), lines

    def _here(self, *arguments: str) -> tuple[int, list[str]]:
        printed = io.StringIO()
        with self._as_if_alone(*arguments), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                main()
            except SystemExit as stop:
                return int(stop.code or 0), printed.getvalue().splitlines()
        raise AssertionError("expected the command to say how it ended")

    @contextlib.contextmanager
    def _as_if_alone(self, *arguments: str) -> Iterator[None]:
        """With the environment, folder and path of a process of its own, and without what the last one imported."""
        paths = [each for each in self.environment.get("PYTHONPATH", "").split(os.pathsep) if each]
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["penstock", *arguments])
            patch.setattr(sys, "path", ["", *paths, *sys.path])
            for name in self._imported([self.folder, *paths]):
                patch.delitem(sys.modules, name)
            try:
                yield
            finally:
                for name in self._imported([self.folder, *paths]):
                    del sys.modules[name]

    def _imported(self, folders: list[str | Path]) -> list[str]:
        """The modules that lie in some folders themselves, by the names of these folders or by what links lead to."""
        places = {name for folder in folders for name in (os.path.abspath(folder), os.path.realpath(folder))}
        found = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        # To follow the links of all that was ever imported would take as long as the command.
        return [name for name, file in found.items()
                if file is not None and os.path.dirname(os.path.abspath(file)) in places]
