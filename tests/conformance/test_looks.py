"""What a run asks of the state grows with the pages of a source, and not with how the changes lie in them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from penstock.domain.records import Subject
from penstock.sync import Change, Complete, Done, Layer, Run, Sync
from penstock.sync.planning.pile import _ENOUGH
from penstock.sync.serving.preview import preview
from penstock.sync.state.layer import LayerState
from tests.engine import Engine

_COUNT = 5_000


@pytest.fixture
def values() -> dict[str, int]:
    return dict.fromkeys((f"k{number:05}" for number in range(_COUNT)), 0)


@pytest.fixture
def engine(app: Any, clock: Any, values: dict[str, int]) -> Engine:
    class Numbers(Layer[dict[str, Any]]):
        key, batch_size = "key", _COUNT

        def source(self, run: Run) -> Any:
            yield from ({"key": key, "value": value} for key, value in values.items())
            return Complete(len(values))

        def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"value": record["value"]}

        def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
            return [Done(change.key) for change in changes]

        update = delete = create

    @app.sync("numbers")
    class Numbered(Sync[str]):
        layers = [Numbers]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="acme")

    app.migrate()
    return Engine(app, clock)


def test_changes_on_every_page_are_looked_up_together(
        engine: Engine, values: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    engine.sync("numbers", "all")
    for key in list(values)[::100]:
        values[key] = 1
    looks: Counter[str] = Counter()
    for name in ("digests", "look_up", "fields"):
        real = getattr(LayerState, name)

        def counted(self: LayerState, keys: Sequence[str], name: str = name, real: Any = real) -> Any:
            looks[name] += 1
            return real(self, keys)

        monkeypatch.setattr(LayerState, name, counted)
    with preview(engine.app.store, engine.app.definition("numbers"), Subject("all", account="acme")) as plans:
        [plan] = plans
        assert plan.summary()["update"] == _COUNT // 100 < _ENOUGH
        assert plan.fields == {("value", "changed"): _COUNT // 100}
    assert looks["digests"] > 1
    assert (looks["look_up"], looks["fields"]) == (1, 1)
