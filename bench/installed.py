"""A PostgreSQL of this machine's that has HypoPG, started in a temporary folder; never the system's running one.

Debian has both: `postgresql-15` and `postgresql-15-hypopg`.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_SERVERS = Path("/usr/lib/postgresql")
_EXTENSIONS = Path("/usr/share/postgresql")
_USERS = ("nobody", "postgres")


def find() -> Path | None:
    """The folder of the newest server's programs that has HypoPG; None where there is none."""
    found = [folder / "bin" for folder in _SERVERS.glob("*") if (folder / "bin" / "initdb").is_file()
             and (_EXTENSIONS / folder.name / "extension" / "hypopg.control").is_file()]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


@contextlib.contextmanager
def started(*settings: str) -> Iterator[str]:
    """The URL of a new server, whose superuser is `postgres`; `settings` are `name=value`. It is gone in the end."""
    programs = find()
    if programs is None:
        raise SystemExit("expected a PostgreSQL with HypoPG, found none: Debian has them in postgresql-15 and"
                         " postgresql-15-hypopg")
    with tempfile.TemporaryDirectory(prefix="penstock-pg-", ignore_cleanup_errors=True) as folder:
        user = _owner(folder)
        place = os.path.join(folder, "data")

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run([programs / program, *arguments], cwd=folder, user=user, capture_output=True,
                                  text=True, check=False)
            if done.returncode:
                said = done.stdout + done.stderr
                raise SystemExit(f"{program}: expected it to succeed, got {done.returncode}:\n{said}")

        run("initdb", "--pgdata", place, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--no-sync")
        given: Sequence[str] = (f"unix_socket_directories={folder}", "listen_addresses=", *settings)
        run("pg_ctl", "--pgdata", place, "--log", os.path.join(folder, "log"), "--wait", "--options",
            " ".join(f"-c {each}" if each.partition("=")[2] else f"-c {each}''" for each in given), "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "--pgdata", place, "--wait", "--mode", "immediate", "stop")
            shutil.rmtree(place, ignore_errors=True)


def _owner(folder: str) -> str | None:
    """Who runs the server: it refuses to be run by root."""
    if os.getuid() != 0:
        return None
    for name in _USERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            os.chmod(folder, 0o755)
            return name
    raise SystemExit(f"expected one of the users {', '.join(_USERS)} to run the server as, got none")
