"""Builds the venvs of peers. A venv whose pins have changed is made anew."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parent / "requirements"
VENVS = Path(__file__).parent.parent / ".peers"
NAMES = tuple(sorted(path.stem for path in PINS.glob("*.txt")))
_STAMP = "pins.txt"
_OLDEST = re.compile(r"^# python >= 3\.(\d+)$", re.MULTILINE)


def peer(name: str) -> tuple[str, ...]:
    """The command of a peer's driver; its verb and arguments are to follow. The venv is built if it is missing."""
    return str(built(name)), "-m", f"bench.peers.{name}"


def built(name: str) -> Path:
    """The Python of a peer's venv, at the pinned versions."""
    folder, pins = VENVS / name, (PINS / f"{name}.txt").read_text("utf-8")
    python, stamp = folder / "bin" / "python", folder / _STAMP
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == pins:
        return python
    oldest = _OLDEST.search(pins)
    source = _python(int(oldest[1]) if oldest else 0)
    print(f"Building bench/.peers/{name} …", file=sys.stderr, flush=True)
    subprocess.run([source, "-m", "venv", "--clear", str(folder)], check=True)
    _install(python, PINS / f"{name}.txt")
    stamp.write_text(pins, "utf-8")
    return python


def version(name: str) -> str:
    """The version of a peer that is measured."""
    for line in (PINS / f"{name}.txt").read_text("utf-8").splitlines():
        package, _, pinned = line.partition("==")
        if package == name:
            return pinned
    raise SystemExit(f"bench/peers/requirements/{name}.txt: expected a line {name}==…, found none")


def _install(python: Path, pins: Path) -> None:
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
                           "--requirement", str(pins)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{pins.name}: pip could not install what it pins\n{done.stderr[-2000:]}")


def _python(oldest: int) -> str:
    """A Python 3 that is new enough for a peer: ours if it will do, else one from PATH or of pyenv."""
    if sys.version_info >= (3, oldest):
        return sys.executable
    given = os.environ.get("PENSTOCK_BENCH_PYTHON")
    minors = range(14, oldest - 1, -1)  # the newest is the quickest
    found = [shutil.which(f"python3.{minor}") for minor in minors]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += [str(path) for minor in minors for path in pyenv.glob(f"3.{minor}.*/bin/python3")]
    for python in [given] if given else found:
        if python and _runs(python, oldest):
            return python
    raise SystemExit(f"a peer needs Python 3.{oldest} or newer, found none: install one, or say where it is by"
                     " PENSTOCK_BENCH_PYTHON=/path/to/python3")


def _runs(python: str, oldest: int) -> bool:
    check = f"import ensurepip, sys, venv; sys.exit(sys.version_info < (3, {oldest}))"
    return subprocess.run([python, "-c", check], capture_output=True).returncode == 0
