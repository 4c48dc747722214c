"""The page on renaming: its example is declared beside what it says was before, and nothing is sent."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock import Penstock
from penstock.sync import Complete, Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.conformance.renaming_app import Person
from tests.engine import Engine
from tests.remote import Remote

PAGE = Path(__file__).parents[2] / "docs" / "renaming.md"
[EXAMPLE] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
PEOPLE = [Person(str(number), f"p{number}@example.com", f"name {number}") for number in range(3)]


def version(url: str, clock: Clock, remote: Remote, code: str) -> Engine:
    """A version of the app, its declarations with what stands for `...` in them."""
    def source(self: Any, run: Run) -> Any:
        yield from PEOPLE
        return Complete(len(PEOPLE))

    def subjects(self: Any) -> Iterator[Subject]:
        yield Subject("all", account="acme")

    layer_base = type("Base", (Layer,), {"source": source, "destination": remote,
                                         "render": lambda self, person, run: {"name": person.name}})
    app = Penstock(url, now=clock.expression)
    names: dict[str, Any] = {"app": app, "Person": Person, "Layer": {Person: layer_base},
                             "Sync": {str: type("Base", (Sync,), {"subjects": subjects})}}
    exec(compile(code, str(PAGE), "exec"), names)
    return Engine(app, clock)


def test_the_example(store_url: str, clock: Clock) -> None:
    remote = Remote()
    before = EXAMPLE.replace("class People", "class Users").replace("[People]", "[Users]").replace(
        'was = "Users"', "pass").replace('key, key_was = "number", "email"', 'key = "email"').replace(
        '"personnel", was="staff"', '"staff"')
    first = version(store_url, clock, remote, before)
    assert first.sync("staff", "all")[0].created == 3
    then = version(store_url, clock, remote, EXAMPLE)
    run = then.sync("personnel", "all")[0]
    assert (run.skipped, len(remote.calls)) == (3, 1)
    assert sorted(then.state("People")) == ["0", "1", "2"]
    first.app.close()
    then.app.close()
