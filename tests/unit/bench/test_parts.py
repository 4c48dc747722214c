"""What benchmarks share says what it measured, and refuses what would make a figure worthless."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import names
from bench.peers.build import NAMES, version
from bench.report import report
from bench.resident import pss_mb, tree, tree_mb
from bench.server import Postgres
from bench.tally import Tally


def test_only_benchmarks_have_names() -> None:
    found = names()
    assert {"diff", "drain", "enqueue", "io", "latency"} <= set(found)
    assert not {"report", "server", "app", "ours", "raw", "peers", "arms"} & set(found)
    assert not [name for name in found if "_" in name]


def test_a_benchmark_of_one_store_refuses_to_be_told_which() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "diff", "--store", "sqlite"], capture_output=True, text=True,
                          cwd=Path(__file__).parents[3])
    assert done.returncode == 2
    assert "diff has one store only" in done.stderr


def test_a_server_that_may_lose_what_it_confirmed_is_refused(postgres_server: str) -> None:
    """That of the tests is one: it runs with fsync off."""
    if os.environ.get("PENSTOCK_TEST_POSTGRES"):
        pytest.skip("whether the server that PENSTOCK_TEST_POSTGRES names is durable is not ours to say")
    with pytest.raises(SystemExit, match="fsync: expected on, got off"):
        Postgres(postgres_server)


def test_a_tally_ends_with_its_last_job() -> None:
    ended: list[bool] = []
    tally = Tally(2, lambda: ended.append(True))
    tally.begins()
    tally.ends()
    assert not tally.done.is_set()
    tally.ends()
    assert tally.done.is_set()
    assert ended == [True]
    assert tally.seconds > 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_the_memory_of_a_process_is_that_of_its_children_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in tree(os.getpid())
        assert tree_mb(os.getpid()) > pss_mb(os.getpid()) > 1
        child.communicate(b"\n")


def test_the_last_line_of_a_report_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    report("drain", {"jobs": 2}, {"vs_raw": 0.9}, {"vs_raw": (">=", 0.8)}, store="postgres")
    *table, last = capsys.readouterr().out.splitlines()
    said = json.loads(last)
    assert "holds" in "\n".join(table)
    assert said["figures"] == {"vs_raw": 0.9}
    assert said["machine"]["store"] == "postgres"


@pytest.mark.parametrize("name", NAMES)
def test_every_peer_is_pinned_and_has_a_driver(name: str) -> None:
    assert version(name)
    assert (Path(__file__).parents[3] / "bench" / "peers" / f"{name}.py").is_file()
