"""The page on looking at jobs: its code runs, and it names every option of its commands."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.domain.listing import FITS, JobFilter
from penstock.testing import drain
from tests.cli.tree import commands, options

PAGE = (Path(__file__).parents[2] / "docs" / "looking.md").read_text("utf-8")
LISTING, ACTING = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_runs(app: Penstock, capsys: pytest.CaptureFixture[str]):
    @app.task(name="mail", retry=RetryPolicy(max_attempts=1))
    def mail() -> None:
        raise ValueError("of the body")

    app.migrate()
    app.enqueue_many([mail.call() for _ in range(3)])
    drain(app, raising=False)
    names: dict[str, Any] = {"app": app, "JobFilter": JobFilter}
    exec(compile(LISTING, "looking.md", "exec"), names)
    assert [line.split()[:4] for line in capsys.readouterr().out.splitlines()] == [
        [str(id), "mail", "1", "ValueError"] for id in (3, 2, 1)]
    exec(compile(ACTING, "looking.md", "exec"), names)
    assert capsys.readouterr().out == "3 0\n"


def test_it_names_every_option_of_its_commands():
    for path, command in commands():
        if path and path.split()[0] in ("jobs", "enqueue", "invalidate", "prune"):
            assert [name for name in options(command) if f"`{name}`" not in PAGE] == [], path
            assert f"`{path}" in PAGE, path


def test_its_table_of_acts_is_the_rule():
    table = PAGE.partition("## Acts")[2].partition("- One:")[0]
    for act, states in FITS.items():
        rows = " ".join(re.findall(rf"^\| `{act}` \| (.*?) \|", table, re.MULTILINE)).replace(
            "all that wait", "`scheduled`, `pending`, `available`, `retryable`")
        assert set(re.findall(r"`(\w+)`", rows)) == set(states)
