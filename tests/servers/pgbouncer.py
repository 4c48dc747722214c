"""A real pgbouncer in front of a PostgreSQL server."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

_DEADLINE_SECONDS = 15.0


def find() -> str | None:
    """Where the program is, if it is installed."""
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


@contextlib.contextmanager
def in_front_of(url: str, *, connections: int = 3, mode: str = "transaction") -> Iterator[str]:
    """The URL of the same database through a pooler with a few server connections, each handed out per transaction, or
    in another `mode`."""
    server = conninfo_to_dict(url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    target = " ".join(f"{name}={server[key]}" for name, key in
                      [("host", "host"), ("port", "port"), ("user", "user"), ("password", "password")]
                      if server.get(key))
    with tempfile.TemporaryDirectory(prefix="penstock-pooler-") as folder:
        config = Path(folder, "pgbouncer.ini")
        config.write_text(f"""\
[databases]
{server["dbname"]} = {target} dbname={server["dbname"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {connections}
ignore_startup_parameters = extra_float_digits
server_login_retry = 1
""")
        command = [str(find()), str(config)]
        if os.geteuid() == 0:  # it refuses to run as root, and may have to get at the server's socket
            host = str(server.get("host", ""))
            user = pwd.getpwuid(os.stat(host).st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            command[1:1] = ["-u", user.pw_name]
        with open(Path(folder, "log"), "w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(port, process, Path(folder, "log"))
            user_name = quote(str(server.get("user", "postgres")), safe="")
            yield f"postgresql://{user_name}@127.0.0.1:{port}/{server['dbname']}"
        finally:
            process.terminate()
            process.wait(_DEADLINE_SECONDS)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"pgbouncer did not start: {log.read_text()}")
