"""`penstock top`: what it shows, once and live."""

import io
import signal
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from rich.console import Console

from penstock.cli.top.drawing import frame, plain, shared
from penstock.cli.top.seen import Executing, Queue, Top, Worker, ordered
from penstock.limits.telling import KeyState, Use
from tests.cli.conftest import Written
from tests.terminals import terminal

APP = '''
from penstock import Penstock

app = Penstock()


@app.task(name="send", queue="mail")
def send(to: str) -> None: ...


@app.task(name="sum", queue="figures")
def sum_up() -> None: ...
'''


def queue(name: str, **said: Any) -> Queue:
    return Queue(**{"name": name, "waiting": 0, "later": 0, "age_ms": None, "executing": 0, "slots": None,
                    "per_minute": 0.0, "failed_per_minute": 0.0, "paused": False, **said})


SEEN = Top(1_800_000_000_000,
           [queue("mail", waiting=1200, age_ms=90_000, executing=3, slots=10, per_minute=41.5, later=7),
            queue("figures", waiting=2, age_ms=600_000, paused=True, failed_per_minute=1.0)],
           [Executing(41, "send", "mail", 2, 61_000, 12.5, "host-1"),
            Executing(42, "send", "mail", 1, 900, None, None)],
           [Worker(1, "host-1", 4711, 3_600_000, 80 << 20, 14, 3, True),
            Worker(2, "host-2", None, 60_000, None, None, 0, False)],
           [KeyState("crm", (Use("rate", 10, ahead_seconds=2.5), Use("quota", 100, used=5))),
            KeyState("shop", (), "closed", 1, 30.0, "503", "app")])


def test_one_frame_as_plain_lines():
    lines = [line.split() for line in plain(SEEN, "waiting").splitlines()]
    assert lines[0] == "2027-01-15 08:00:00 UTC, 1,202 waiting, 3 running in 10 slots of 1 workers".split()
    assert lines[3] == "mail 1,200 1 min 30 s 3 10 7 41.5 0.0 on".split()
    assert lines[4] == "figures 2 10 min 0 - 0 0.0 1.0 paused".split()
    assert "41 send mail 2 1 min 1 s 12% host-1".split() in lines
    assert "host-1 4711 1 h 80 MB 14 3 alive".split() in lines
    assert "host-2 - 1 min - - 0 lost".split() in lines
    assert "crm open rate: 2.5 s ahead".split() in lines
    assert "shop closed, 30 s 503".split() in lines


def test_where_there_is_nothing_it_says_so():
    text = plain(Top(0, [], [], [], []), "age")
    assert "no queue has had a job yet" in text
    assert "no worker is alive: start one with `penstock worker`" in text
    assert "no limit is near its edge, and every gate is open" in text


@pytest.mark.parametrize(("order", "names"), [
    ("name", ["figures", "mail"]), ("waiting", ["mail", "figures"]), ("age", ["figures", "mail"]),
    ("rate", ["mail", "figures"]),
])
def test_queues_are_sorted(order: Any, names: list[str]):
    assert [each.name for each in ordered(SEEN.queues, order)] == names


@pytest.mark.parametrize(("wanted", "lines", "given"), [
    ([2, 50, 1, 1], 20, [2, 16, 1, 1]), ([50, 50, 1, 0], 10, [4, 4, 1, 1]), ([5, 5, 5, 5], 0, [1, 1, 1, 1]),
    ([1, 1, 1, 1], 30, [1, 1, 1, 1]),
])
def test_lines_go_to_whoever_needs_them(wanted: list[int], lines: int, given: list[int]):
    assert shared(wanted, lines) == given


@pytest.mark.parametrize(("height", "width"), [(24, 80), (24, 60), (24, 40), (50, 160)])
def test_a_frame_fits_into_the_terminal(height: int, width: int):
    many = msgspec.structs.replace(SEEN, jobs=[msgspec.structs.replace(SEEN.jobs[0], id=id) for id in range(100)],
                                   queues=[queue(f"queue-{number}", waiting=number) for number in range(100)])
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, no_color=True)
    console.print(frame(many, "waiting", paused=True, height=height, width=width))
    lines = out.getvalue().splitlines()
    assert len(lines) <= height
    assert "display paused" in lines[0]
    assert "more" in out.getvalue()
    assert max(len(click.unstyle(line)) for line in lines) <= width
    headings = next(click.unstyle(line) for line in lines if "QUEUE" in line)
    assert "…" not in headings, "a column is left out before its heading cannot be read"
    assert headings.split()[:2] == ["QUEUE", "WAITING"]


@pytest.mark.parametrize(("use", "near"), [
    (Use("quota", 100, used=79), False), (Use("quota", 100, used=80), True),
    (Use("rate", 10, ahead_seconds=0.9), False),
    (Use("rate", 10, ahead_seconds=1.0), True), (Use("of another version", 0), False),
])
def test_what_is_near_its_edge(use: Use, near: bool):
    assert use.is_near_edge is near
    assert KeyState("key", (use,)).is_near_edge is near
    assert KeyState("key", (), "closed").is_near_edge


def test_without_a_terminal_it_prints_one_frame(written: Written):
    penstock = written("watched", APP)
    assert penstock("migrate")[0] == 0
    module = sys.modules["watched"]
    module.app.enqueue_many([module.send.call("a"), module.send.call("b"), module.sum_up.call()])
    code, out, err = penstock("top", "--sort", "name")
    assert (code, err) == (0, "")
    rows = [line.split()[:2] for line in out.splitlines() if line]
    assert rows.index(["figures", "1"]) < rows.index(["mail", "2"])
    assert "nothing is executing" in out
    code, out, _ = penstock("top", "--json")
    assert {(each["name"], each["waiting"]) for each in msgspec.json.decode(out)["queues"]} == {("mail", 2),
                                                                                               ("figures", 1)}
    module.app.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_on_a_terminal_it_is_live_and_leaves_the_terminal_as_it_was(tmp_path: Path, store_url: str):
    (tmp_path / "watched.py").write_text(APP)
    with terminal("--app", "watched", "top", "--every", "0.5", folder=tmp_path, PENSTOCK_URL=store_url) as screen:
        screen.until("no queue has had a job yet")
        screen.press("s")
        screen.until("now by age")
        screen.press(" ")
        screen.until("display paused")
        screen.until("space go on")
        screen.press(" ")
        screen.until("space pause")
        screen.press("q")
        assert screen.wait() == 0
        assert screen.modes() == screen.before


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_whatever_ends_it_leaves_the_terminal_as_it_was(by: signal.Signals, code: int, tmp_path: Path, store_url: str):
    (tmp_path / "watched.py").write_text(APP)
    with terminal("--app", "watched", "top", "--every", "0.5", folder=tmp_path, PENSTOCK_URL=store_url) as screen:
        screen.until("space pause")
        screen.process.send_signal(by)
        assert screen.wait() == code
        assert screen.modes() == screen.before
