"""Encryption at rest: what is stored tells nothing, opens for its own job alone, and outlives a change of keys."""

import asyncio
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Concurrency, Keyring, Penstock, Rate, Result, Unique
from penstock.domain.errors import ConfigurationError, DeclarationError, MissingKey, SealBroken
from penstock.queue.claim import settle
from penstock.testing import assert_enqueued, drain, inline
from tests.caller import caller, transaction
from tests.clock import Clock
from tests.conformance.envelopes.conftest import NEW, OLD, Apps
from tests.conformance.envelopes.test_versions import DONE, ends

pytest.importorskip("cryptography")

Log = list[Any]


def paying(log: Log, **options: Any) -> Any:
    def declare(app: Penstock) -> None:
        @app.task(name="pay", **{"encrypt": True, **options})
        def pay(iban: str, pence: int) -> None:
            log.append((iban, pence))

    return declare


def stored(clock: Clock) -> list[str]:
    return [arguments for (arguments,) in clock.fetch("select arguments from penstock.jobs order by id")]


def test_what_is_stored_does_not_tell_and_what_runs_is_told(apps: Apps, clock: Clock):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    job = engine.app.tasks["pay"].enqueue("DE89 3704", 5)
    assert engine.app.tasks["pay"].enqueue("DE89 3704", 5).id == job.id + 1
    one, two = stored(clock)
    assert one.startswith('[{"key":"k1"},"')
    assert "3704" not in one
    assert one != two  # equal arguments do not look alike
    assert ends(engine) == [DONE, DONE]
    assert log == [("DE89 3704", 5)] * 2
    assert stored(clock) == [one, two]  # what has ended is kept as it was


def test_in_bulk_by_every_way_each_job_opens(apps: Apps, clock: Clock, store_url: str):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    app, pay = engine.app, engine.app.tasks["pay"]

    @app.task(name="plain")
    def plain(number: int) -> None:
        log.append(("plain", number))

    calls = [plain.call(n) if n % 3 else pay.call("iban", n) for n in range(1300)]
    jobs = app.enqueue_many(calls)
    assert [job.task for job in jobs] == ["plain" if n % 3 else "pay" for n in range(1300)]
    with transaction(store_url) as connection:
        jobs += app.using(connection=connection).enqueue_many([pay.call("tx", 1), plain.call(2)])
        jobs.append(pay.using(connection=connection, run_after=timedelta(minutes=-1)).enqueue("tx", 3))
    jobs.append(asyncio.run(pay.aenqueue("async", 4)))
    assert [job.id for job in jobs] == sorted({job.id for job in jobs})
    assert len(ends(engine, 1400)) == 1304
    assert sorted(log, key=str) == sorted([("plain" if n % 3 else "iban", n) for n in range(1300)] + [
        ("tx", 1), ("plain", 2), ("tx", 3), ("async", 4)], key=str)


def test_a_callers_rollback_leaves_nothing_of_it(apps: Apps, clock: Clock, store_url: str):
    engine = apps({"k1": NEW}, paying([]))
    pay = engine.app.tasks["pay"]
    with closing(caller(store_url)) as connection:
        pay.using(connection=connection).enqueue("x", 1)
        connection.rollback()
    pay.enqueue("y", 2)
    assert len(stored(clock)) == 1
    assert ends(engine) == [DONE]


def test_a_connection_that_commits_each_statement_by_itself_enqueues_as_well(apps: Apps, store_url: str):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    pay = engine.app.tasks["pay"]
    with closing(caller(store_url)) as connection:
        if store_url.startswith("sqlite"):
            connection.isolation_level = None
        else:
            connection.autocommit = True
        jobs = engine.app.using(connection=connection).enqueue_many(pay.call("x", n) for n in range(5))
        pay.enqueue("y", 5)
    assert len({job.id for job in jobs}) == 5
    assert ends(engine) == [DONE] * 6
    assert sorted(log) == [*(("x", n) for n in range(5)), ("y", 5)]


def test_a_requeued_job_opens_again(apps: Apps):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    job = engine.app.tasks["pay"].enqueue("x", 1)
    assert ends(engine) == [DONE]
    assert engine.app.requeue(job.id)
    assert ends(engine) == [DONE]
    assert log == [("x", 1)] * 2


def test_ticks_of_a_periodic_task_are_sealed_each_for_itself(apps: Apps, clock: Clock):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    engine.app.periodic("payday", engine.app.tasks["pay"].call("x", 1), every=timedelta(minutes=1), missed="all")
    engine.app.scheduler().step()
    clock.advance(180)
    engine.app.scheduler().step()
    assert all(text.startswith('[{"key":"k1"}') for text in stored(clock))
    assert ends(engine) == [DONE] * 3


def test_what_was_moved_from_another_job_does_not_open(apps: Apps, clock: Clock):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    one = engine.app.tasks["pay"].enqueue("mine", 1)
    two = engine.app.tasks["pay"].enqueue("yours", 2)
    clock.fetch("update penstock.live_jobs set arguments = (select arguments from penstock.live_jobs where"
                f" id = {one.id}) where id = {two.id} returning id")
    assert ends(engine) == [DONE, ("retryable", "SealBroken", 1)]
    assert log == [("mine", 1)]
    row = engine.app.job(two.id)
    assert "were changed, or belong to another job" in (row.error if row and row.error else "")


@pytest.mark.parametrize("body", ['"AAAA"', '"no base64"', "5", '""', '{"iban":"x","pence":1}'])
def test_what_was_tampered_with_does_not_open(apps: Apps, clock: Clock, body: str):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    engine.app.tasks["pay"].enqueue("x", 1)
    clock.fetch(f"update penstock.live_jobs set arguments = '[{{\"key\":\"k1\"}},{body}]' returning id")
    assert ends(engine) == [("retryable", "SealBroken", 1)]
    assert log == []


@pytest.mark.parametrize("keys", [None, {"k2": NEW}])
def test_a_job_whose_key_is_not_here_waits_for_a_worker_that_has_it(apps: Apps, clock: Clock, keys: Any):
    log: Log = []
    job = apps({"k1": OLD}, paying(log)).app.tasks["pay"].enqueue("x", 1)
    engine = apps(keys, paying(log, encrypt=False))
    assert ends(engine) == [("retryable", "MissingKey", 0)]
    row = engine.app.job(job.id)
    assert row is not None
    assert "sealed with the key 'k1', and this app has" in (row.error or "")
    with pytest.raises(MissingKey):
        engine.app.job(job.id, reveal=True)
    clock.advance(61)
    whole = apps({"k2": NEW, "k1": OLD}, paying(log))
    whole.upkeep()
    assert ends(whole) == [DONE]
    assert log == [("x", 1)]


def test_keys_change_while_jobs_wait_and_equal_jobs_still_meet(apps: Apps, clock: Clock):
    log: Log = []
    before = apps({"k1": OLD}, paying(log, unique=Unique())).app.tasks["pay"]
    after = apps({"k2": NEW, "k1": OLD}, paying(log, unique=Unique()))
    assert not before.enqueue("x", 1).skipped
    assert after.app.tasks["pay"].enqueue("x", 1).skipped
    assert not after.app.tasks["pay"].enqueue("y", 2).skipped
    assert [text[:15] for text in stored(clock)] == ['[{"key":"k1"},"', '[{"key":"k2"},"']
    assert ends(after) == [DONE, DONE]
    assert log == [("x", 1), ("y", 2)]


def test_a_unique_key_does_not_tell_what_it_was_made_of(apps: Apps, clock: Clock):
    plain = apps(None, paying([], encrypt=False, unique=Unique())).app.tasks["pay"].call("x", 1)
    ours = apps({"k1": NEW}, paying([], unique=Unique())).app.tasks["pay"].call("x", 1)
    others = apps({"k1": OLD}, paying([], unique=Unique())).app.tasks["pay"].call("x", 1)
    assert len({plain.unique_key, ours.unique_key, others.unique_key}) == 3


def test_jobs_of_before_still_run(apps: Apps):
    log: Log = []
    apps(None, paying(log, encrypt=False)).app.tasks["pay"].enqueue("x", 1)
    engine = apps({"k1": NEW}, paying(log))
    assert ends(engine) == [DONE]
    assert log == [("x", 1)]


def test_only_who_has_the_key_and_asks_is_shown(apps: Apps):
    engine = apps({"k1": NEW}, paying([]))
    job = engine.app.tasks["pay"].enqueue("DE89", 1)
    shown, revealed = engine.app.job(job.id), engine.app.job(job.id, reveal=True)
    assert shown is not None
    assert revealed is not None
    assert (shown.arguments, revealed.arguments) == ('"(encrypted)"', '{"iban":"DE89","pence":1}')


def test_errors_and_events_do_not_quote_what_is_sealed(apps: Apps):
    def declare(app: Penstock) -> None:
        @app.task(name="pay", encrypt=True)
        def pay(iban: str, notes: list[str]) -> None:
            raise ValueError(f"no account {iban!r} for {notes}")

    told: list[Any] = []
    engine = apps({"k1": NEW}, declare)
    engine.app.listen(told.append)
    job = engine.app.tasks["pay"].enqueue("DE89\n3704", ["rent of ann"])
    [claimed] = engine.claim("default")
    settle(engine.app.store.control, [engine.execute(claimed)])
    row = engine.app.job(job.id)
    assert row is not None
    assert row.error is not None
    assert "no account '•••' for ['•••']" in row.error
    assert "3704" not in f"{row.error}{told}"
    assert "rent" not in f"{row.error}{told}"


def test_tests_see_what_was_given(apps: Apps):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log))
    pay = engine.app.tasks["pay"]
    pay.enqueue("DE89", 1)
    assert_enqueued(engine.app, pay, "DE89")
    with pytest.raises(AssertionError) as failure:
        assert_enqueued(engine.app, pay, "FR76")
    assert "DE89" not in str(failure.value)
    assert "FR76" not in str(failure.value)
    drain(engine.app)
    with inline(engine.app):
        pay.enqueue("DE90", 2)
    assert log == [("DE89", 1), ("DE90", 2)]


@pytest.mark.parametrize("options", [
    {"serial": "iban"}, {"concurrency": Concurrency(2, by="iban")}, {"limits": [Rate(5, per="second", by="iban")]},
])
def test_a_key_of_what_is_sealed_is_refused(app: Penstock, store_url: str, options: dict[str, Any]):
    with Penstock(store_url, encryption=Keyring({"k": NEW})) as keyed, pytest.raises(
            DeclarationError, match="the values of 'iban' are encrypted or marked as secret"):
        paying([], **options)(keyed)


def test_an_app_without_keys_cannot_declare_it(app: Penstock):
    with pytest.raises(DeclarationError, match="set PENSTOCK_ENCRYPTION_KEYS"):
        paying([])(app)


def test_keys_come_from_the_environment_and_are_shown_nowhere(store_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", f"new:{NEW}, old:{OLD}")
    with Penstock(store_url) as app:
        assert app.keyring is not None
        assert app.keyring.names == ("new", "old")
        assert NEW not in f"{app.settings!r}{app.keyring!r}"


@pytest.mark.parametrize("text", ["new", f"new:{NEW[:-4]}", f"new:{NEW},new:{OLD}", f"n w:{NEW}", ",", "a:b:c"])
def test_a_key_that_is_none_is_refused_and_not_shown(store_url: str, text: str):
    with pytest.raises(ConfigurationError) as refused:
        Penstock(store_url, encryption_keys=text)
    assert NEW[:12] not in str(refused.value)


def test_results_of_sealed_jobs_are_sealed(apps: Apps, clock: Clock):
    def declare(app: Penstock) -> None:
        @app.task(name="pay", encrypt=True, result=Result())
        def pay(iban: str) -> str:
            return f"paid to {iban}"

    engine = apps({"k1": NEW}, declare)
    jobs = [engine.app.tasks["pay"].enqueue(iban) for iban in ("DE89", "FR76")]
    drain(engine.app)
    assert [job.result(timeout=0) for job in jobs] == ["paid to DE89", "paid to FR76"]
    [(one,), (two,)] = clock.fetch("select result from penstock.job_results order by job_id")
    assert one.startswith('sealed [{"key":"k1"},')
    assert "paid" not in one + two
    clock.fetch("update penstock.job_results set result = (select result from penstock.job_results where"
                f" job_id = {jobs[0].id}) returning 1")
    with pytest.raises(SealBroken):
        engine.app.result(jobs[1].id, timeout=0)
    with inline(engine.app):
        assert engine.app.tasks["pay"].enqueue("IT60").result() == "paid to IT60"


def test_one_that_replaces_another_is_sealed_for_the_job_that_is_there(apps: Apps):
    log: Log = []
    engine = apps({"k1": NEW}, paying(log, unique=Unique(args=("iban",), conflict="replace")))
    pay = engine.app.tasks["pay"]
    first = pay.enqueue("x", 1)
    assert pay.enqueue("x", 2).id == first.id
    assert ends(engine) == [DONE]
    assert log == [("x", 2)]
