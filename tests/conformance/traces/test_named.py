"""`penstock.trace`: any code, with or without an app around it."""

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import penstock
from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.observe import reading
from penstock.observe.trace import CALLED, QUERIED, active
from tests.clock import START_MS, Clock

SPAN = START_MS - 3_600_000, START_MS + 3_600_000


def kept(app: Penstock) -> dict[str, tuple[int, int]]:
    """How many traces there were of each name, and how many of them failed."""
    assert app.recorder is not None
    app.recorder.flush()
    return {seen.name: (seen.traces, seen.failed) for seen in reading.traces(app.store, *SPAN)}


def tell(text: str) -> None:
    trace = active.get()
    assert trace is not None
    trace.enter(QUERIED)
    trace.leave(QUERIED)
    trace.statement(text, "psycopg", None, 1000, 1, None)


def test_a_block_is_traced(app: Penstock):
    with penstock.trace("nightly", app=app):
        tell("select a")
    assert active.get() is None
    with pytest.raises(ValueError, match="no"), penstock.trace("nightly", app=app):
        raise ValueError("no")
    assert kept(app) == {"nightly": (2, 1)}
    (seen,) = reading.traces(app.store, *SPAN)
    assert seen.kind == "trace"
    assert seen.cpu_us is not None


def test_functions_and_coroutines_are_traced_and_stay_what_they_are(app: Penstock):
    @penstock.trace("plain", app=app)
    def plain(depth: int) -> int:
        """Says so."""
        return depth if depth == 0 else plain(depth - 1)

    @penstock.trace("coroutine", app=app)
    async def coroutine(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def several() -> list[int]:
        return await asyncio.gather(*(coroutine(number) for number in range(3)))

    assert plain(2) == 0
    assert (plain.__name__, plain.__doc__) == ("plain", "Says so.")
    assert asyncio.run(several()) == [0, 1, 2]
    assert kept(app) == {"plain": (3, 0), "coroutine": (3, 0)}


def test_the_outer_trace_counts_what_the_inner_did(app: Penstock):
    with penstock.trace("outer", app=app):
        outer = active.get()
        assert outer is not None
        tell("select a")
        for _ in range(2):
            with penstock.trace("inner"):  # the app is that of the trace around it
                tell("select a")
                tell("select b")
                inner = active.get()
                assert inner is not None
                inner.enter(CALLED)
                inner.leave(CALLED)
        tell("select c")
    assert sum(outer.phases) == outer.took_ns
    assert outer.phases[CALLED] > 0
    assert kept(app) == {"outer": (1, 0), "inner": (2, 0)}
    found = {of[1]: {seen.text: (seen.calls, seen.traces, seen.most_calls) for seen in each}
             for of, each in reading.statements(app.store, *SPAN).items()}
    assert found["inner"] == {"select a": (2, 2, 1), "select b": (2, 2, 1)}
    assert sum(calls for calls, _, _ in found["outer"].values()) == 6
    assert all(traces == 1 for _, traces, _ in found["outer"].values())


def test_inner_traces_that_overlap_leave_the_outer_its_wall_time(app: Penstock):
    async def part(name: str, go: asyncio.Event, tell_: asyncio.Event) -> None:
        with penstock.trace(name):
            tell_.set()
            await go.wait()
            tell("select a")

    async def main() -> None:
        one, two, begun, begun_too = (asyncio.Event() for _ in range(4))
        with penstock.trace("outer", app=app):
            outer = active.get()
            first, second = (asyncio.create_task(part(*each)) for each in (("a", one, begun), ("b", two, begun_too)))
            await begun.wait()
            await begun_too.wait()
            one.set()
            await first
            tell("select b")
            two.set()
            await second
        assert outer is not None
        assert sum(outer.phases) == outer.took_ns

    asyncio.run(main())
    assert kept(app) == {"outer": (1, 0), "a": (1, 0), "b": (1, 0)}


def test_it_can_be_switched_off(store_url: str, clock: Clock):
    with Penstock(store_url, now=clock.expression, traces=False) as app:
        with penstock.trace("nightly", app=app):
            assert active.get() is None
        assert app.recorder is None
        assert reading.traces(app.store, *SPAN) == []


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\0b", 5])
def test_what_is_no_name_is_refused(name: object):
    with pytest.raises(ConfigurationError, match="trace: expected a name"):
        penstock.trace(name)  # type: ignore[arg-type]


def test_what_is_no_app_is_refused():
    with pytest.raises(ConfigurationError, match="trace: app: expected a Penstock, got str"):
        penstock.trace("nightly", app="module:app")  # type: ignore[arg-type]


SCRIPT = """
    import penstock
    {app}
    with penstock.trace("nightly"{given}):
        print("done")
"""


def script(folder: Path, app: str = "", given: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    file = folder / "nightly.py"
    file.write_text(textwrap.dedent(SCRIPT).format(app=app, given=given))
    return subprocess.run([sys.executable, str(file)], cwd=folder, env={"PATH": "", **environment}, text=True,
                          capture_output=True, timeout=60, check=True)


def test_a_script_that_never_closes_its_app_leaves_its_trace(store_url: str, tmp_path: Path):
    ran = script(tmp_path, f"app = penstock.Penstock({store_url!r})", ", app=app")
    assert (ran.stdout, ran.stderr) == ("done\n", "")
    with Penstock(store_url) as app:
        assert [seen.name for seen in reading.traces(app.store, 0, 2**60)] == ["nightly"]


def test_an_app_is_found_when_its_traces_are_written(store_url: str, tmp_path: Path):
    (tmp_path / "shop.py").write_text(f"import penstock\napp = penstock.Penstock({store_url!r})\n")
    ran = script(tmp_path, PENSTOCK_APP="shop:app")
    assert (ran.stdout, ran.stderr) == ("done\n", "")
    with Penstock(store_url) as app:
        assert [seen.name for seen in reading.traces(app.store, 0, 2**60)] == ["nightly"]


@pytest.mark.parametrize(("environment", "says"), [
    ({}, "expected an app, got none: say app= in penstock.trace, set PENSTOCK_APP"),
    ({"PENSTOCK_APP": "nowhere:app"}, "no module 'nowhere'"),
])
def test_without_an_app_there_is_a_warning_and_no_harm(tmp_path: Path, environment: dict[str, str], says: str):
    ran = script(tmp_path, **environment)
    assert ran.stdout == "done\n"
    assert ran.stderr.count(says) == 1


def test_a_store_out_of_reach_does_no_harm(tmp_path: Path):
    ran = script(tmp_path, "app = penstock.Penstock('sqlite:///no/such/folder/store.db')", ", app=app")
    assert ran.stdout == "done\n"
    assert "traces cannot be kept for now" in ran.stderr


FORKS = """
    import os
    import penstock
    app = penstock.Penstock({url!r})
    with penstock.trace("before", app=app):
        pass
    child = os.fork()
    with penstock.trace("parent" if child else "child", app=app):
        pass
    if child:
        os.waitpid(child, 0)
"""


def test_a_child_of_a_fork_writes_what_is_its_own(store_url: str, tmp_path: Path):
    file = tmp_path / "forks.py"
    file.write_text(textwrap.dedent(FORKS).format(url=store_url))
    ran = subprocess.run([sys.executable, str(file)], env={"PATH": ""}, text=True, capture_output=True, timeout=60,
                         check=True)
    assert "traces cannot be kept" not in ran.stderr
    with Penstock(store_url) as app:
        assert {seen.name: seen.traces for seen in reading.traces(app.store, 0, 2**60)} == {
            "before": 1, "parent": 1, "child": 1}
