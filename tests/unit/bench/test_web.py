import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.web.crawling import Read, crawl, pattern_of

PAGES = {
    "/": '<a href="/jobs">Jobs</a><a href="https://elsewhere.example/jobs">there</a><a href="/static/a.css">style</a>',
    "/jobs": '<form method="get"><select name="state"><option value="">any</option><option value="failed">failed'
             '</option></select><input name="tag" list="tags"><datalist id="tags"><option value="b"></option>'
             '</datalist></form><a href="?before=7">next</a><a href="/jobs/1#top">1</a>',
    "/jobs?state=failed": "", "/jobs?tag=a": "", "/jobs?tag=b": "", "/jobs?before=7": '<a href="?before=6">next</a>',
    "/jobs?before=6": '<a href="?before=5">next</a>', "/jobs/1": '<form method="post"><input name="tag"></form>',
}


@pytest.mark.parametrize(("address", "pattern"), [
    ("/jobs?state=failed", "/jobs"), ("/jobs/7", "/jobs/{id}"), ("/jobs/new", "/jobs/new"), ("/", "/"),
    ("/syncs/ads/a/b", "/syncs/{sync}/{key:path}"), ("/nowhere", None),
])
def test_an_address_has_the_most_exact_pattern(address, pattern):
    patterns = ["/", "/jobs", "/jobs/{id}", "/jobs/new", "/syncs/{sync}/{key:path}"]
    assert pattern_of(address, patterns) == pattern


def test_pages_are_found_by_links_and_by_forms_and_two_of_a_kind_are_enough():
    found = crawl(PAGES.get, ["/"], ["/", "/jobs", "/jobs/{id}", "/traces"], {"tag": "a"})
    assert found == {"/": ["/"], "/jobs": ["/jobs", "/jobs?before=7", "/jobs?state=failed", "/jobs?tag=a",
                                           "/jobs?tag=b", "/jobs?before=6"], "/jobs/{id}": ["/jobs/1"],
                     "/traces": []}


def test_what_a_post_would_change_is_not_asked_for():
    assert Read(PAGES["/jobs/1"], {"tag": "a"}).links == []


def test_the_counters_of_what_is_filled_are_true_of_the_rows(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "bench.web.filling", f"sqlite:///{tmp_path}/web.db", "2000", "300"],
                   check=True, capture_output=True, cwd=Path(__file__).parents[3])
    with closing(sqlite3.connect(tmp_path / "web.db")) as store:
        counted = store.execute("select queue, task, state, sum(n) from penstock_counts"
                                " group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3").fetchall()
        there = store.execute("select queue, task, state, count(*) from ("
                              " select queue, task, state from penstock_live_jobs"
                              " union all select queue, task, state from penstock_finished_jobs"
                              ") as j group by 1, 2, 3 order by 1, 2, 3").fetchall()
        assert counted == there
        assert {state for (state,) in store.execute("select distinct state from penstock_jobs")} == {
            "scheduled", "pending", "available", "executing", "retryable", "completed", "cancelled", "discarded"}
        assert store.execute("select runs from penstock_run_statistics where kind = 'sync'").fetchone() == (300,)
