"""Where scim2-server is installed: here, or in a small private environment in the user's cache.

It is no dependency of Penstock, which would make everybody who syncs anything install a server and pydantic. It is
the extra `demo`; and since `uvx penstock demo` must work from the bare wheel too, an environment for it is made
where the extra is not installed. It is made under another name and renamed when it is whole, so that one whose
making was interrupted is never taken for one that works.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click

VERSION = "0.8.3"


def interpreter(say: Callable[[str], None]) -> str:
    """A Python that has scim2-server: this one, else that of a private environment, made if need be."""
    if find_spec("scim2_server") is not None:
        return sys.executable
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock"
    environment = cache / f"scim2-server-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _runs(python):
        say(f"Installing scim2-server {VERSION} into {environment} (pip install 'penstock[demo]' would do instead).")
        _make(environment, python)
    return str(python)


def _runs(python: Path) -> bool:
    """An environment outlives the Python that it was made with, but is of no use then."""
    try:
        return subprocess.run([python, "-c", "import scim2_server"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(environment: Path, python: Path) -> None:
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
        half_made = Path(tempfile.mkdtemp(prefix=f"{environment.name}-unfinished-", dir=environment.parent))
    except OSError as error:
        raise _refused(f"{environment.parent} cannot be written to: {error.strerror}") from error
    try:
        inside = half_made / python.relative_to(environment)
        _run([sys.executable, "-m", "venv", str(half_made)])
        _run([str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
              f"scim2-server=={VERSION}"])
        shutil.rmtree(environment, ignore_errors=True)  # what did not run
        half_made.rename(environment)
    except OSError as error:
        if not _runs(python):  # or another demo was quicker, and its environment will do
            raise _refused(str(error)) from error
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _refused((done.stderr or done.stdout).strip()[-1000:])


def _refused(why: str) -> click.ClickException:
    return click.ClickException(f"scim2-server {VERSION} could not be installed: {why}\n"
                                "Install it beside Penstock instead: pip install 'penstock[demo]'")
