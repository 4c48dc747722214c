"""Versions: a job that was enqueued by older code fits, one of newer code waits, and none is lost."""

from typing import Any

import pytest

from penstock import Penstock, Unique
from penstock.domain.errors import DeclarationError
from penstock.queue.claim import settle
from penstock.testing import all_enqueued, assert_enqueued
from tests.caller import transaction
from tests.clock import Clock
from tests.conformance.envelopes.conftest import Apps
from tests.engine import Engine

Log = list[Any]


def first(app: Penstock, log: Log) -> Any:
    @app.task(name="greet")
    def greet(name: str) -> None:
        log.append(("first", name))

    return greet


def third(app: Penstock, log: Log, **more: Any) -> Any:
    steps = {1: lambda given: {"first": given["name"].split()[0], "last": given["name"].split()[1]},
             2: lambda given: {"person": given}}

    @app.task(name="greet", **{"version": 3, "upgrade": steps, **more})
    def greet(person: dict[str, str]) -> None:
        log.append(("third", person))

    return greet


def ends(engine: Engine, count: int = 10) -> list[tuple[str, str | None, int]]:
    """What became of the jobs that are claimed now: their states, error classes, and the attempts counted."""
    told = []
    for job in sorted(engine.claim("default", count), key=lambda job: job.id):
        outcome = engine.execute(job)
        settle(engine.app.store.control, [outcome])
        told.append((outcome.state, outcome.error_class, outcome.counted))
    return told


DONE = ("completed", None, 1)


def test_jobs_of_older_code_are_upgraded_step_by_step(apps: Apps, clock: Clock):
    log: Log = []
    old = apps()
    first(old.app, log).enqueue("Ann Lee")
    new = apps()
    greet = third(new.app, log)
    greet.enqueue({"first": "Bo", "last": "Ek"})
    assert clock.fetch("select arguments from penstock.jobs order by id") == [
        ('{"name":"Ann Lee"}',), ('[{"v":3},{"person":{"first":"Bo","last":"Ek"}}]',)]
    assert ends(new) == [DONE, DONE]
    assert log == [("third", {"first": "Ann", "last": "Lee"}), ("third", {"first": "Bo", "last": "Ek"})]


def test_versions_travel_in_bulk_and_in_the_callers_transaction(apps: Apps, store_url: str):
    log: Log = []
    engine = apps()
    greet = third(engine.app, log)
    engine.app.enqueue_many(greet.call({"first": str(n)}) for n in range(1200))
    with transaction(store_url) as connection:
        greet.using(connection=connection).enqueue({"first": "mine"})
    assert ends(engine, 1201) == [DONE] * 1201
    assert [person["first"] for _, person in log] == [*map(str, range(1200)), "mine"]


def test_a_job_of_newer_code_waits_for_a_worker_that_has_it(apps: Apps, clock: Clock):
    log: Log = []
    old, new = apps(), apps()
    first(old.app, log)
    job = third(new.app, log).enqueue({"first": "Ann"})
    assert ends(old) == [("retryable", "NewerArguments", 0)]
    row = old.app.job(job.id)
    assert row is not None
    assert row.attempt == 0
    assert "of version 3, and this code knows them up to 1" in (row.error or "")
    clock.advance(61)
    new.upkeep()
    new.register()  # in so long a time its worker was lost
    assert ends(new) == [DONE]
    assert log == [("third", {"first": "Ann"})]


def test_a_version_that_nothing_upgrades_is_a_failure_that_keeps_the_job(apps: Apps, clock: Clock):
    log: Log = []
    first(apps().app, log).enqueue("Ann Lee")
    engine = apps()
    third(engine.app, log, upgrade={2: dict})
    assert ends(engine) == [("retryable", "InvalidArguments", 1)]
    [(arguments, error)] = clock.fetch("select arguments, error from penstock.jobs")
    assert arguments == '{"name":"Ann Lee"}'
    assert "version 1, which nothing upgrades: expected upgrade={1: …}" in error


@pytest.mark.parametrize(("step", "error_class"), [
    (lambda given: [given], "InvalidArguments"), (lambda given: given["other"], "KeyError"),
    (lambda given: {"person": "a text"}, "InvalidArguments"), (lambda given: {"person": {1}}, "InvalidArguments"),
])
def test_an_upgrade_that_gives_what_does_not_fit_is_a_failure(apps: Apps, step: Any, error_class: str):
    log: Log = []
    first(apps().app, log).enqueue("Ann Lee")
    engine = apps()
    third(engine.app, log, version=2, upgrade={1: step})
    assert ends(engine) == [("retryable", error_class, 1)]


@pytest.mark.parametrize("arguments", ['[{"v":1,"later":true},{}]', '[{"v":"x"},{}]'])
def test_a_header_that_this_penstock_does_not_know_is_held(apps: Apps, clock: Clock, arguments: str):
    log: Log = []
    engine = apps()
    first(engine.app, log).enqueue("Ann")
    clock.fetch(f"update penstock.live_jobs set arguments = '{arguments}' returning id")
    assert ends(engine) == [("retryable", "NewerArguments", 0)]
    (id,) = clock.fetch("select id from penstock.jobs")[0]
    row = engine.app.job(id)
    assert row is not None
    assert row.arguments == '"(of another version of Penstock)"'


@pytest.mark.parametrize("arguments", ["[]", "[1]", "[{},{},{}]", "[{}", "[[],[]]", "[{},[]]", ""])
def test_what_is_no_envelope_is_a_failure_and_not_more(apps: Apps, clock: Clock, arguments: str):
    engine = apps()
    first(engine.app, []).enqueue("Ann")
    clock.fetch(f"update penstock.live_jobs set arguments = '{arguments}' returning id")
    [(state, error_class, _)] = ends(engine)
    assert (state, error_class in ("InvalidArguments", "NewerArguments")) == ("retryable", True)


def test_a_unique_key_goes_by_the_arguments_alone(apps: Apps):
    engine = apps()
    greet = third(engine.app, [], unique=Unique())
    assert not greet.enqueue({"first": "Ann"}).skipped
    assert greet.enqueue({"first": "Ann"}).skipped


def test_what_waits_is_told_as_this_code_would_have_enqueued_it(apps: Apps):
    first(apps().app, []).enqueue("Ann Lee")
    engine = apps()
    greet = third(engine.app, [])
    assert_enqueued(engine.app, greet, {"first": "Ann", "last": "Lee"})
    assert [job.arguments for job in all_enqueued(engine.app)] == [{"person": {"first": "Ann", "last": "Lee"}}]


@pytest.mark.parametrize(("options", "fault"), [
    ({"version": 0}, "version: expected a whole number of at least 1"),
    ({"version": True}, "version: expected a whole number"),
    ({"version": 2, "upgrade": {2: dict}}, "expected versions from 1 to 1, below version=2, got 2"),
    ({"version": 2, "upgrade": dict}, "expected a function for each older version"),
    ({"version": 2, "upgrade": {1: "no"}}, "expected a function of the arguments"),
])
def test_what_cannot_be_is_refused_where_it_is_declared(app: Penstock, options: dict[str, Any], fault: str):
    with pytest.raises(DeclarationError, match=fault):
        app.task(**options)(lambda: None)
