"""`penstock traces` and `penstock why TASK`, over traces of a small app."""

import json
import sys

import pytest

from tests.cli.conftest import Command, Written
from tests.conformance.traces.keeping import Traced, asked, called

APP = """
from penstock import Penstock

app = Penstock({url!r})


@app.task(name="shop.send")
def send(): ...
"""
SECOND = 1_000_000
BATCH = "select id, amount from record where client_id = %s and id > %s order by id limit 1000"


@pytest.fixture
def penstock(written: Written, store_url: str) -> Command:
    """Runs a command on the app, and gives its exit code and what it printed."""
    command = written("shop_app", APP.format(url=store_url))

    assert command("migrate")[0] == 0
    return command


@pytest.fixture
def seen(penstock: Command) -> None:
    """A night's work: a calculation in batches, one that failed, a push of users, and many small jobs."""
    with sys.modules["shop_app"].app as app:
        traced = Traced(app.store)
        with traced.trace("nightly", took_us=50 * SECOND, cpu_us=SECOND) as trace:
            asked(trace, BATCH, [(6, n) for n in range(90)], took_us=500_000, rows=1000)
            asked(trace, "select name from author where id = %s", [(n,) for n in range(400)], took_us=5000, rows=1)
            trace.flame = {"main;calculate": 30, "main": 2}
        with traced.trace("push", took_us=10 * SECOND, phase="called") as trace:
            called(trace, "PUT", [f"/users/{n}" for n in range(30)], took_us=300_000)
        traced.traced("nightly", took_us=SECOND, failed=True, error="ValueError: no such client", job_id=7)
        traced.traced("shop.send", kind="task", took_us=20_000, times=25, phase="computed")
        traced.recorder.close()


def test_traces_lists_what_takes_the_time(penstock: Command, seen: None) -> None:
    headings, first, second, third = penstock("traces")[1].splitlines()
    assert headings.split()[:6] == ["KIND", "NAME", "TRACES", "FAILED", "TOTAL", "SHARE"]
    assert first.split()[:8] == ["trace", "nightly", "2", "1", "51", "s", "84%", "1"]
    assert "queried 100%" in first
    assert second.split()[1] == "push"
    assert third.split()[:2] == ["task", "shop.send"]
    assert penstock("traces", "--by", "count", "--limit", "1")[1].splitlines()[1].split()[1] == "shop.send"
    rows = json.loads(penstock("traces", "--by", "failed", "--kind", "trace", "--json")[1])["traces"]
    assert [row["name"] for row in rows] == ["nightly", "push"]
    assert penstock("traces", "--by", "failing", "--limit", "1")[1].splitlines()[1].split()[1] == "nightly"
    assert penstock("traces", "--trend")[1].count("too few to tell") == 3
    (row, *_) = json.loads(penstock("traces", "--trend", "--json")[1])["traces"]
    assert row["trend"]["verdict"] == "too few"


def test_traces_of_a_name_show_its_patterns_statements_and_calls(penstock: Command, seen: None) -> None:
    out = penstock("traces", "nightly")[1]
    assert "trend of each trace: too few to tell: 2 in the last day" in out
    assert "slow batches: 90 calls, each 1,000 rows, 500 ms each: 45 s of 51 s" in out
    assert "n+1: 400 calls, each at most one row, 5 ms each: 2 s of 51 s" in out
    assert "  faster: ask for all of them at once" in out
    assert f"  {BATCH}" in out
    assert "PUT api.example.com/users/*" in penstock("traces", "push")[1]
    found = json.loads(penstock("traces", "nightly", "--json")[1])
    assert [each["kind"] for each in found["patterns"]] == ["slow batches", "n+1"]
    assert found["traces"][0]["trend"]["verdict"] == "too few"


def test_statements_single_traces_and_stacks(penstock: Command, seen: None) -> None:
    headings, first, second = penstock("traces", "--statements")[1].splitlines()
    assert headings.split() == ["TOTAL", "SHARE", "CALLS", "ROWS", "MEAN", "MAX", "NAME", "AT", "STATEMENT"]
    assert first.split()[:7] == ["45", "s", "88%", "90", "90,000", "500", "ms"]
    assert second.endswith("select name from author where id = %s")
    lines = penstock("traces", "nightly", "--runs")[1].splitlines()
    assert "45 s select id, amount from record" in lines[1]
    assert lines[2].split()[4:8] == ["1", "s", "yes", "7"]
    failed = penstock("traces", "nightly", "--runs", "--failed")[1].splitlines()
    assert failed[1:] == [lines[2]]
    assert "no trace that failed is kept" in penstock("traces", "--runs", "--failed", "--kind", "layer")[1]
    assert penstock("traces", "--flame", "nightly")[1] == "main 2\nmain;calculate 30\n"
    assert json.loads(penstock("traces", "--flame", "nightly", "--json")[1]) == {
        "stacks": {"main": 2, "main;calculate": 30}}
    file = json.loads(penstock("traces", "--speedscope", "nightly")[1])
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert (file["name"], file["profiles"][0]["weights"]) == ("nightly", [20, 300])


def test_where_nothing_was_traced_it_says_what_is(penstock: Command) -> None:
    for arguments in ([], ["nightly"], ["--statements"], ["--runs"], ["--flame", "nightly"], ["--kind", "subject"]):
        assert "nothing was traced in that time" in penstock("traces", *arguments)[1]
    assert json.loads(penstock("traces", "--json")[1]) == {"traces": []}


@pytest.mark.parametrize(("arguments", "fault"), [
    (["--runs", "--statements"], "expected at most one of --runs"),
    (["--flame", "a", "--speedscope", "a"], "expected at most one of --runs"),
    (["--kind", "account", "--runs"], "statistics know of no single traces"),
    (["--statements", "--by", "cpu"], "by: expected one of total, max, count, failed, got 'cpu'"),
    (["--failed"], "--failed: expected --runs beside it"),
    (["--since", "soon"], "--since: expected a time such as 90s"),
    (["--by", "totl"], "totl"),
    (["directory", "--kind", "subject"], "this app declares no sync 'directory'"),
])
def test_what_cannot_be_asked_is_said(penstock: Command, arguments: list[str], fault: str) -> None:
    code, out, error = penstock("traces", *arguments)
    assert (code, out) == (2, "")
    assert fault in error


def test_why_a_name_is_slow_fits_in_ten_lines(penstock: Command, seen: None) -> None:
    code, out, _ = penstock("why", "nightly")
    assert code == 0
    lines = out.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        "nightly", "where", "how long", "trend", "worst", "slow batches", "n+1", "failed", "next"]
    assert lines[0] == ("nightly: 2 traces in the last day took 51 s, 84% of what all traces took; 1 failed")
    assert "queried 100%" in lines[1]
    assert lines[4].split(": ", 1)[1].lstrip().startswith("88%: 45 s of 51 s: `select id, amount from record")
    assert lines[7].endswith("(job 7): ValueError: no such client")
    assert "penstock advise nightly: an index on" in lines[8]
    found = json.loads(penstock("why", "nightly", "--json")[1])
    assert (found["ranked"]["traces"], found["worst"]["calls"]) == (2, 90)


def test_why_always_answers(penstock: Command, seen: None) -> None:
    code, out, _ = penstock("why", "nigthly")
    assert code == 1
    assert "did you mean 'nightly'?" in out
    assert penstock("why", "push")[1].splitlines()[-1].startswith("  next:          a bulk endpoint")
