"""`penstock init`: what it writes works, and so do the commands that it prints, typed as they stand."""

import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.cli.test_commands import run
from tests.processes import Child

Init = Callable[..., tuple[int, str]]


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with `penstock` and `python`, as they are on the path of somebody who installed Penstock."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in (("penstock", "-m penstock.cli"), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


class Shell:
    """Runs shell commands in one folder."""

    def __init__(self, folder: Path, commands: Path) -> None:
        self.folder = folder
        self._path = f"{commands}:/usr/bin:/bin"

    @contextmanager
    def running(self, *lines: str, **environment: str) -> Iterator[Child]:
        child = Child(["/bin/sh", "-ec", "\n".join(lines)], self.folder, {"PATH": self._path, **environment})
        try:
            yield child
        finally:
            child.close()

    def says(self, *lines: str, code: int = 0, **environment: str) -> list[str]:
        with self.running(*lines, **environment) as child:
            said = child.rest()
            assert child.wait() == code, said
        return said

    def init(self, *arguments: str) -> list[str]:
        """The commands that `penstock init` says to type next."""
        said = self.says(f"penstock init {' '.join(arguments)}")
        return [line.strip() for line in said if line.startswith("  ")]


@pytest.fixture
def shell(tmp_path: Path, commands: Path) -> Shell:
    folder = tmp_path / "new app"
    folder.mkdir()
    return Shell(folder, commands)


def test_a_task_runs_with_the_commands_that_are_printed(shell: Shell):
    export, worker, enqueue = shell.init()
    assert worker.startswith("penstock worker ")
    with shell.running(export, f"exec {worker}") as working:
        shell.says(export, enqueue)
        working.line("Hello, Ada!")
        working.process.terminate()
        assert working.wait() == 0, working.rest()


def test_a_sync_is_planned_and_carried_out_with_the_commands_that_are_printed(shell: Shell):
    assert shell.says(*shell.init("--sync")) == [
        "all:", "  People: 3 to create, 0 to update, 0 to delete, 0 unchanged", "    + 1", "    + 2", "    + 3",
        "3 changes in at least 1 call; no earlier run tells how long it takes",
        'create 1 {"email":"first@example.com","name":"First Person"}',
        'create 2 {"email":"zweite@example.com","name":"Zweite Person"}',
        'create 3 {"email":"ucuncu@example.com","name":"Üçüncü Kişi"}',
        "all: succeeded, 3 read, 3 created",
        "all:", "  People: 0 to create, 0 to update, 0 to delete, 3 unchanged", "Nothing to send.",
    ]


def test_another_folder_is_made_and_gone_to(shell: Shell):
    printed = shell.init("--sync", "'sub folder/app'")
    assert printed[0] == "cd 'sub folder/app'"
    export, plan = printed[1:3]
    assert "  People: 3 to create, 0 to update, 0 to delete, 0 unchanged" in shell.says(printed[0], export, plan)


def test_a_table_of_ones_own_on_sqlite_is_found_from_another_folder(shell: Shell):
    with closing(sqlite3.connect(shell.folder / "shop.db")) as connection, connection:
        connection.execute('create table "order" (number text primary key, "net \\ total" real)')
        connection.execute('''insert into "order" values ('A-1', 9.5)''')
    query = shlex.quote('select * from "order"')
    said = shell.says(*shell.init("--source", "sqlite:///shop.db", "--query", query, "--key", "number", "app"))
    assert r'create A-1 {"net \\ total":9.5}' in said
    assert "  Records: 0 to create, 0 to update, 0 to delete, 1 unchanged" in said


def test_a_table_of_ones_own_on_postgresql_is_named_by_the_environment_alone(shell: Shell, postgres_url: str):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table public.people (id uuid primary key, name text)")
        connection.execute("insert into people values ('00000000-0000-0000-0000-000000000007', 'Zoë')")
    printed = shell.init("--source", f"'{postgres_url}'", "--table", "public.people", "--key", "id")
    assert postgres_url not in (shell.folder / "app.py").read_text("utf-8")
    export, source, _, sync, _ = printed
    assert source.startswith("export SOURCE_URL=…")
    said = shell.says(export, sync, SOURCE_URL=postgres_url)
    assert 'create 00000000-0000-0000-0000-000000000007 {"name":"Zoë"}' in said


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Init:
    """`penstock init` where no process of its own is needed, in `tmp_path`: its code, and what it says of an error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str]:
        code = run(monkeypatch, "init", *arguments)
        return code, capsys.readouterr().err

    return command


def test_what_exists_is_left_alone(tmp_path: Path, init: Init):
    (tmp_path / "app.py").write_text("# mine")
    assert init("--sync") == (
        1, "error: app.py exists already: name another folder, or overwrite it with --force\n")
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]
    assert (tmp_path / "app.py").read_text() == "# mine"
    (tmp_path / "people.db").write_text("not ours")
    assert init("--sync", "--force") == (0, "")
    assert "class People" in (tmp_path / "app.py").read_text("utf-8")
    assert (tmp_path / "people.db").read_text() == "not ours"


@pytest.mark.parametrize(("arguments", "code", "complaint"), [
    ("--source sqlite:///gone.db --table people --key id", 1, "gone.db"),
    ("--source sqlite:///gone.db --table people", 2, "--source needs --key, and either --table or --query"),
    ("--source mysql://h/d --table people --key id", 2, "got the scheme 'mysql'"),
    ("--table people", 2, "about the database that --source names"),
    ("app.txt/sub", 1, "cannot be written"),
])
def test_what_cannot_be_done_is_said_and_nothing_is_written(
        tmp_path: Path, init: Init, arguments: str, code: int, complaint: str):
    (tmp_path / "app.txt").write_text("a file, no folder")
    ended, said = init(*arguments.split())
    assert ended == code
    assert complaint in " ".join(said.split())
    assert [path.name for path in tmp_path.iterdir()] == ["app.txt"]
