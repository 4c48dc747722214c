"""The Lambda function in a process that is killed at its limit, as the platform does; it calls itself for the rest."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.connectors.http.server import Answer, Api, Seen
from tests.examples.crowd import most_at_once
from tests.examples.imported import imported
from tests.processes import Child, python

EXAMPLE = Path(__file__).parents[2] / "examples" / "lambda"
MANY = [f"m-{number:02}" for number in range(20)]
ENDED = "select count(*) from penstock.sync_runs where status = 'succeeded'"
CUSTOMERS = {f"customer-{customer}": [f"{customer}-{number}" for number in range(4)] for customer in "ab"}

RUNTIME = """
import json, sys, time, types

def said(what):
    return lambda **given: print(json.dumps({"call": what, **{k: str(v) for k, v in given.items()}}), flush=True)

class Client:
    def __init__(self, service):
        self.invoke = said("invoke")
        self.create_schedule = said("schedule")
        self.exceptions = types.SimpleNamespace(ConflictException=KeyError)

sys.modules["boto3"] = types.SimpleNamespace(client=Client)
sys.path.insert(0, ".")
import function

class Context:
    function_name, invoked_function_arn = "posting", "arn:aws:lambda:eu:1:function:posting"
    def get_remaining_time_in_millis(self):
        return round((self.ends_at - time.monotonic()) * 1000)

print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    context = Context()
    context.ends_at = time.monotonic() + asked["seconds"]
    print(json.dumps({"answer": function.handler(asked["event"], context)}), flush=True)
"""


@dataclass
class Platform:
    """Calls the function, and kills it where it has not answered when its time is over."""

    child: Child
    calls: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, event: dict[str, Any], seconds: float) -> dict[str, Any]:
        killer = threading.Timer(seconds, self.child.process.kill)
        killer.start()
        try:
            self.child.tell(json.dumps({"event": event, "seconds": seconds}))
            while True:
                said = json.loads(self.child.line('{"'))
                if "answer" in said:
                    return dict(said["answer"])
                self.calls.append(said)
        finally:
            killer.cancel()
            killer.join()


def messages(**customers: list[str]) -> dict[str, Any]:
    return {"Records": [{"messageId": invoice, "body": json.dumps({"invoice": invoice, "customer": customer})}
                        for customer, invoices in customers.items() for invoice in invoices]}


@pytest.fixture
def ledgers() -> Iterator[Api]:
    with Api() as api:
        for invoices in CUSTOMERS.values():
            for invoice in invoices:
                api.on(f"PUT /invoices/{invoice}", Answer(204))
        yield api


@pytest.fixture
def starting(store_url: str, ledgers: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with closing(sqlite3.connect(tmp_path / "office.db")) as connection, connection:
        connection.execute("create table invoice (number text primary key, cents integer)")
        connection.executemany("insert into invoice values (?, 100)",
                               [(invoice,) for invoices in (*CUSTOMERS.values(), MANY) for invoice in invoices])
    environment = {"PENSTOCK_URL": store_url, "OFFICE": f"sqlite:///{tmp_path}/office.db", "LEDGERS_URL": ledgers.url,
                   "SCHEDULER_ROLE": "arn:aws:iam::1:role/scheduler"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with imported(EXAMPLE / "invoices.py", monkeypatch) as invoices:
        invoices.app.migrate()

    @contextmanager
    def start(lease: str = "30") -> Iterator[Platform]:
        with python(RUNTIME, folder=EXAMPLE, PENSTOCK_LEASE_SECONDS=lease, **environment) as child:
            child.line("ready")
            yield Platform(child)

    return start


def test_messages_are_posted_in_order_by_customer(starting: Any, ledgers: Api, clock: Clock):
    with starting() as platform:
        event = messages(**CUSTOMERS)
        event["Records"].append({"messageId": "odd", "body": "?"})
        answer = platform.invoke(event, 60)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "odd"}], "served": 8, "remaining": 0}
        assert platform.invoke(messages(**CUSTOMERS), 60)["served"] == 8
        assert platform.calls == [], "nothing is left, and nothing comes due"
    came = [seen.path.removeprefix("/invoices/") for seen in ledgers.seen]
    for customer, invoices in CUSTOMERS.items():
        assert [each for each in came if each in invoices] == invoices, f"{customer}: each once, in order"
    runs = clock.fetch("select account, started_at, finished_at from penstock.sync_runs")
    most = most_at_once(runs)  # type: ignore[arg-type]
    assert {most[customer] for customer in CUSTOMERS} == {1}


def test_a_function_that_runs_out_of_time_calls_itself(starting: Any, ledgers: Api, clock: Clock):
    def slow(seen: Seen) -> Answer:
        time.sleep(0.05)
        return Answer(204)

    for invoice in MANY:
        ledgers.on(f"PUT /invoices/{invoice}", slow)
    with starting() as platform:
        served, called, event = 0, [], messages(many=MANY)
        while clock.fetch(ENDED) != [(len(MANY),)]:
            answer = platform.invoke(event, 3.2)  # it would be killed if it took longer
            served += answer.get("served", 0)  # on a slow machine it may have no time to serve any
            called += [call["call"] for call in platform.calls]
            platform.calls.clear()
            event = {}
    assert served == len(MANY)
    assert called, "it saw to it that somebody goes on"
    came = {seen.path for seen in ledgers.seen}  # a call that the end cuts short, on a slow machine, comes twice
    assert sorted(came) == [f"/invoices/{each}" for each in MANY]


def test_a_function_that_is_killed_loses_nothing(starting: Any, ledgers: Api, clock: Clock):
    asked, go = threading.Event(), threading.Event()

    def stuck(seen: Seen) -> Answer:
        asked.set()
        go.wait(60)
        return Answer(204)

    ledgers.on("PUT /invoices/a-0", stuck, Answer(204))
    with starting(lease="1") as platform:
        platform.child.tell(json.dumps({"event": messages(**{"customer-a": ["a-0"]}), "seconds": 60}))
        assert asked.wait(60)
        platform.child.process.kill()
        platform.child.wait()
    go.set()
    with starting(lease="1") as platform:
        while not platform.invoke({}, 60)["served"]:
            time.sleep(0.1)  # until the lease of the killed one has run out
    assert [seen.path for seen in ledgers.seen] == ["/invoices/a-0"] * 2
    assert clock.fetch("select status from penstock.sync_runs") == [("succeeded",)]


def test_what_is_due_later_is_called_for_then(starting: Any, ledgers: Api):
    ledgers.on("PUT /invoices/a-0", Answer(429, headers={"Retry-After": "3600"}))
    with starting() as platform:
        platform.invoke(messages(**{"customer-a": ["a-0"]}), 60)
        (call,) = platform.calls
    assert call["call"] == "schedule"
    assert call["Name"].startswith("posting-")
    assert call["ScheduleExpression"].startswith("at(")
