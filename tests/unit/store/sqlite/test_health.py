"""What is said of a SQLite file's surroundings, from what the system tells about them."""

from pathlib import Path
from types import ModuleType

import pytest

from penstock.domain.finding import Level
from penstock.store.sqlite.health import checkpoints, durability, libraries, place

ONE = "7f00-7f01 r--p 00000000 08:01 1    /usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6\n"
OTHER = "7f02-7f03 r--p 00000000 08:01 2    /srv/venv/pyproj.libs/libsqlite3-9c5cbb1c.so.0.8.6\n"
MOUNTS = "/dev/sda1 / ext4 rw 0 0\nbindfs /mnt/bind fuse.bindfs rw 0 0\n/dev/sdb1 /mnt/stick fuseblk rw 0 0\n"


@pytest.mark.parametrize(("version", "level"), [
    ((3, 40, 1), Level.WARNING), ((3, 51, 2), Level.WARNING), ((3, 51, 3), Level.OK), ((3, 50, 7), Level.OK),
])
def test_a_sqlite_that_may_damage_a_file_is_named(version: tuple[int, ...], level: Level):
    found = checkpoints(version)
    assert found.level is level
    assert f"SQLite {'.'.join(map(str, version))} " in found.found
    assert bool(found.remedy) == (level is Level.WARNING)


def test_one_library_is_all_there_should_be():
    assert libraries(ONE * 4, {}).level is Level.OK
    assert libraries("", {}).level is Level.OK  # a system that does not tell


def test_two_libraries_are_named():
    found = libraries(ONE + OTHER, {})
    assert found.level is Level.WARNING
    assert "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6" in found.found
    assert "/srv/venv/pyproj.libs/libsqlite3-9c5cbb1c.so.0.8.6" in found.found


def test_a_module_with_a_sqlite_of_its_own_counts_unless_it_says_that_it_has_none():
    apsw = ModuleType("apsw")
    assert "the module apsw" in libraries(ONE, {"apsw": apsw}).found
    apsw.using_amalgamation = False  # type: ignore[attr-defined]
    assert libraries(ONE, {"apsw": apsw}).level is Level.OK
    assert "the module pysqlite3" in libraries(ONE, {"pysqlite3": ModuleType("pysqlite3")}).found


@pytest.mark.parametrize(("path", "level", "kind"), [
    ("/srv/store.db", Level.OK, "ext4"), ("/mnt/bind/store.db", Level.WARNING, "fuse.bindfs"),
    ("/mnt/stick/store.db", Level.WARNING, "fuseblk"),
])
def test_a_file_system_in_user_space_is_named(path: str, level: Level, kind: str):
    found = place(Path(path), MOUNTS)
    assert found.level is level
    assert kind in found.found


def test_a_system_without_a_list_of_mounts_says_nothing():
    assert place(Path("/srv/store.db"), "").level is Level.OK


def test_what_does_not_outlive_a_loss_of_power_is_a_fault():
    assert durability({"journal_mode": "wal", "synchronous": "2"}).level is Level.OK
    assert durability({"journal_mode": "wal", "synchronous": "3"}).level is Level.OK
    found = durability({"journal_mode": "wal", "synchronous": "1"})
    assert (found.level, found.found) == (Level.FAULT, "journal_mode = wal, synchronous = normal")
