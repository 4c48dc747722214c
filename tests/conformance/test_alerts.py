"""Alerts on both stores: one for each change of state, whoever looks, told at least once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from penstock import Alert, Alerts, Penstock, RetryPolicy, Window
from penstock.alerts.telling import Telling
from penstock.alerts.watch import Watch
from penstock.events import AlertChanged, AlertUntold
from penstock.schedule.history import History
from tests.clock import Clock
from tests.conformance.test_history import finish
from tests.connectors.http.server import Answer, Api, drop
from tests.engine import Engine

MINUTE_MS = 60_000
RULES = Alerts()


class Seen(list[tuple[str, str, str]]):
    """What a receiver was told: kind, about and state."""

    def __call__(self, alert: Alert) -> None:
        self.append((alert.kind, alert.about, alert.state))
        self.last = alert


@pytest.fixture
def seen(engine: Engine) -> Seen:
    found = Seen()
    engine.app.on_alert(found)
    return found


def look(engine: Engine, rules: Alerts = RULES, seconds: float = 5.0) -> None:
    """Count, look and tell, `seconds` after the last time."""
    engine.clock.advance(seconds)
    store = engine.app.store
    history = History(store, timedelta(days=30))
    while history.count():
        pass
    Watch(store, engine.app.events, rules, lambda: engine.app.syncs).look()
    engine.app.alert_telling().step()


def calm(engine: Engine, rules: Alerts = RULES) -> None:
    """Look until what has been found no longer is over."""
    look(engine, rules)
    look(engine, rules, 61)


def firing(engine: Engine) -> list[tuple[str, str]]:
    return [(alert.kind, alert.about) for alert in engine.app.alerts()]


def test_a_run_that_fails_and_one_that_succeeds_are_told_once_each(engine: Engine, seen: Seen) -> None:
    look(engine)
    assert seen == []
    finish(engine, "g1", "failed", error="OSError")
    look(engine)
    look(engine)
    assert seen == [("failing", "account acme of sync people", "firing")]
    assert seen.last.details == {"sync": "people", "account": "acme", "subjects": 1, "some": ["g1"], "streak": 1,
                                 "failing_at": engine.clock.now_ms - 10_000, "error": "OSError: it broke"}
    assert seen.last.summary == "sync people fails for account acme: 1 subject (g1): OSError: it broke"
    finish(engine, "g1", "failed", error="OSError")
    look(engine)
    assert len(seen) == 1
    finish(engine, "g1")
    calm(engine)
    look(engine)
    assert seen[1:] == [("failing", "account acme of sync people", "recovered")]
    assert firing(engine) == []
    assert [(each.kind, each.about, each.state) for each in engine.app.alerts_told()] == seen[::-1]
    assert engine.app.alerts_told(limit=1) == [seen.last]


def test_one_cause_that_breaks_all_subjects_of_an_account_is_one_alert(engine: Engine, seen: Seen) -> None:
    look(engine)
    for number in range(120):
        finish(engine, f"s{number}", "failed", error="OSError")
    look(engine)
    assert seen == [("failing", "account acme of sync people", "firing")]
    assert seen.last.details["subjects"] == 120
    for number in range(119):
        finish(engine, f"s{number}")
    calm(engine)
    assert len(seen) == 1
    finish(engine, "s119")
    calm(engine)
    assert seen[1:] == [("failing", "account acme of sync people", "recovered")]


def test_many_accounts_that_fail_are_one_alert_of_their_sync(engine: Engine, seen: Seen) -> None:
    rules = Alerts(accounts=4)
    finish(engine, "s0", "failed", account="a0", error="OSError")
    look(engine, rules)
    for number in range(1, 9):
        finish(engine, f"s{number}", "failed", account=f"a{number}", error="OSError")
    look(engine, rules)
    assert seen == [("failing", "account a0 of sync people", "firing"), ("failing", "sync people", "firing")]
    assert seen.last.details["accounts"] == 9
    for number in range(3, 9):
        finish(engine, f"s{number}", account=f"a{number}")
    calm(engine, rules)
    assert len(seen) == 2  # three: it goes on until they are half as many as it takes
    finish(engine, "s2", account="a2")
    calm(engine, rules)
    assert seen[2:] == [("failing", "account a1 of sync people", "firing"), ("failing", "sync people", "recovered")]


def test_how_many_failures_in_a_row_it_takes_can_be_said(engine: Engine, seen: Seen) -> None:
    rules = Alerts(failing_runs=3)
    for _ in range(2):
        finish(engine, "g1", "failed", error="OSError")
        look(engine, rules)
    assert seen == []
    finish(engine, "g1", "failed", error="OSError")
    look(engine, rules)
    assert len(seen) == 1


@pytest.fixture
def task(engine: Engine) -> Callable[[bool], None]:
    """Enqueues a job that is completed, or (False) discarded, and runs it."""
    @engine.app.task(name="shop.send", queue="mail", retry=RetryPolicy(max_attempts=1))
    def send(well: bool) -> None:
        if not well:
            raise OSError("no")

    def run(well: bool) -> None:
        from penstock.queue.claim import settle
        send.enqueue(well)
        for job in engine.claim("mail", 10):
            settle(engine.app.store, [engine.execute(job)])
        engine.app.upkeep().step()

    return run


def test_a_task_whose_jobs_are_discarded_fails_and_recovers(engine: Engine, seen: Seen,
                                                            task: Callable[[bool], None]) -> None:
    rules = Alerts(failing_jobs=3)
    task(False)
    look(engine, rules)  # the first look only notes what there is
    for _ in range(3):
        assert seen == []
        task(False)
        look(engine, rules)
    assert seen == [("failing", "task shop.send", "firing")]
    task(True)
    task(False)
    look(engine, rules, 61)
    look(engine, rules, 61)
    assert len(seen) == 1
    task(True)
    calm(engine, rules)
    assert seen[1:] == [("failing", "task shop.send", "recovered")]


def test_a_backlog_that_is_too_old_is_told_and_so_is_that_nothing_moves(
    engine: Engine, seen: Seen, task: Callable[[bool], None]
) -> None:
    rules = Alerts(job_waits=timedelta(minutes=30), no_progress=timedelta(minutes=40))
    task(True)
    engine.app.tasks["shop.send"].enqueue(True)
    engine.app.upkeep().step()
    look(engine, rules)
    look(engine, rules, 29 * 60)
    assert seen == []
    look(engine, rules, 2 * 60)
    assert seen == [("backlog", "queue mail", "firing")]
    look(engine, rules, 10 * 60)
    assert seen[1:] == [("no progress", "queue mail", "firing")]
    task(True)
    calm(engine, rules)
    assert set(seen[2:]) == {("backlog", "queue mail", "recovered"), ("no progress", "queue mail", "recovered")}


def test_keyed_jobs_that_nobody_admits_are_a_backlog_too(engine: Engine, seen: Seen) -> None:
    @engine.app.task(name="shop.ship", queue="ships", serial="customer")
    def ship(customer: int) -> None: ...

    ship.enqueue(1)
    ship.enqueue(1)
    engine.dispatch()
    claimed = engine.claim("ships", 1)
    engine.app.upkeep().step()
    look(engine)
    look(engine, seconds=3600)
    assert seen == []  # its line has one at a time, and that is under way
    from penstock.queue.claim import settle
    settle(engine.app.store, [engine.execute(job) for job in claimed])
    engine.app.pause("ships")  # no dispatcher admits anything
    engine.dispatch()
    engine.app.resume("ships")
    engine.app.upkeep().step()
    look(engine, seconds=3600)
    assert ("backlog", "queue ships", "firing") in seen


def test_a_queue_that_people_paused_is_no_backlog(engine: Engine, seen: Seen, task: Callable[[bool], None]) -> None:
    engine.app.tasks["shop.send"].enqueue(True)
    engine.app.upkeep().step()
    engine.app.pause("mail")
    look(engine)
    look(engine, seconds=3600 * 24)
    assert seen == []


def test_runs_that_wait_for_too_long_are_told(engine: Engine, seen: Seen) -> None:
    engine.clock.fetch(
        "insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at, run_at)"
        f" values ('people', 'g1', 'acme', 'pending', 0, '[]', {engine.clock.now_ms}, {engine.clock.now_ms})"
        " returning id")
    look(engine)
    look(engine, seconds=31 * 60)
    assert seen == [("no progress", "sync people", "firing")]
    assert "penstock why people g1" in seen.last.summary
    look(engine, seconds=6 * 3600)
    assert seen[1:] == [("backlog", "sync people", "firing")]
    finish(engine, "g2")  # something has moved
    calm(engine)
    assert seen[2:] == [("no progress", "sync people", "recovered")]


@pytest.mark.parametrize("account", [None, "acme"])
def test_runs_of_what_people_paused_are_no_backlog(engine: Engine, seen: Seen, account: str | None) -> None:
    engine.app.pause(sync="people", account=account)
    engine.app.request([{"sync": "people", "subject": "g1", "account": "acme", "priority": 0, "reason": "test"}])
    engine.dispatch()
    look(engine)
    look(engine, seconds=24 * 3600)
    assert seen == []


def test_a_gate_that_is_closed_for_too_long_is_told(engine: Engine, seen: Seen) -> None:
    engine.clock.fetch("insert into penstock.gates (key, state, until_at, reason, closed_at, closed_by) values"
                       f" ('people:acme', 'closed', null, 'maintenance', {engine.clock.now_ms}, 'ada') returning key")
    look(engine)
    assert seen == []
    look(engine, seconds=15 * 60)
    assert seen == [("gate closed", "gate people:acme", "firing")]
    assert seen.last.summary == "the gate of people:acme has been closed by ada for 15 minutes: maintenance"
    engine.clock.fetch("update penstock.gates set state = 'open' returning key")
    calm(engine)
    assert seen[1:] == [("gate closed", "gate people:acme", "recovered")]


def test_a_gate_that_nobody_had_a_call_for_since_its_time_was_over_is_none(engine: Engine, seen: Seen) -> None:
    engine.clock.fetch("insert into penstock.gates (key, state, until_at, reason, closed_at) values ('people:acme',"
                       f" 'closed', {engine.clock.now_ms + 60_000}, '429', {engine.clock.now_ms}) returning key")
    look(engine)
    look(engine, seconds=24 * 3600)
    assert seen == []


def test_many_gates_of_one_sync_are_one_alert(engine: Engine, seen: Seen) -> None:
    for number in range(6):
        engine.clock.fetch("insert into penstock.gates (key, state, reason, closed_at) values"
                           f" ('sync:people:a{number}', 'closed', 'down', {engine.clock.now_ms}) returning key")
    look(engine, Alerts(accounts=5), 16 * 60)
    assert seen == [("gate closed", "gates of sync people", "firing")]


def test_deletes_that_are_withheld_are_told_by_account(engine: Engine, seen: Seen) -> None:
    for subject in ("g1", "g2"):
        engine.clock.fetch(
            "insert into penstock.approvals (layer_table, scope, sync, layer, subject, account, status, reason,"
            " records, run_id, asked_at, expires_at)"
            f" values ('t', 's', 'people', 'People', '{subject}', 'acme', 'asked', 'many', 30, 1,"
            f" {engine.clock.now_ms}, {engine.clock.now_ms + 3_600_000}) returning id")
    look(engine)
    assert seen == [("deletes withheld", "account acme of sync people", "firing")]
    assert seen.last.summary == ("60 deletes of account acme of sync people wait for approval; see"
                                 " `penstock approve people`")
    engine.clock.fetch("update penstock.approvals set status = 'approved' returning id")
    calm(engine)
    assert seen[1:] == [("deletes withheld", "account acme of sync people", "recovered")]


def test_a_kind_can_be_switched_off(engine: Engine, seen: Seen) -> None:
    finish(engine, "g1", "failed", error="OSError")
    look(engine, Alerts(failing_runs=None))
    assert seen == []


def test_of_many_workers_that_look_one_raises_the_alert(engine: Engine) -> None:
    changed: list[AlertChanged] = []
    engine.app.listen(lambda event: changed.append(event) if isinstance(event, AlertChanged) else None)
    finish(engine, "g1", "failed", error="OSError")
    History(engine.app.store, timedelta(days=30)).count()
    watches = [Watch(engine.app.store, engine.app.events, RULES, lambda: engine.app.syncs, 0.0) for _ in range(4)]
    threads = [threading.Thread(target=watch.look) for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.state for event in changed] == ["firing"]
    assert engine.clock.fetch("select count(*) from penstock.alert_news") == [(1,)]


def test_upkeep_looks_and_a_second_worker_need_not(engine: Engine) -> None:
    finish(engine, "g1", "failed", error="OSError")
    engine.app.upkeep().step()
    assert firing(engine) == [("failing", "account acme of sync people")]
    ((noted_at, content),) = engine.clock.fetch("select noted_at, content from penstock.alert_notes")
    engine.clock.advance(2)
    engine.app.upkeep().step()
    assert engine.clock.fetch("select noted_at, content from penstock.alert_notes") == [(noted_at, content)]


def test_what_a_receiver_did_not_take_is_told_again_under_the_same_id(engine: Engine, seen: Seen) -> None:
    ids: list[int] = []
    untold: list[AlertUntold] = []
    engine.app.listen(lambda event: untold.append(event) if isinstance(event, AlertUntold) else None)

    @engine.app.on_alert
    def fails_twice(alert: Alert) -> None:
        ids.append(alert.id)
        if len(ids) < 3:
            raise OSError("the line is busy")

    finish(engine, "g1", "failed", error="OSError")
    telling = engine.app.alert_telling()
    look(engine, seconds=5)
    finish(engine, "g1")
    look(engine)
    look(engine, seconds=61)
    for _ in range(4):
        engine.clock.advance(3600)
        telling.step()
    assert ids[:3] == [ids[0]] * 3
    assert ids[3] > ids[0]
    assert [each.error for each in untold] == ["OSError: the line is busy"] * 2
    assert [state for _, _, state in seen] == sorted(state for _, _, state in seen)  # firing before recovered


def test_who_dies_while_telling_leaves_it_to_others(engine: Engine, seen: Seen) -> None:
    finish(engine, "g1", "failed", error="OSError")

    def dies(alert: Alert) -> None:
        raise SystemExit

    dying = Telling(engine.app.store, engine.app.events, [("dies", dies)])
    History(engine.app.store, timedelta(days=30)).count()
    Watch(engine.app.store, engine.app.events, RULES, lambda: engine.app.syncs).look()
    with pytest.raises(SystemExit):
        dying.step()
    engine.app.alert_telling().step()
    assert seen == []  # it may still be at it
    engine.clock.advance(121)
    engine.app.alert_telling().step()
    assert seen == [("failing", "account acme of sync people", "firing")]


def test_a_webhook_is_posted_to_until_it_takes_it(engine: Engine) -> None:
    from penstock.alerts.webhook import SIGNATURE, verified
    with Api() as api:
        api.on("POST /hooks/secret-path", Answer(500), drop, Answer(204))
        engine.app.alert_webhook(f"{api.url}/hooks/secret-path?team=7", secret="s3cret")
        untold: list[AlertUntold] = []
        engine.app.listen(lambda event: untold.append(event) if isinstance(event, AlertUntold) else None)
        finish(engine, "g1", "failed", error="OSError")
        look(engine)
        for _ in range(3):
            engine.clock.advance(3600)
            engine.app.alert_telling().step()
        assert len(api.seen) == 3
        for request in api.seen:
            assert request.params == {"team": "7"}
            assert request.json["about"] == "account acme of sync people"
            assert request.headers["penstock-alert"] == str(request.json["id"])
            assert verified("s3cret", request.body, request.headers[SIGNATURE.lower()])
        assert len({request.json["id"] for request in api.seen}) == 1
        assert "answered 500" in untold[0].error or "500" in untold[0].error
        assert not any("secret-path" in each.error or "s3cret" in each.error for each in untold)


def test_the_settings_name_a_webhook(engine: Engine, store_url: str, clock: Clock) -> None:
    finish(engine, "g1", "failed", error="OSError")
    engine.app.upkeep().step()
    with Api() as api, Penstock(store_url, now=clock.expression, alert_webhook=f"{api.url}/hook") as app:
        api.on("POST /hook", Answer(200))
        app.alert_telling().step()
        assert [request.json["state"] for request in api.seen] == ["firing"]
        assert "penstock-signature" not in api.seen[0].headers


def test_a_worker_tells_on_a_loop_of_its_own(engine: Engine, workers: Any) -> None:
    told = threading.Event()
    engine.app.on_alert(lambda alert: told.set())
    finish(engine, "g1", "failed", error="OSError")
    worker = engine.app.worker()
    worker.start()
    try:
        assert told.wait(30)
    finally:
        worker.stop()


@pytest.mark.parametrize(("total", "told"), [(60, ["firing"]), (5, [])])
def test_a_drain_tells_what_there_is_time_for(engine: Engine, seen: Seen, total: float, told: list[str]) -> None:
    finish(engine, "g1", "failed", error="OSError")
    engine.app.upkeep().step()
    engine.app.drain(Window(total=total, headroom=1))
    assert [state for _, _, state in seen] == told


@pytest.mark.parametrize(("ask", "fault"), [
    (lambda app: app.on_alert("me"), "expected a function"),
    (lambda app: app.alert_webhook("nowhere"), "expected"),
    (lambda app: app.alert_webhook("http://127.0.0.1:1/", secret=""), "a secret that is text"),
    (lambda app: app.alert_when({}), r"expected Alerts\(…\)"),
])
def test_who_cannot_be_told_is_refused_at_once(engine: Engine, ask: Callable[[Penstock], Any], fault: str) -> None:
    from penstock.domain.errors import ConfigurationError
    with pytest.raises(ConfigurationError, match=fault):
        ask(engine.app)
