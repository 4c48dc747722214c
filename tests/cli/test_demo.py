"""`penstock demo`: it tells the truth about what it did, and leaves nothing behind, however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest

from penstock.cli.demo import source
from penstock.cli.demo.compare import differences
from penstock.cli.demo.memory import PeakMemory
from penstock.cli.demo.server import scim_server
from penstock.connectors import scim
from penstock.domain.records import Calls
from tests.cli.test_commands import run
from tests.cli.tree import hold
from tests.processes import Child, penstock
from tests.waiting import until

KEYS = ["read", "created", "updated", "deleted", "skipped", "failed", "write_calls", "seconds", "peak_mb"]
SMALL = ("--people", "300", "--groups", "6")


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Child]:
    """A demo whose temporary folders are made in `folder`/tmp."""
    (folder / "tmp").mkdir(exist_ok=True)
    with penstock("demo", *options, folder=folder, TMPDIR=str(folder / "tmp")) as child:
        yield child


def started(child: Child) -> tuple[int, str]:
    """The worker's process id and the server's URL, as the demo tells them."""
    found = re.search(r"a worker \(process (\d+)\); a SCIM server at (http://\S+);", child.line("a worker"))
    assert found
    return int(found[1]), found[2]


def assert_nothing_is_left(folder: Path, worker: int, url: str) -> None:
    assert list((folder / "tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url, trust_env=False)


@pytest.mark.parametrize("store_url", [
    "postgres", pytest.param("sqlite", marks=pytest.mark.thorough)], indirect=True)  # as the next test does, on a file
def test_three_runs_end_with_an_equal_destination(store_url: str, tmp_path: Path):
    with demo(tmp_path, *SMALL, "--store", store_url, "--json") as child:
        worker, url = started(child)
        lines = child.rest()
        assert child.wait() == 0, lines
    assert_nothing_is_left(tmp_path, worker, url)
    result = hold("demo", lines[-1])
    assert list(result) == ["runs", "equal"]
    assert result["equal"] is True
    first, changed, unchanged = result["runs"]
    assert [list(run) for run in result["runs"]] == [KEYS] * 3
    assert first["created"] > 600  # people, groups and memberships
    assert first["created"] + first["skipped"] == first["read"]
    assert (changed["created"], changed["updated"], changed["deleted"]) == (1, 2, 1)
    assert (unchanged["skipped"], unchanged["write_calls"]) == (unchanged["read"], 0)
    assert [unchanged[name] for name in ("created", "updated", "deleted")] == [0, 0, 0]
    assert all(run["failed"] == 0 and run["seconds"] > 0 and run["peak_mb"] > 1 for run in result["runs"])


@pytest.mark.thorough
def test_a_second_demo_in_the_same_folder_begins_anew(tmp_path: Path):
    for _ in range(2):
        with demo(tmp_path, "--people", "60", "--groups", "3", "--dir", "kept") as child:
            said = child.rest()
            assert child.wait() == 0, said
        table = {row[0]: row[1:] for line in said if len(row := re.split(r"\s{2,}", line.strip())) == 4}
        assert table["created"][2] == table["of them write calls"][2] == "0"
        assert int(table["created"][0]) > 120
        assert said[-1] == "Read back over HTTP, the destination equals the source."
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"penstock-demo-hr.db", "penstock.db",
                                                                    "scim-server.log", "worker.log"}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [
    (signal.SIGINT, 130), *(pytest.param(number, code, marks=pytest.mark.thorough)
                          for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)))])
def test_a_demo_that_is_stopped_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int):
    with demo(tmp_path) as child:
        worker, url = started(child)
        child.signal(number)
        assert child.wait() == code, child.rest()
    assert_nothing_is_left(tmp_path, worker, url)


def test_a_worker_that_dies_ends_the_demo_and_is_named(tmp_path: Path):
    with demo(tmp_path) as child:
        worker, url = started(child)
        os.kill(worker, signal.SIGKILL)
        assert child.line("error: ") == "error: the worker was killed by signal 9; it said:"
        assert child.wait() == 1
    assert_nothing_is_left(tmp_path, worker, url)


@pytest.mark.parametrize(("options", "code", "complaint"), [
    (("--store", "sqlite:///no/such/folder/x.db"), 1, "expected a folder"),
    (("--store", "mysql://host/db"), 2, "got scheme 'mysql'"),
    (("--dir", "file/sub"), 1, "error: --dir file/sub: "),
    (("--people", "0"), 2, "'--people'"),
])
def test_what_cannot_be_done_is_said_at_once(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...],
        code: int, complaint: str):
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    assert run(monkeypatch, "demo", *options) == code
    assert complaint in capsys.readouterr().err
    assert list((tmp_path / "tmp").iterdir()) == []


def content(path: Path) -> list[Any]:
    with source.opened(path) as connection:
        return [connection.execute(f"select * from {table} order by 1, 2").fetchall()
                for table in ("person", "door_group", "member")]


def test_a_seed_makes_the_same_people_again_and_another_makes_others(tmp_path: Path):
    contents = []
    for seed in (1, 1, 2):
        source.generate(tmp_path / "hr.db", people=50, groups=5, seed=seed)
        before = content(tmp_path / "hr.db")
        source.change(tmp_path / "hr.db", seed=seed)
        contents.append([before, content(tmp_path / "hr.db")])
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]
    assert contents[0][0] != contents[0][1]


def test_everybody_has_a_group_and_some_have_two(tmp_path: Path):
    source.generate(tmp_path / "hr.db", people=1000, groups=20, seed=4)
    assert source.change(tmp_path / "hr.db", seed=4) == source.Changed(renamed=4, readdressed=3, moved=3)
    with source.opened(tmp_path / "hr.db") as connection:
        counts = dict(connection.execute("select groups, count(*) from (select count(*) as groups from person"
                                         " left join member using (employee_id) group by employee_id) group by groups"))
        sizes = connection.execute("select sum(size) from door_group").fetchone()[0]
    assert set(counts) == {1, 2}
    assert 150 < counts[2] < 250
    assert sizes == counts[1] + 2 * counts[2]


@pytest.mark.parametrize(("people", "groups"), [(1, 1), (3, 1), (1, 5)])
def test_the_smallest_companies_change_as_well(tmp_path: Path, people: int, groups: int):
    source.generate(tmp_path / "hr.db", people=people, groups=groups, seed=1)
    before = content(tmp_path / "hr.db")
    source.change(tmp_path / "hr.db", seed=1)
    assert content(tmp_path / "hr.db") != before


def test_the_comparison_finds_what_differs(tmp_path: Path):
    hr = tmp_path / "hr.db"
    source.generate(hr, people=1, groups=1, seed=1)
    with scim_server(tmp_path / "log", print) as destination:
        assert [line.split()[0] for line in differences(hr, destination)] == ["user", "group", "member"]
        with scim.connect(destination.url, token=destination.token) as client:
            for name in ("e1001@acme.example", "somebody.else@acme.example"):
                body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
                        "displayName": "Not the name", "externalId": "E1001"}
                assert client.request("POST", "/Users", Calls(), body=json.dumps(body).encode()).ok
        told = differences(hr, destination)
    assert sum("is missing from the destination" in line for line in told) == 3
    assert any(line.startswith("user somebody.else@acme.example") and "is not in the source" in line for line in told)


def test_a_server_that_dies_is_named(tmp_path: Path):
    with scim_server(tmp_path / "log", print) as destination:
        destination.check()
        destination.process.kill()
        destination.process.wait()
        with pytest.raises(click.ClickException, match="scim2-server ended with exit code -9"):
            destination.check()


def test_memory_is_measured_anew_after_a_reset():
    grow = "import sys; sys.stdin.readline(); a = bytearray(80 << 20); del a; print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", grow], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        memory = PeakMemory(process.pid)
        memory.reset()
        before = memory.peak_mb()
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        assert memory.peak_mb() > before + 70
        memory.reset()
        assert memory.peak_mb() < before + 70
        memory.close()
        process.stdin.close()


def test_memory_is_sampled_where_the_system_does_not_keep_its_peak(monkeypatch: pytest.MonkeyPatch):
    def refused(path: Path, text: str) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refused)
    with closing(PeakMemory(os.getpid())) as memory:
        memory.reset()
        assert until("a sample", memory.peak_mb) > 10
