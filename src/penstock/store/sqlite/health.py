"""What is known to go wrong with SQLite files, and whether it can go wrong here."""

import re
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.domain.finding import Finding, fault, ok, warning
from penstock.store.sqlite.connection import has_reset_bug
from penstock.store.sqlite.file import file_system
from penstock.store.sqlite.store import SQLiteStore

_SYNCHRONOUS = ("off", "normal", "full", "extra")
_BRING_THEIR_OWN = ("apsw", "libsql", "libsql_experimental", "pysqlcipher3", "pysqlite3", "sqlcipher3")


def examine(store: SQLiteStore, settings: Mapping[str, str]) -> list[Finding]:
    """A store's file and the SQLite that writes it; `settings` are those of the connection that writes."""
    return [
        ok("store", f"SQLite {sqlite3.sqlite_version}, {store.path}"),
        durability(settings),
        checkpoints(sqlite3.sqlite_version_info),
        libraries(_text("/proc/self/maps"), sys.modules),
        place(store.path, _text("/proc/self/mounts")),
    ]


def durability(settings: Mapping[str, str]) -> Finding:
    """Whether what was committed outlives a loss of power."""
    mode, synchronous = settings["journal_mode"], _SYNCHRONOUS[int(settings["synchronous"])]
    found = f"journal_mode = {mode}, synchronous = {synchronous}"
    if mode == "wal" and synchronous in ("full", "extra"):
        return ok("durability", found)
    return fault("durability", found, "expected wal and full, which Penstock sets on its own connections: report this")


def checkpoints(version: tuple[int, ...]) -> Finding:
    """Whether this SQLite may damage a file where one connection checkpoints while another commits (ADR 003)."""
    written = ".".join(map(str, version))
    if not has_reset_bug(version):
        return ok("checkpoints", f"SQLite {written} resets its WAL safely")
    return warning("checkpoints", f"SQLite {written} may damage the file if a program of yours checkpoints it while"
                   " Penstock commits; Penstock itself never lets that happen",
                   "use SQLite 3.51.3 or newer, or say `pragma wal_autocheckpoint = 0` on every other connection that"
                   " writes to this file")


def libraries(maps: str, modules: Mapping[str, object]) -> Finding:
    """Whether a second SQLite lives in this process: closing a file in one drops the locks of the other."""
    loaded = set(re.findall(r"(?m) (/\S*libsqlite3\S*)$", maps))
    found = sorted(loaded) if len(loaded) > 1 else []
    for name in _BRING_THEIR_OWN:
        module = modules.get(name)
        if module is not None and getattr(module, "using_amalgamation", True):  # apsw says if it has a copy of its own
            found.append(f"the module {name}")
    if not found:
        return ok("libraries", "one SQLite in this process")
    return warning("libraries", f"more than one SQLite in this process: {', '.join(found)}",
                   "open the store's file with Python's sqlite3 only: POSIX locks are dropped when another copy of"
                   " SQLite in the same process closes the file")


def place(path: Path, mounts: str) -> Finding:
    """What kind of file system the file is on, as far as the system tells (Linux). Network ones are refused earlier."""
    kind = file_system(path, mounts)
    if kind is None:
        return ok("file system", "unknown: this system does not tell")
    if kind.partition(".")[0] in ("fuse", "fuseblk"):
        return warning("file system", f"{path} is on {kind}, whose locks and shared memory depend on a program in user"
                       " space", "put the store on a local file system such as ext4, xfs, btrfs, zfs or apfs")
    return ok("file system", kind)


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:  # not Linux
        return ""
