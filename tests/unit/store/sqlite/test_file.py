"""What a SQLite file must be, and who holds its lock."""

import os
import sqlite3
from pathlib import Path

import pytest

from penstock.domain.errors import ConfigurationError, StoreUnavailable
from penstock.store.open import open_store
from penstock.store.sqlite import SQLiteStore, file
from penstock.store.sqlite import connection as connection_module
from penstock.store.sqlite.connection import connect, has_reset_bug
from tests.processes import python

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/export /srv/shared nfs4 rw 0 0
/dev/sdb1 /srv/shared/local xfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0

tmpfs /tmp tmpfs rw 0 0
"""


@pytest.mark.parametrize(("path", "kind"), [
    ("/var/lib/store.db", "ext4"),
    ("/srv/shared/store.db", "nfs4"),
    ("/srv/shared", "nfs4"),
    ("/srv/shared/local/store.db", "xfs"),
    ("/srv/sharedish/store.db", "ext4"),
    ("/mnt/with space/store.db", "cifs"),
])
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str):
    assert file.file_system(Path(path), MOUNTS) == kind


def test_the_last_mount_on_a_point_counts():
    assert file.file_system(Path("/a/b"), "x /a ext4 rw\ny /a nfs rw\n") == "nfs"


def test_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(file, "file_system", lambda path, mounts: "nfs4")
    if not Path("/proc/self/mounts").exists():
        pytest.skip("this system does not tell its mounts in /proc")
    with pytest.raises(StoreUnavailable, match="network file system \\(nfs4\\).*postgresql://"):
        file.check(tmp_path / "store.db")


@pytest.mark.parametrize(("url", "path"), [
    ("sqlite:////var/lib/store.db", Path("/var/lib/store.db")),
    ("sqlite:///store.db", Path.cwd() / "store.db"),
    ("sqlite:////a%20b/c%3Fd.db", Path("/a b/c?d.db")),
])
def test_the_path_of_a_url(url: str, path: Path):
    assert file.path_of(url) == path


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite:///", "sqlite:store.db", "sqlite:///:memory:",
                                 "sqlite:///store.db?mode=ro"])
def test_a_url_without_a_plain_file_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="expected"):
        file.path_of(url)


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match=f"expected a folder {tmp_path}/gone .*create it"):
        open_store(f"sqlite:///{tmp_path}/gone/store.db")


def test_a_folder_is_no_store(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="got a folder: add a file name"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path):
    path.write_bytes(b"this is a letter, and no database at all\n" * 100)
    with pytest.raises(StoreUnavailable, match="expected a SQLite database at .*store.db"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is a letter")


READ_ONLY = """
import os, sys
from penstock.domain.errors import StoreUnavailable
from penstock.store import migrate
from penstock.store.open import open_store
from penstock.store.sqlite import SQLiteStore  # while Python's own folder may still be read
if os.geteuid() == 0:
    os.setuid(65534)
try:
    store = open_store(sys.argv[1])
    try:
        migrate.migrate(store, [])
        store.write(lambda tx: tx.row("worker_start", {"name": "w", "lease_ms": 1}))
    finally:
        store.close()
except StoreUnavailable as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("existing", [False, True], ids=["folder", "file"])
def test_what_may_not_be_written_is_refused_with_the_right_to_give(tmp_path: Path, existing: bool):
    """Root may write everywhere, so a child without its rights tries."""
    folder = tmp_path / "folder"
    folder.mkdir()
    if existing:
        store = SQLiteStore(folder / "store.db")
        store.close()
        (folder / "store.db").chmod(0o444)
    for each in (*tmp_path.parents, tmp_path):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o011)
    folder.chmod(0o555)
    try:
        with python(READ_ONLY, f"sqlite:///{folder}/store.db", folder=Path("/")) as child:
            line = child.line("refused")
        assert f"expected to write to {folder}/store.db" in line
        assert "give this user the right to write" in line
    finally:
        folder.chmod(0o755)


def test_the_holder_of_the_write_lock_is_told_by_the_system(sqlite: SQLiteStore, path: Path):
    if not Path("/proc/locks").exists():
        pytest.skip("this system does not tell its locks in /proc")
    assert file.write_lock_holder(path) is None
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin immediate")
    assert file.write_lock_holder(path) == os.getpid()
    connection.execute("rollback")
    assert file.write_lock_holder(path) is None
    connection.close()


@pytest.mark.parametrize("other", [None, sqlite3.Row, lambda cursor, row: {"only": "dictionaries"}])
def test_the_file_of_a_connection_is_known_whatever_its_rows_are(sqlite: SQLiteStore, path: Path, other: object):
    connection = sqlite3.connect(path)
    connection.row_factory = other
    connection.text_factory = bytes
    assert file.is_file(connection, path)
    assert not file.is_file(connection, path.with_name("other.db"))
    connection.close()


def test_penstock_never_checkpoints_by_itself(path: Path):
    for read_only in (False, True):
        connection = connect(path, read_only=read_only)
        assert connection.execute("pragma wal_autocheckpoint").fetchone() == (0,)
        connection.close()


@pytest.mark.parametrize(("version", "buggy"), [
    ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 45, 0), True), ((3, 50, 6), True),
    ((3, 50, 7), False), ((3, 51, 0), True), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 53, 0), False),
])
def test_which_versions_have_the_wal_reset_bug(version: tuple[int, ...], buggy: bool):
    assert has_reset_bug(version) is buggy


@pytest.mark.parametrize("buggy", [True, False])
def test_an_applications_connection_checkpoints_only_where_that_is_safe(
        path: Path, monkeypatch: pytest.MonkeyPatch, buggy: bool):
    monkeypatch.setattr(connection_module, "has_reset_bug", lambda version: buggy)
    connection = sqlite3.connect(path)
    connection_module.spare_checkpoints(connection)
    assert (connection.execute("pragma wal_autocheckpoint").fetchone() == (0,)) is buggy
    connection.close()
