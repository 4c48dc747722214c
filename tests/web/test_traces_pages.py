"""Pages of tasks, single traces, flame graphs and why it is slow, by a browser on the real site."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from penstock import Penstock
from penstock.domain.slow import SlowTrace
from tests.conformance.traces.keeping import Traced, asked, called
from tests.web.conftest import Client
from tests.web.people import someone

SECOND = 1_000_000
HOSTILE = "<script>alert(1)</script>\"'&"
BATCH = "select id, amount from record where client_id = %s and id > %s order by id limit 1000"


@pytest.fixture
def traced(app: Penstock) -> Iterator[Traced]:
    found = Traced(app.store)
    yield found
    found.recorder.close()


@pytest.fixture
def seen(app: Penstock, traced: Traced) -> SlowTrace:
    """Work of a task in batches; one of it failed. The slowest is given."""
    with traced.trace("nightly.calculate", kind="task", took_us=50 * SECOND, cpu_us=SECOND, job_id=7) as trace:
        asked(trace, BATCH, [(6, n) for n in range(90)], took_us=500_000, rows=1000)
        called(trace, "PUT", [f"/users/{n}" for n in range(30)], took_us=100_000)
        trace.flame = {"main;load": 30, "main;print": 10}
    traced.traced("nightly.calculate", kind="task", took_us=SECOND, failed=True, job_id=8,
                  error="ValueError: password=hunter2 was wrong")
    traced.traced("mail", kind="task", took_us=3000, times=20, phase="called")
    traced.traced("directory", kind="run", took_us=9 * SECOND, subject="doors/7", account="acme", run_id=3)
    traced.flush()
    return app.slowest_traces("nightly.calculate")[0]


class Tags(HTMLParser):
    """The names of elements and of their attributes, and of those that should not be there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.scripts += tag == "script" and "src" not in dict(attrs)


def plain(text: str) -> None:
    """A page has no script, no style and no handler of its own."""
    found = Tags(text)
    assert not found.scripts
    assert "style" not in found.names | found.attributes
    assert not [name for name in found.attributes if name.startswith("on")]


def rows(text: str) -> list[str]:
    return re.findall(r'<tr id="task-[a-z]+-([^"]+)"', text)


def test_tasks_are_listed_in_every_order(client: Client, seen: SlowTrace):
    page = client.get("/tasks")
    assert page.status_code == 200
    plain(page.text)
    assert rows(page.text) == ["nightly.calculate", "mail"]
    assert rows(client.get("/tasks?by=count").text) == ["mail", "nightly.calculate"]
    for order in ("total", "p50", "p95", "p99", "failing"):
        assert rows(client.get(f"/tasks?by={order}").text)[0] == "nightly.calculate"
    assert rows(client.get("/tasks?kind=run&since=7d").text) == ["directory"]
    found = client.get("/api/v1/tasks").json()
    assert [row["ranked"]["name"] for row in found["ranking"]["rows"]] == ["nightly.calculate", "mail"]
    assert (found["traces"], found["failed"]) == (22, 1)
    assert client.get("/tasks?by=nonsense").status_code == 400


def test_pages_on_an_empty_store_teach(client: Client):
    for path, says in (("/tasks", "No task ran in this time"), ("/tasks?kind=trace", "penstock.trace("),
                       ("/tasks?kind=run", "penstock sync NAME SUBJECT"), ("/traces", "No trace is kept of this time"),
                       ("/flame/nothing", "No samples"), ("/why/slow", "Of what?"),
                       ("/why/slow/nothing", "declares no task or sync that is called so")):
        page = client.get(path)
        assert page.status_code == 200, path
        assert says in page.text, path
        plain(page.text)
    assert client.get("/tasks/nothing").status_code == 404


def test_a_task_that_has_not_run_says_so(app: Penstock, client: Client):
    @app.task(name="shop.send")
    def send() -> None: ...

    page = client.get("/tasks/shop.send")
    assert page.status_code == 200
    assert "It is declared here, and has not run" in page.text


def test_the_page_of_a_task_says_where_the_time_goes(client: Client, seen: SlowTrace):
    page = client.get("/tasks/nightly.calculate")
    assert page.status_code == 200
    plain(page.text)
    for says in ("slow batches", BATCH.replace(">", "&gt;"), "90 calls", "90,000 rows", "PUT api.example.com/users/*",
                 f"/traces/{seen.key}", "/jobs/7", "/why/slow/nightly.calculate", "/flame/nightly.calculate?kind=task",
                 "test_traces_pages.py"):
        assert says in page.text, says
    found = client.get("/api/v1/tasks/nightly.calculate").json()
    assert found["statements"][0]["rows"] == 90_000
    assert found["statements"][0]["samples"][0]["parameters"][0] == {"kind": "int", "value": "6"}
    assert len(found["stretches"]) == 25
    assert found["trend"]["verdict"] == "too few"


def test_a_name_with_a_slash_has_a_page(client: Client, traced: Traced):
    traced.traced("GET /users/*", took_us=SECOND)
    traced.flush()
    assert "/tasks/GET%20%2Fusers%2F%2A?kind=trace" in client.get("/tasks?kind=trace").text
    assert "GET /users/*" in client.get("/tasks/GET%20%2Fusers%2F%2A?kind=trace").text
    assert client.get("/flame/GET%20%2Fusers%2F%2A").status_code == 200


def test_a_name_of_several_kinds_has_each(client: Client, traced: Traced):
    for kind in ("run", "window"):
        traced.traced("directory", kind=kind, took_us=SECOND)
    traced.flush()
    page = client.get("/tasks/directory")
    assert "As runs" in page.text
    assert "/tasks/directory?kind=window" in page.text
    assert client.get("/api/v1/tasks/directory").json()["kind"] == "run"


def test_kept_traces_are_listed_and_opened(client: Client, seen: SlowTrace):
    page = client.get("/traces")
    assert f"/traces/{seen.key}" in page.text
    assert "run 3" in page.text
    assert "doors/7" in page.text
    assert ">mail</a>" not in client.get("/traces?name=nightly.calculate").text
    page = client.get(f"/traces/{seen.key}")
    assert page.status_code == 200
    plain(page.text)
    for says in ("nightly.calculate", "/jobs/7", "90 calls", "chart during", "PUT api.example.com/users/*",
                 "test_traces_pages.py", 'class="flame"'):
        assert says in page.text, says
    found = client.get(f"/api/v1/traces/{seen.key}").json()
    assert (found["cpu_us"], found["row"]["job_id"]) == (SECOND, 7)
    assert found["statements"][0]["calls"] == 90
    assert found["rows"][0]["what"] == BATCH
    assert client.get("/traces/task-1-2-abcd").status_code == 404


def test_kept_traces_are_filtered_by_how_they_ended_and_ordered(client: Client, seen: SlowTrace):
    def took(query: str) -> list[tuple[str, bool]]:
        found = client.get(f"/api/v1/traces{query}").json()
        return [(each["name"], each["failed"]) for each in found["traces"] if each["name"] != "mail"]

    assert took("?outcome=failed") == [("nightly.calculate", True)]
    assert took("?outcome=ok") == [("nightly.calculate", False), ("directory", False)]
    assert took("") == [("nightly.calculate", False), ("directory", False), ("nightly.calculate", True)]
    assert took("?by=began")[-1] == ("nightly.calculate", False)  # it took 50 s, so it began first
    page = client.get("/traces?outcome=failed").text
    plain(page)
    assert "ValueError: password=" in page
    assert "hunter2" not in page
    assert "Nothing failed in this time" in client.get("/traces?outcome=failed&kind=run").text
    assert client.get("/traces?outcome=nonsense").status_code == 400


def test_a_trace_shows_when_its_phases_were_under_way(client: Client, app: Penstock, traced: Traced):
    with traced.trace("import", took_us=1000) as trace:
        trace.marks = [(400_000, (0, 400_000, 0, 0, 0, 0, 0, 0)), (600_000, (0, 400_000, 200_000, 0, 0, 0, 0, 0)),
                       (900_000, (0, 500_000, 400_000, 0, 0, 0, 0, 0))]
        trace.phases[:] = [0, 500_000, 400_000, 0, 0, 0, 0, 0]
    traced.flush()
    (kept,) = app.slowest_traces("import")
    found = client.get(f"/api/v1/traces/{kept.key}").json()
    rows = {row["phase"]: row["stretches"] for row in found["phase_rows"]}
    assert list(rows)[:2] == ["read", "queried"]
    assert rows["read"][0] == [0, 400, 1.0]
    assert [(at, length) for at, length, _ in rows["queried"]] == [(400, 200), (600, 300)]
    page = client.get(f"/traces/{kept.key}").text
    plain(page)
    assert "queried from 400 µs on" in page
    assert "No statement or call in it" in page


def test_flame_graphs_are_looked_at_and_searched_without_a_script(client: Client, seen: SlowTrace):
    page = client.get("/flame/nightly.calculate").text
    plain(page)
    (load,) = re.findall(r'<a href="([^"]*)" class="frame[^>]*><svg[^>]*><title>load\n', page)
    assert 'x="0.000%" y="20" width="75.000%"' in page
    closer = client.get(load.replace("&amp;", "&")).text
    assert "is-looked-at" in closer
    assert "print" not in re.findall(r"<title>(.*)\n", closer)
    assert "Show all" in closer
    found = client.get("/flame/nightly.calculate?find=LOAD").text
    assert "in 75% of all samples" in found
    assert len(re.findall(r'class="frame t\d found"', found)) == 1
    assert client.get(f"/traces/{seen.key}?find=print").text.count(" found\"") == 1


def test_stacks_can_be_downloaded_for_speedscope(client: Client, seen: SlowTrace):
    for path in ("/speedscope/nightly.calculate", f"/traces/{seen.key}/speedscope"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert ".speedscope.json" in answer.headers["content-disposition"]
        file = json.loads(answer.text)
        assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
        assert file["profiles"][0]["weights"] == [300, 100]
    assert client.get("/traces/task-1-2-abcd/speedscope").status_code == 404


def test_why_it_is_slow_is_answered_with_links(client: Client, seen: SlowTrace):
    for path in ("/why/slow/nightly.calculate", "/why/slow?name=nightly.calculate"):
        page = client.get(path).text
        plain(page)
        for says in ("2 attempts in the last day", "Slow batches", "Worst statement", "/jobs/8",
                     "penstock advise nightly.calculate"):
            assert says in page, says
    assert client.get("/api/v1/why/slow?name=nightly.calculate").json()["summary"]["ranked"]["traces"] == 2


def test_hostile_names_statements_errors_and_stacks_are_text(client: Client, traced: Traced, app: Penstock):
    with traced.trace(f"work {HOSTILE}", kind="task", took_us=SECOND, failed=True, error=f"Error: {HOSTILE}",
                      subject=HOSTILE, account=HOSTILE, about=HOSTILE) as trace:
        asked(trace, f"select '{HOSTILE}' from t where a = %s", [(n,) for n in range(30)], took_us=20_000, rows=1)
        trace.called("GET", HOSTILE, f"/{HOSTILE}", 10**7)
        trace.flame = {f"main;{HOSTILE}": 5, f"{HOSTILE};{HOSTILE}": 9}
    traced.flush()
    (kept,) = app.slowest_traces(f"work {HOSTILE}")
    name = "work%20%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%26"
    for path in ("/tasks", f"/tasks/{name}", "/traces", f"/traces/{kept.key}", f"/flame/{name}", f"/why/slow/{name}",
                 f"/flame/{name}?find=%3Cscript%3E&look=%22%3E%3Cscript%3E", "/advice", f"/traces?name={name}"):
        page = client.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        plain(page.text)
    assert "&lt;script&gt;" in client.get(f"/flame/{name}").text


def test_secrets_in_errors_are_masked_and_parameters_need_their_scope(app: Penstock, seen: SlowTrace):
    with someone(app, "read") as reader:
        page = reader.get("/tasks/nightly.calculate")
        assert page.status_code == 200
        assert "shown to whoever has the scope sensitive" in page.text
        assert "hunter2" not in page.text
        found = reader.get("/api/v1/tasks/nightly.calculate").json()
        assert found["statements"][0]["samples"] is None
        assert found["slowest"][1]["error"] == "ValueError: password=•••• was wrong"
        assert "hunter2" not in reader.get("/why/slow/nightly.calculate").text
        assert reader.get(f"/api/v1/traces/{seen.key}").json()["statements"][0]["samples"] is None
    with someone(app, "sensitive") as reader:
        found = reader.get(f"/api/v1/traces/{seen.key}").json()
        assert found["statements"][0]["samples"][0]["parameters"][0] == {"kind": "int", "value": "6"}
