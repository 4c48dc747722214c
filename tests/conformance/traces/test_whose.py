"""Statements that a source of Penstock's asks are told as those of the layer that declares it."""

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from penstock import Penstock, Window, instrument, uninstrument
from penstock.connectors import SQLSource
from penstock.domain.traces import CallSite
from penstock.sync import Done, Layer, Run, Subject, Sync
from tests.clock import Clock


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    instrument("sqlite3")
    yield
    uninstrument()


def test_a_sources_statements_are_its_layers(app: Penstock, clock: Clock, tmp_path: Path):
    hr = tmp_path / "hr.db"
    with closing(sqlite3.connect(hr)) as made, made:
        made.executescript("create table person (id text primary key, name text); insert into person values (1, 'Ann')")

    class People(Layer):
        key, on_delete, mode = "id", "keep", "create_only"
        source = SQLSource(f"sqlite:///{hr}", "select id, name from person", key="id")

        def create(self, changes, run: Run):
            with closing(sqlite3.connect(hr)) as found:
                assert found.execute("select count(*) from person").fetchone() == (1,)
            return [Done(f"remote-{change.key}") for change in changes]

    @app.sync("hr")
    class Hr(Sync):
        layers = (People,)

        def subjects(self):
            yield Subject("all")

    app.migrate()
    app.request([{"sync": "hr", "subject": "all", "priority": 0, "reason": ""}])
    app.drain(Window(total=60, headroom=5), slots=1)
    assert app.recorder is not None
    app.recorder.flush()
    lines, first = inspect.getsourcelines(People)
    source = first + next(place for place, line in enumerate(lines) if "source =" in line)
    read: list[CallSite] = []
    for each in app.work("hr/People", kind="layer").statements:
        if "count(*)" in each.text:
            assert each.sites[0].function.endswith("People.create")
        else:
            read += each.sites
    assert {(each.file, each.line, each.function) for each in read} == {
        (__file__, source, f"{People.__qualname__}.source")}
