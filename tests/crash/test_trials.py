"""`kill -9` in the middle of a trial: what is left behind is found and dropped by the next command."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from penstock.advise.asking.options import Options
from penstock.advise.asking.postgres.connection import NAME, connect
from penstock.advise.session import advise
from penstock.advise.trial.left_over import COMMENT, drop_left_over, held, left_over, new_name
from tests.advise.databases import batches, everything, indexes, make_trap
from tests.databases import database
from tests.processes import python
from tests.waiting import until

KILLS = int(os.environ.get("PENSTOCK_CRASH_KILLS", "3"))
MOMENTS = ("explain (analyze", "create index", "drop index", "comment on", "commit", "rollback")
"""What the trial's session is doing, or did last, when its process is killed."""
TRYING = "import sys; from tests.crash.trials_app import main; main(*sys.argv[1:])"
_DOING = """
select exists (select from pg_stat_activity where datname = current_database() and application_name = %s
               and query ilike %s and pid <> pg_backend_pid())
"""
_ALIVE = "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"


@pytest.fixture
def urls(postgres_server: str) -> Iterator[tuple[str, str]]:
    """A database that may be experimented on, and one for scratch schemas."""
    with database(postgres_server, None) as url, database(postgres_server, None) as own:
        make_trap(url)
        yield url, own


def test_nothing_stays_behind_however_often_a_trial_is_killed(urls: tuple[str, str], tmp_path: Path):
    url, own = urls
    known, before, before_own = indexes(url), everything(url), everything(own)
    random = Random(6)
    left, behind = 0, list[tuple[str, str]]()
    with psycopg.connect(url, autocommit=True) as watching:
        for number in range(KILLS):
            moment = MOMENTS[number % len(MOMENTS)]
            with python(TRYING, url, own, folder=tmp_path) as trying:
                trying.line("confirmed by real")  # by now it has dropped what was left behind
                assert not {*behind} & {*left_over(watching)}
                trying.line("building")
                for _ in range(random.randrange(1, 4)):
                    until(moment, lambda moment=moment: watching.execute(_DOING, [NAME, f"{moment}%"]).fetchone()
                          == (True,))
                trying.signal(signal.SIGKILL)
                trying.wait()
            until("the end of its sessions", lambda: watching.execute(_ALIVE, [NAME]).fetchone() == (0,))
            behind = left_over(watching)
            left += bool(behind)
    (found,) = advise([batches()], url, copy=url, options=Options(role=None))
    assert found.first is not None
    assert found.first.confidence == "confirmed"
    assert indexes(url) == known
    assert everything(url) == before
    assert everything(own) == before_own
    assert left > 0 or KILLS < 10, "no kill left anything behind, so this proved nothing"
    print(f"{KILLS} kills, {left} of which left an index behind for the next command to drop")


def test_an_interrupted_trial_drops_its_index_itself(urls: tuple[str, str], tmp_path: Path):
    url, own = urls
    before = everything(url)
    with psycopg.connect(url, autocommit=True) as watching, python(TRYING, url, own, folder=tmp_path) as trying:
        until("a measurement", lambda: left_over(watching))
        trying.signal(signal.SIGINT)
        trying.wait()
        assert left_over(watching) == [], trying.rest()
    assert everything(url) == before


def test_a_trial_that_is_interrupted_while_it_drops_its_index_drops_it_all_the_same(urls: tuple[str, str],
                                                                                   monkeypatch: pytest.MonkeyPatch):
    url, own = urls
    execute, interrupted = psycopg.Connection.execute, threading.Event()

    def interrupt(connection: Any, query: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(query, bytes) and query.startswith(b"drop index if exists") and not interrupted.is_set():
            interrupted.set()
            signal.raise_signal(signal.SIGINT)
        return execute(connection, query, *rest, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        advise([batches()], url, copy=url, own=own, options=Options(role=None))
    assert interrupted.is_set()
    with psycopg.connect(url) as watching:
        assert left_over(watching) == []


def test_the_index_of_a_trial_that_is_alive_is_left_alone(urls: tuple[str, str]):
    url, _ = urls
    with contextlib.closing(connect(url)) as other:
        name = new_name()
        with held(other, name):
            other.execute(f"create index {name} on records (payload)".encode())
            other.execute(f"comment on index {name} is '{COMMENT} {name}'".encode())
            with contextlib.closing(connect(url)) as mine:
                assert drop_left_over(mine, wait_ms=50) == []
                assert name in indexes(url)
        with contextlib.closing(connect(url)) as mine:
            assert drop_left_over(mine) == [name]


def test_an_index_of_that_name_without_the_tag_is_somebody_elses(urls: tuple[str, str]):
    url, _ = urls
    with contextlib.closing(connect(url)) as mine:
        mine.execute("create index penstock_trial_00000001 on records (payload)")
        assert drop_left_over(mine) == []
