"""`penstock queues`, over the app that the documentation of admission shows."""

import json
import re
import sys
from pathlib import Path

import pytest

from penstock.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "admission.md"


@pytest.fixture
def penstock(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "shipping.py").write_text(example[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    sys.modules.pop("shipping", None)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["penstock", "--app", "shipping", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield command
    sys.modules["shipping"].app.close()
    sys.modules.pop("shipping", None)


def test_what_the_page_pauses_is_listed_and_goes_on_when_it_is_resumed(penstock) -> None:
    code, out, _ = penstock("queues")
    assert code == 0
    assert re.fullmatch(r"no jobs in any queue\npaused since [0-9 :+-]+: key serial:__main__.ship:7\n", out)
    key = "serial:__main__.ship:7"
    assert penstock("queues", "resume", "--key", key) == (0, f"key {key} goes on\n", "")
    assert penstock("queues", "resume", "--key", key) == (0, f"nothing to do: key {key} was not paused\n", "")


def test_queues_are_listed_with_their_jobs_and_pauses(penstock) -> None:
    assert penstock("queues", "pause", "default") == (0, "queue default is paused\n", "")
    sys.modules["shipping"].ship.enqueue(7)
    found = json.loads(penstock("queues", "--json")[1])
    assert found["queues"] == {"default": {"pending": 1}}
    assert {"queue": "default"}.items() <= next(each for each in found["paused"] if "queue" in each).items()
    assert "default: 1 pending" in penstock("queues")[1]
    code, _, err = penstock("queues", "pause", "default", "--key", "serial:x:1")
    assert (code, "exactly one" in err) == (2, True)
