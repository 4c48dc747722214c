"""The programs about jobs as people run them, and the page about jobs, on both stores."""

import re
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.processes import Child, python

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "jobs"

SAID = {
    "pools": ["40 × mail by penstock-slot", "400 × page by penstock-loop"],
    "processes": ["2262 primes below 20000", "counted here: False", "search: discarded, JobTimedOut",
                  "crash: discarded, WorkerProcessDied"],
    "bulk": ["2000 jobs enqueued, 2000 run, 1999000 points, 1240 pence"],
    "scheduling": ["paused: nothing runs", "first: a point of priority is worth a minute of waiting",
                   "second: it was there first, but is less urgent", "third: after a wait", "fourth: at a time"],
    "validity": ["cancelled at once: cancelled", "reminded ann@example.com of offer 7", "1003 cancelled",
                 "1 completed"],
    "ends": ["attempt 1: not there yet: snoozed, which costs no attempt",
             "attempt 1: busy: to be tried again, which costs one",
             "attempt 2: a failure: tried again as the policy says", "attempt 3: withdrawn: cancelled by itself",
             "announce discarded", "fetch cancelled", "render discarded"],
    "retention": ["default completed 90", "default discarded 10"],
    "unique": ["skipped: True - the same job: True", "in bulk: 3 of 9", "refreshed customer 7: an order",
               "refreshed customer 0: nightly", "refreshed customer 1: nightly", "refreshed customer 2: nightly",
               "sent the digest", "after its end the key is free: True"],
    "debounce": ["replaced: False", "replaced: True", "replaced: True", "in bulk: 1 of 3", "account 7 has 30",
                 "indexed document 1: Penstock", "customer 3 is on free", "one follows: True", "customer 3 is on gold"],
    "chunks": ["950 documents, at most 100 in a call, in fewer than twenty calls: True", "cancelled 1", "completed 948",
               "discarded 1", "document 7: completed by attempt 2", "document 42: discarded by attempt 2"],
    "keys": ["customer 1: invoices in the order [0, 1, 2, 3, 4]", "customer 2: invoices in the order [0, 1, 2, 3, 4]",
             "at once at most: 1 invoice of customer 1", "at once at most: 1 invoice of customer 2",
             "at once at most: 3 page of customer 1"],
    "chain": ["workflow: expected steps that can begin: a -> b -> a", "chain: first", "chain: second", "chain: third",
              "workflow: extract, after the chain", "workflow: tidy, however it went", "report: cancelled, dependency",
              "workflow: never said"],
    "batch": ["5 of 6 pages read, 1 gone: 100 %", "published, since all pages of the second batch were read"],
    "resume": ["asked for the rows after None", "asked for the rows after 3", "asked for the rows after 5",
               "done: [1, 2, 3, 4, 5, 6, 6, 7, 8]", "numbers of the attempts: [1, 1, 1]"],
    "middleware": ["order 1 of acme", "order 1 confirmed in de", "a span of confirm that ended well",
                   "a span of order that ended well", "a span of order that ended well", "traces: 2"],
    "versions": ["hello Ann Lee", "retryable NewerArguments attempts counted: 0", "hello Cy of the house of Doe"],
    "encryption": ['"(encrypted)"', '"(encrypted)"', '{"host":"db.example.com","token":"•••"}',
                   'for who asks: {"iban":"FR76 3000","pence":300}', "paid 700 to DE89 3704", "paid 300 to FR76 3000",
                   "connected to db.example.com with a token of 6"],
    "results": ["no worker has run it yet", "Quote(pence=700)", "700", "[Quote(pence=100), 'ab.ab.']",
                "cancelled nobody asked", "too large, and completed"],
}


LOGGED = ("JobFailed(", "JobAbandoned(", "ResultRefused(", "ChildEnded(")


def said(child: Child) -> list[str]:
    """What a program printed, without what was logged."""
    lines = child.rest()
    assert child.wait() == 0, lines
    return [line for line in lines if not line.startswith(LOGGED)]


def test_every_program_is_here():
    assert set(SAID) == {path.stem for path in EXAMPLE.glob("*.py")} - {"serving"}
    page = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    readme = (EXAMPLE / "README.md").read_text("utf-8")
    for name in SAID:
        assert f"examples/jobs/{name}.py" in page
        assert f"`{name}.py`" in readme


@pytest.mark.parametrize("name", SAID)
def test_it_does_what_it_says(name: str, store_url: str):
    code = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path(sys.argv[1], run_name='__main__')"
    # Unbuffered, a line and its end are two writes, and what is logged meanwhile may come between them.
    with python(code, f"{name}.py", folder=EXAMPLE, PENSTOCK_URL=store_url, PYTHONUNBUFFERED="") as child:
        assert said(child) == SAID[name]


def test_the_page_runs(store_url: str, clock: Clock, tmp_path: Path):
    """Its pieces of code, one after the other, in one process, as they stand."""
    page = (ROOT / "docs" / "jobs.md").read_text("utf-8")
    pieces = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(pieces) >= 7
    (tmp_path / "page.py").write_text("\n".join(pieces), "utf-8")
    with python("import page\npage.app.close()", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        assert said(child) == []
    counted = dict(clock.fetch("select task, count(*) from penstock.jobs group by task"))  # type: ignore[arg-type]
    assert set(counted) >= {"page.send", "page.remind", "page.refresh"}
