"""Limits where users spend them: in tasks, in syncs, and in code of their own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock import Concurrency, Penstock, Quota, Rate
from penstock.domain.errors import ConfigurationError, DeclarationError, GateClosed, Limited, Throttled, Unavailable
from penstock.domain.jobs import Claimed
from penstock.queue.claim import settle
from penstock.sync.state.runs import latest_runs
from tests.clock import Clock
from tests.conformance.limits.conftest import Time
from tests.conformance.sync_app import Directory
from tests.engine import Engine

QUEUE = "default"


@pytest.fixture
def timed(app: Penstock, time: Time) -> Penstock:
    app.monotonic, app.sleep = time.monotonic, time.sleep
    return app


class TestPages:
    def test_keys_come_page_by_page_and_by_how_they_begin(self, timed: Penstock) -> None:
        timed.limits(*(Quota(5, per="day", by=f"crm-{number}") for number in range(5)))
        timed.limits(Rate(9, per="second", by="crm-1"))
        for number in range(5):
            with timed.limit(f"crm-{number}"):
                pass
        timed.gate("crm-3").close("down", by="somebody")
        timed.gate("sync:doors:acme").close("asked for a pause")
        found: list[str] = []
        start: str | None = ""
        while start is not None:
            states, start = timed.limit_page(start=start, limit=2)
            assert 0 < len(states) <= 2
            found += [each.key for each in states]
        assert found == [f"crm-{number}" for number in range(5)]
        [one], rest = timed.limit_page(begins="crm-1")
        assert ([use.used for use in one.limits if use.ahead_seconds is None], len(one.limits), rest) == ([1], 2, None)
        assert [each.gate for each in timed.limit_page(begins="crm-3")[0]] == ["closed"]
        assert timed.limit_page(begins="z") == ([], None)
        assert [gate.key for gate in timed.shut_gates()] == ["crm-3", "sync:doors:acme"]
        assert [gate.key for gate in timed.shut_gates(begins="sync")] == ["sync:doors:acme"]


class TestUserCode:
    def test_a_block_spends_of_every_limit_of_its_key(self, timed: Penstock, time: Time):
        timed.limits(Rate(10, per="second", by="crm"), Quota(25, per="day", by="crm"))
        began = time.seconds
        for _ in range(20):
            with timed.limit("crm"):
                pass
        assert time.seconds - began == pytest.approx(19 * 0.106, rel=0.05)
        with pytest.raises(Limited, match="crm: the quota of 25 changes a day is spent"), timed.limit("crm", weight=6):
            pass

    def test_what_a_task_declares_under_a_shared_name_counts_for_all(self, timed: Penstock):
        timed.limits(Quota(5, per="day", by="crm"))
        timed.task(name="call", limits=[Quota(2, per="day", by="crm")])(lambda: None)
        for _ in range(2):
            with timed.limit("crm"):
                pass
        with pytest.raises(Limited, match="quota of 2 "), timed.limit("crm"):
            pass

    def test_the_lowest_number_of_places_holds(self, timed: Penstock):
        timed.limits(Concurrency(3, by="crm"), Concurrency(2, by="crm"))
        held = [timed.limit("crm").acquire() for _ in range(2)]
        with pytest.raises(Limited, match="2 at a time"), timed.limit("crm", timeout=0.1):
            pass
        for permit in held:
            permit.done()

    def test_async_blocks_share_it(self, timed: Penstock, app: Penstock):
        timed.limits(Concurrency(2, by="crm"), Rate(1000, per="second", by="crm"))
        most, now = [0], [0]

        async def one(pair: asyncio.Barrier) -> None:
            async with limit:
                now[0] += 1
                most[0] = max(most[0], now[0])
                await pair.wait()  # until a second one is inside too
                now[0] -= 1

        async def many() -> None:
            async with asyncio.timeout(30):
                pair = asyncio.Barrier(2)
                await asyncio.gather(*(one(pair) for _ in range(6)))

        import time as real
        app.monotonic, app.sleep = real.monotonic, real.sleep
        limit = timed.limit("crm")
        asyncio.run(many())
        assert most[0] == 2

    def test_a_block_that_is_refused_closes_the_gate(self, timed: Penstock):
        timed.limits(Rate(100, per="second", by="crm"))
        with pytest.raises(Throttled), timed.limit("crm"):
            raise Throttled(60)
        assert timed.gate("crm").state == "closed"
        with pytest.raises(GateClosed), timed.limit("crm"):
            pass

    def test_what_cannot_be_is_refused(self, app: Penstock):
        app.limits(Rate(10, per="second", by="crm"), Concurrency(3, by="crm"))
        with pytest.raises(ConfigurationError, match=r"expected the key of a limit, got 'cmr'; did you mean 'crm'\?"):
            app.limit("cmr").acquire()
        with pytest.raises(ConfigurationError, match="expected at most 3, since crm gives 3 at a time, got 4: cut the"):
            app.limit("crm", weight=4).acquire()
        with pytest.raises(ConfigurationError, match="weight: expected a whole number of at least 1, got 0"):
            app.limit("crm", weight=0)
        with pytest.raises(ConfigurationError, match="timeout: expected seconds"):
            app.limit("crm", timeout=-1)
        with pytest.raises(DeclarationError, match="expected by= a name that others share"):
            app.limits(Rate(10, per="second"))
        with pytest.raises(DeclarationError, match="expected Rate, Quota or Concurrency, got 5"):
            app.limits(5)  # type: ignore[arg-type]

    def test_gates_are_for_people_too(self, timed: Penstock, time: Time):
        gate = timed.gate("crm")
        gate.close("maintenance", lasting=timedelta(minutes=10), by="ann")
        found = gate.look()
        assert found is not None
        assert (found.state, found.closed_by, found.reason) == ("closed", "ann", "maintenance")
        gate.close("longer", until=datetime.now(UTC) + timedelta(days=1))
        assert [each.key for each in timed.limit_states() if each.gate == "closed"] == ["crm"]
        assert gate.open()
        assert gate.state == "open"
        for wrong in ({"until": datetime(2030, 1, 1)}, {"lasting": timedelta(0)},  # noqa: DTZ001
                      {"until": datetime.now(UTC), "lasting": timedelta(1)}):
            with pytest.raises(ConfigurationError, match="expected"):
                gate.close("x", **wrong)  # type: ignore[arg-type]


class TestTasks:
    def engine(self, app: Penstock, clock: Clock) -> Engine:
        return Engine(app, clock)

    def admitted(self, engine: Engine, task: Any, *values: Any) -> list[Claimed]:
        """Claimed jobs of a task, one for each value, in their order."""
        found = []
        for value in values:
            task.enqueue(value)
            engine.clock.advance(11)  # the line gives them one after the other, at the pace of the limit
            engine.dispatch()
            found += engine.claim(QUEUE, 1)
        return found

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_attempt_spends_a_permit_or_waits_uncounted(self, timed: Penstock, time: Time, clock: Clock,
                                                           asynchronous: bool):
        ran = []
        task: Any
        if asynchronous:
            async def abody(customer: int) -> None:
                ran.append(customer)

            task = timed.task(name="call", limits=[Rate(6, per="minute", by="customer")])(abody)
        else:
            def body(customer: int) -> None:
                ran.append(customer)

            task = timed.task(name="call", limits=[Rate(6, per="minute", by="customer")])(body)
        engine = self.engine(timed, clock)
        jobs = self.admitted(engine, task, 1, 2)
        timed.spending.acquire(task.limits.needs(jobs[0].arguments)).done()  # as an attempt elsewhere has just done
        outcomes = [asyncio.run(engine.executor.arun(engine.attempt(job))) if asynchronous else engine.execute(job)
                    for job in jobs]
        assert [(outcome.state, outcome.counted) for outcome in outcomes] == [("scheduled", 0), ("completed", 1)]
        assert 9_000 < outcomes[0].delay_ms < 11_000
        assert ran == [2]

    def test_a_serial_key_keeps_its_order_while_its_first_waits_for_a_permit(self, timed: Penstock, time: Time,
                                                                             clock: Clock):
        ran: list[int] = []

        def body(customer: int, number: int) -> None:
            ran.append(number)

        task: Any = timed.task(name="call", serial="customer", limits=[Rate(6, per="minute", by="customer")])(body)
        engine = self.engine(timed, clock)
        timed.spending.acquire(task.limits.needs('{"customer":1,"number":0}')).done()
        for number in (1, 2):
            task.enqueue(1, number)
        for _ in range(2):
            engine.dispatch()
            for job in engine.claim(QUEUE, 2):
                settle(timed.store, [engine.execute(job)])
        assert (ran, engine.claim(QUEUE, 2)) == ([], [])
        assert clock.fetch("select state, attempt from penstock.live_jobs order by id") == [
            ("retryable", 0), ("pending", 0)]
        for _ in range(3):
            time.passes(11)
            timed.upkeep().stage()
            engine.dispatch()
            for job in engine.claim(QUEUE, 2):
                settle(timed.store, [engine.execute(job)])
        assert ran == [1, 2]

    def test_one_that_runs_at_most_once_is_not_settled_before_it_has_its_permit(self, timed: Penstock, clock: Clock):
        ran: list[int] = []
        task: Any = timed.task(name="call", delivery="at_most_once", limits=[Quota(1, per="day")])(ran.append)
        from penstock.worker.delivery import Delivery
        from penstock.worker.executor import Executor

        engine = self.engine(timed, clock)
        engine.executor = Executor(timed.tasks, timed.events, delivery=Delivery(timed.store))
        outcomes = [engine.execute(job).state for job in self.admitted(engine, task, 0, 1)]
        assert sorted(outcomes) in (["completed", "scheduled"], ["discarded", "scheduled"])
        assert len(ran) == 1

    def test_a_body_that_is_refused_closes_the_gate_of_its_key_alone(self, timed: Penstock, clock: Clock):
        def body(customer: str) -> None:
            raise Throttled(30)

        task: Any = timed.task(name="call", limits=[Rate(100, per="second", by="customer")])(body)
        engine = self.engine(timed, clock)
        [job] = self.admitted(engine, task, "a")
        engine.execute(job)
        assert (timed.gate("call:a").state, timed.gate("call:b").state) == ("closed", "open")


class TestSyncs:
    @contextmanager
    def directory(self, url: str, clock: Clock, time: Time, *limits: Any) -> Iterator[tuple[Directory, Engine]]:
        directory = Directory(groups={"g1": {f"p{number}": f"name {number}" for number in range(20)}})
        with directory.app(url, clock.expression, limits=limits) as app:
            app.monotonic, app.sleep = time.monotonic, time.sleep
            yield directory, Engine(app, clock)

    def test_a_change_spends_a_permit_and_the_run_says_how_many(self, store_url: str, clock: Clock, time: Time):
        with self.directory(store_url, clock, time, Rate(5, per="second", by="account")) as (directory, engine):
            [run] = engine.sync("people", "g1")
            assert (run.status, run.permits) == ("succeeded", 20)
            assert run.limited_ms > 2500
            assert len(directory.people.records) == 20

    def test_a_run_whose_quota_is_spent_goes_on_later_at_no_attempt(self, store_url: str, clock: Clock, time: Time):
        with self.directory(store_url, clock, time, Quota(8, per="hour", by="token")) as (directory, engine):
            [run] = engine.sync("people", "g1")
            assert (run.status, run.attempt, run.error_class) == ("pending", 0, "Limited")
            assert len(directory.people.records) in range(1, 9)
            for _ in range(4):
                time.passes(3600)
                engine.register()
                engine.settle_all()
            [run] = latest_runs(engine.app.store, "people", ["g1"])[0]
            assert run.status == "succeeded"
            assert len(directory.people.records) == 20
            assert not [status for status, _, _ in engine.state("People").values() if status != "synced"]

    def test_errors_of_the_connection_close_the_gate_of_the_account(self, store_url: str, clock: Clock, time: Time):
        with self.directory(store_url, clock, time) as (directory, engine):
            for _ in range(3):
                directory.people.before = Unavailable("connection refused", sent=False)
                engine.sync("people", "g1")
                time.passes(120)
            assert engine.app.gate("sync:people:acme").state == "closed"
