"""The page on events: it lists every kind with all that it says, and its code listens."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from penstock import events
from penstock.events import FREQUENT, Event
from penstock.testing import drain
from tests.clock import Clock

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))


def kinds(of: type[Event] = Event) -> list[type[Event]]:
    return [each for child in of.__subclasses__() if child.__module__.startswith("penstock.")
            for each in (child, *kinds(child))]


def test_it_lists_every_event_of_the_one_catalogue_and_no_other():
    catalogue = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]
    assert {each.__module__ for each in kinds()} == {"penstock.events"}
    assert set(ROWS) == {each.__name__ for each in catalogue if each is not Event}


@pytest.mark.parametrize("kind", [each for each in vars(events).values()
                                  if isinstance(each, type) and issubclass(each, Event) and each is not Event])
def test_it_says_what_an_event_says(kind: type[Event]):
    assert [field.name for field in fields(kind) if f"`{field.name}`" not in ROWS[kind.__name__]] == []
    assert ("frequent" in ROWS[kind.__name__]) == (kind in FREQUENT)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "events_page"}
    exec(compile(CODE, "events.md", "exec"), names)
    with names["app"] as app:
        app.migrate()

        @app.task(name="note")
        def note(fail: bool) -> None:
            if fail:
                raise ValueError("of the body")

        app.enqueue_many([note.call(False), note.call(False), note.call(True)])
        drain(app, raising=False)
        assert names["completed"] == {"note": 2}
        assert [type(event).__name__ for event in names["told"]] == ["JobFailed", "JobFailed"]
