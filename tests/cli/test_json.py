"""Everything that commands print as JSON is as `--json-schema` says, and says nothing besides."""

import sys

import jsonschema
import pytest

from penstock.testing import drain
from tests.cli.conftest import LAST_LINE, Command, Written
from tests.cli.tree import JSON, hold

APP = '''
from dataclasses import dataclass
from datetime import timedelta
from penstock import Penstock, Quota, Rate
from penstock.sync import Complete, Done, Layer, Rejected, Subject, Sync

app = Penstock()
people = {"a": "Ada", "b": "Blaise", "bad": "X"}


@dataclass
class Person:
    id: str
    name: str


class People(Layer[Person]):
    key = "id"

    def source(self, run):
        yield from [Person(key, name) for key, name in people.items()]
        return Complete(len(people))

    def render(self, person, run):
        return {"name": person.name}

    def create(self, changes, run):
        return [Rejected("taken", "the name is taken") if change.key == "bad" else Done("r" + change.key)
                for change in changes]

    update = delete = create

    def fetch(self, remote_ids, run):
        return {remote_id: {"name": people[remote_id[1:]]} for remote_id in remote_ids}


@app.sync("people", limits=[Rate(1000, per="second", by="account"), Quota(15_000, per="day", by="developer-token")])
class Directory(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("berlin", account="acme")


@app.task(name="mail")
def mail(to: str) -> None: ...


@app.task(name="fail")
def fail() -> None:
    raise ValueError("of the body")


app.periodic("hourly", mail.call("all"), every=timedelta(hours=1))
'''
ELSEWHERE = {
    "advise": "tests/cli/test_advise.py",
    "demo": "tests/cli/test_demo.py",
}
"""Commands that need more than this app, and where what they print is held to the schema."""


@pytest.fixture
def penstock(written: Written):
    command = written("everything", APP)
    yield command
    sys.modules["everything"].app.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # documents are the same on either store
def test_what_is_printed_is_as_the_schema_says(penstock: Command, store_url: str):
    exercised = set()

    def said(path: str, *arguments: str, code: int = 0):
        ended, out, err = penstock(*path.split(), *arguments, "--json")
        assert ended == code, (path, arguments, out, err)
        exercised.add(path)
        return hold(path, out.splitlines()[-1] if path in LAST_LINE else out)

    assert "made" in said("migrate")
    said("migrate", "--sql")
    app = sys.modules["everything"].app
    app.enqueue_many([sys.modules["everything"].mail.call("x"), sys.modules["everything"].fail.call()])
    assert said("queues")["queues"] == {"default": {"available": 2}}
    drain(app, raising=False)
    assert said("enqueue", "mail", '{"to": "y"}', "--in", "1h", "--tag", "t")["job_id"] == 3
    assert {job["id"] for job in said("jobs")["jobs"]} == {1, 2, 3}
    assert said("jobs show", "2")["timeline"][0]["what"] == "enqueued"
    assert said("jobs run-now", "3")["changed"]
    assert said("jobs discard", "3")["done"] == 1
    assert said("jobs retry", "2", "3")["says"] == "2 jobs are retried"
    assert said("jobs cancel", "2", "3")["done"] == 2
    assert said("invalidate", "t")["changed"]
    assert said("prune")["removed"]["finished jobs"] == 0
    said("doctor", code=said("doctor", code=penstock("doctor")[0])["level"] == "fault")
    assert said("plan", "people", "--show-values", "--read-back", "2")["subjects"][0]["layers"][0]["first"]["create"]
    assert said("sync", "people", code=1)["runs"][0]["failed"] == 1
    assert said("audit", "people")["subjects"]["berlin"]
    assert said("failed", "people")["classes"][0]["layer"] == "People"
    assert said("retry", "people", "--layer", "People")["changed"]
    app.pause(sync="people")
    app.dispatcher().step()
    waits = str(said("runs", "people", "--status", "pending")["runs"][0]["id"])
    assert said("runs raise", waits, "--priority", "3")["changed"]
    assert said("runs cancel", waits)["cancelled"] == [int(waits)]
    app.resume(sync="people")
    said("runs", "people", "--stats")
    assert said("runs", "people", "--windows")["windows"]
    assert said("approve", "people") == {"sync": "people", "approvals": []}
    assert said("approve", "people", "--all") == {"sync": "people", "decided": []}
    assert said("state show", "people")["rows"][0]["key"]
    assert said("state show", "people", "--limit", "1")["after"][0] == "People"
    assert said("state unclaim", "people") == {"changed": False, "claims": []}
    assert said("state forget", "people", "People", "a", "--yes")["changed"]
    assert said("state adopt", "people", "People", "a", "ra", "--subject", "berlin")["changed"]
    assert said("state move", "people", "People", "b", "--to-key", "c")["changed"]
    assert said("queues pause", "default") == {"changed": True, "says": "queue default is paused"}
    assert said("queues")["paused"][0]["queue"] == "default"
    assert said("queues resume", "default")["changed"]
    assert said("periodic pause", "hourly")["changed"]
    assert said("periodic")["periodic"][0]["name"] == "hourly"
    assert said("periodic resume", "hourly")["changed"]
    assert said("limits close", "developer-token", "--reason", "a test", "--for", "10m")["changed"]
    assert said("limits")["keys"]
    assert said("limits open", "developer-token")["changed"]
    said("why", "1")
    said("why", "people", "berlin")
    said("why", "people", "berlin", "People", "bad", "--remote", "--show-values")
    said("why", "mail", code=penstock("why", "mail")[0])
    for arguments in (["mail"], ["--runs"], ["--statements"], ["--trend"], ["--flame", "mail"], ["people", "--kind",
                                                                                                 "subject"], []):
        said("traces", *arguments)
    said("init", "fresh")
    assert said("top")["queues"]
    said("config show")
    assert exercised == set(JSON) - set(ELSEWHERE)


def test_what_is_not_in_the_schema_is_refused():
    with pytest.raises(jsonschema.ValidationError):
        hold("queues", '{"queues": {}, "paused": [], "more": 1}')
    with pytest.raises(jsonschema.ValidationError):
        hold("queues", '{"queues": {}}')
