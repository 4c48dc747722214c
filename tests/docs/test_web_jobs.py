"""The page on jobs, queues and workers in the browser: its code runs, and what it names is there."""

import re
from pathlib import Path

import pytest

from penstock import Penstock
from penstock.web.pages import declared
from penstock.web.pages.looking_for import Filtered
from penstock.worker.inline import registered
from tests.clock import Clock
from tests.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "web-jobs.md").read_text("utf-8")
(WORKERS,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_runs(app: Penstock, clock: Clock, capsys: pytest.CaptureFixture[str]):
    @app.task(name="mail")
    def mail() -> None: ...

    engine = Engine(app, clock)
    app.store.write(lambda tx: registered(tx, "host:7", 30_000, {"default": 2}))
    mail.enqueue()
    engine.claim("default")
    exec(compile(WORKERS, "web-jobs.md", "exec"), {"app": app})
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("test None 1")
    assert said[1] == "1 mail 0 None"
    assert said[2].startswith("host:7 {'default': 2} 0")


def test_it_names_every_filter_and_no_page_that_there_is_not():
    for name in Filtered.__struct_fields__:
        assert f"`{name}`" in PAGE
    views = [re.compile(re.sub(r"\{\w+\}", "[^/]+", view.path)) for view in declared().views]
    for path in re.findall(r"`(/[a-z0-9/]*)`", PAGE):
        assert path == "/api/v1" or any(view.fullmatch(path) for view in views), path
