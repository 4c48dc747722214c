"""What has to be true of a SQLite file before Penstock lives in it, and who holds its write lock."""

import gc
import os
import re
import sqlite3
import sys
import threading
from pathlib import Path
from urllib.parse import unquote

from penstock.domain.errors import ConfigurationError, StoreUnavailable
from penstock.store.sqlite.connection import OwnConnection

OLDEST = (3, 38, 0)
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs ncpfs afs 9p ceph glusterfs lustre gpfs fuse.sshfs fuse.s3fs fuse.gcsfuse fuse.glusterfs"
    " fuse.rclone davfs".split()
)
_WRITE_LOCK_BYTE = 120  # WAL_WRITE_LOCK in the -shm file; https://sqlite.org/walformat.html#locks


def path_of(url: str) -> Path:
    """The file behind `sqlite:///relative.db` or `sqlite:////absolute.db`."""
    rest = url.removeprefix("sqlite:")
    if not rest.startswith("///") or len(rest) == 3:
        raise ConfigurationError(
            f"expected sqlite:///relative.db or sqlite:////absolute/path.db, got {url!r}: a store needs a file, since"
            " worker and caller are often different processes"
        )
    if "?" in rest or rest[3:] == ":memory:":
        raise ConfigurationError(f"expected the path of a file and nothing else after sqlite:///, got {url!r}: options"
                                 " and :memory: are not for a store (a question mark in a name is written %3F)")
    return Path(unquote(rest[3:])).absolute()


def check(path: Path) -> None:
    """Raise `StoreUnavailable` where the file cannot be a store."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnavailable(
            f"expected SQLite {'.'.join(map(str, OLDEST))} or newer, got {sqlite3.sqlite_version}: use a Python that"
            " was built with a newer SQLite, or a postgresql:// store"
        )
    if not path.parent.is_dir():
        raise StoreUnavailable(
            f"expected a folder {path.parent} for the store {path.name}: create it, or change the URL"
        )
    if path.is_dir():
        raise StoreUnavailable(f"expected a file at {path}, got a folder: add a file name to the URL")
    mounts = Path("/proc/self/mounts")
    if mounts.exists() and (kind := file_system(path, mounts.read_text())) in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"{path} is on a network file system ({kind}), where SQLite's locks cannot be trusted: put the store on a"
            " local disk, or use a postgresql:// store"
        )


def file_system(path: Path, mounts: str) -> str | None:
    """The kind of file system that holds `path`, from the text of /proc/self/mounts."""
    real, best, kind = os.path.realpath(path), "", None
    for line in mounts.splitlines():
        if len(line.split()) < 3:
            continue
        _, escaped, found, *_ = line.split()
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def write_lock_holder(path: Path) -> int | None:
    """The process that holds the file's write lock, where the system tells (Linux); None where it does not."""
    locks = Path("/proc/locks")
    try:
        inode = os.stat(f"{path}-shm").st_ino
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "POSIX" or fields[3] != "WRITE" or not fields[5].endswith(f":{inode}"):
            continue
        start, end = int(fields[6]), sys.maxsize if fields[7] == "EOF" else int(fields[7])
        if start <= _WRITE_LOCK_BYTE <= end:
            return int(fields[4]) if int(fields[4]) > 0 else None  # 0 and -1: a process that we cannot see
    return None


def describe_holder(path: Path) -> str:
    """A clause that names the process which holds the write lock, as well as the system lets us."""
    holder = write_lock_holder(path)
    if holder is None:
        return f"some connection holds a write transaction open (`fuser {path}` lists the processes that may)"
    if holder == os.getpid():
        return ("another connection of this very process holds a write transaction open (if it is the caller's own,"
                " pass it with using(connection=…))")
    try:
        command = Path(f"/proc/{holder}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        command = ""
    return f"process {holder}{f' ({command[:120]})' if command else ''} holds a write transaction open"


def caller_holds_write_lock(path: Path) -> bool:
    """Whether the calling thread has a connection of its own with a write transaction on this file.

    A connection that any thread may use is the caller's only if there is no other thread that it could belong to.
    Called only after the lock was found taken, so it may be slow.
    """
    if write_lock_holder(path) not in (None, os.getpid()):
        return False
    for found in gc.get_objects():
        # Its type, not `isinstance`: a lazy object may do anything when it is asked what it is.
        if not issubclass(type(found), sqlite3.Connection) or issubclass(type(found), OwnConnection):
            continue
        try:
            if found.in_transaction and is_file(found, path) and (_alone() or _bound_to_this_thread(found)):
                return True
        except sqlite3.Error:  # closed, or made by another thread, which is not the caller
            continue
    return False


def _alone() -> bool:
    """Whether this thread is the only one of the application."""
    return all(each is threading.current_thread() or each.name.startswith("penstock") for each in threading.enumerate())


def _bound_to_this_thread(connection: sqlite3.Connection) -> bool:
    """Whether a connection that works in this thread refuses to work in another (`check_same_thread`)."""
    refused = []

    def ask() -> None:
        try:
            sqlite3.Connection.cursor(connection).close()
        except sqlite3.ProgrammingError:
            refused.append(True)

    asking = threading.Thread(target=ask, name="penstock-ask", daemon=True)
    asking.start()
    asking.join()
    return bool(refused)


def is_file(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a connection's main database is the file at `path`."""
    cursor = connection.cursor()
    cursor.row_factory = None
    name = next((row[2] for row in cursor.execute("pragma database_list") if row[0] == 0), "")
    return bool(name) and os.path.realpath(os.fsdecode(name)) == os.path.realpath(path)
