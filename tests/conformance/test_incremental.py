"""Incremental sources: only what changed is read, and nothing that changed is lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import DeclarationError
from penstock.domain.records import Counts, Rejected
from penstock.sync import Complete, Layer, Run, Subject, Sync
from penstock.sync.state.layer import LayerState
from tests.clock import Clock
from tests.engine import Engine
from tests.remote import Remote


@dataclass
class Shop:
    """Products by key with the number of their last change; and what was read of them."""

    products: dict[str, tuple[int, str]] = field(default_factory=dict)
    number: int = 0
    remote: Remote = field(default_factory=Remote)
    asked: list[Any] = field(default_factory=list)
    meanwhile: list[tuple[str, str]] = field(default_factory=list)
    answer: Any = "next"
    mode: str = "mirror"
    more: bool = False

    def put(self, key: str, name: str) -> None:
        self.number += 1
        self.products[key] = (self.number, name)

    def app(self, url: str, now: str) -> Penstock:
        app = Penstock(url, now=now)
        shop = self

        class Products(Layer[dict[str, Any]]):
            key, full_every, mode = "id", timedelta(hours=6), shop.mode
            destination = shop.remote

            def source(self, run: Run) -> Iterator[dict[str, Any]]:
                shop.asked.append("all")
                found = [{"id": key, "name": name} for key, (_, name) in shop.products.items()]
                for key, name in shop.meanwhile:
                    shop.put(key, name)
                shop.meanwhile.clear()
                yield from found
                return Complete(len(found))  # type: ignore[return-value]

            def cursor(self, run: Run) -> int:
                return shop.number

            def changed_since(self, cursor: int, run: Run) -> Iterator[dict[str, Any]]:
                shop.asked.append(cursor)
                now = shop.number
                for key, (number, name) in list(shop.products.items()):
                    if number > cursor:
                        yield {"id": key, "name": name}
                return now if shop.answer == "next" else shop.answer  # type: ignore[return-value]

            def render(self, product: dict[str, Any], run: Run) -> dict[str, Any]:
                return {"name": product["name"]}

        if shop.more:
            Products.render = lambda self, product, run: {  # type: ignore[method-assign]
                "name": product["name"], "length": len(product["name"])}

        @app.sync("shop")
        class Catalogue(Sync[str]):
            layers = [Products]

            def subjects(self) -> Iterator[Subject]:
                yield Subject("all", account="acme")

        return app

    def in_step(self) -> bool:
        held = {record["key"]: record["payload"]["name"] for record in self.remote.records.values()}
        return held == {key: name for key, (_, name) in self.products.items()}


@pytest.fixture
def shop() -> Shop:
    found = Shop()
    for number in range(10):
        found.put(f"p{number}", f"name {number}")
    return found


@pytest.fixture
def engine(shop: Shop, store_url: str, clock: Clock) -> Iterator[Engine]:
    with shop.app(store_url, clock.expression) as app:
        yield Engine(app, clock)


def test_the_first_read_is_whole_and_the_next_are_of_what_changed(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    shop.put("p3", "another")
    [run] = engine.sync("shop", "all")
    assert (run.read, run.updated) == (1, 1)
    [run] = engine.sync("shop", "all")
    assert (run.read, run.write_calls) == (0, 0)
    assert shop.asked == ["all", 10, 11]
    assert shop.in_step()


def test_what_left_is_deleted_by_the_next_whole_read(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    del shop.products["p3"]
    [run] = engine.sync("shop", "all")
    assert run.deleted == 0
    engine.clock.advance(6 * 3600)
    [run] = engine.sync("shop", "all")
    assert run.deleted == 1
    assert shop.asked == ["all", 10, "all"]
    assert shop.in_step()


def test_what_changes_during_a_whole_read_is_told_again(engine: Engine, shop: Shop):
    shop.meanwhile = [("p3", "changed meanwhile")]
    engine.sync("shop", "all")
    engine.sync("shop", "all")
    assert shop.asked == ["all", 10]
    assert shop.in_step()


def test_the_cursor_stays_until_all_that_it_covers_is_in_step(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    shop.put("p3", "another")
    shop.put("p4", "another")
    shop.remote.refused["p3"] = Rejected("no", "not today")
    engine.sync("shop", "all")
    shop.remote.refused.clear()
    engine.clock.advance(3600)
    [run] = engine.sync("shop", "all")
    assert (run.read, run.updated) == (2, 1)
    engine.sync("shop", "all")
    assert shop.asked == ["all", 10, 10, 12]
    assert shop.in_step()


def test_a_whole_read_with_a_failure_is_made_again(engine: Engine, shop: Shop):
    shop.remote.refused["p3"] = Rejected("no", "not today")
    engine.sync("shop", "all")
    shop.remote.refused.clear()
    engine.clock.advance(3600)
    engine.sync("shop", "all")
    assert shop.asked == ["all", "all"]
    assert shop.in_step()


def deployed_again(engine: Engine, shop: Shop, store_url: str) -> Any:
    with shop.app(store_url, engine.clock.expression) as app:
        [run] = Engine(app, engine.clock).sync("shop", "all")
        return run


def test_another_render_has_everything_read_again(engine: Engine, shop: Shop, store_url: str):
    engine.sync("shop", "all")
    shop.more = True
    assert deployed_again(engine, shop, store_url).updated == 10
    assert shop.asked == ["all", "all"]


def test_what_a_lesser_mode_left_out_is_made_up_for(engine: Engine, shop: Shop, store_url: str):
    engine.sync("shop", "all")
    shop.mode = "create_only"
    shop.put("p3", "another")
    assert deployed_again(engine, shop, store_url).updated == 0
    shop.mode = "mirror"
    assert deployed_again(engine, shop, store_url).updated == 1
    assert shop.in_step()


def test_where_a_parent_is_made_anew_its_children_are_read_again(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    table = engine.app.layer_tables[0].state
    parents = LayerState(engine.app.store, table, "elsewhere", None, dependents={table: None})
    parents.save([], Counts(), gone=["a parent"])
    engine.sync("shop", "all")
    assert shop.asked == ["all", "all"]


def test_remote_ids_are_found_wherever_their_keys_lie(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    state = LayerState(engine.app.store, engine.app.layer_tables[0].state, "all", None)
    for keys in (["p1", "p0"], ["p9", "p0"], ["p4", "none"]):  # neighbours; with others between them; and nobody
        held = state.look_up(keys)
        assert {key: each[0] for key, each in state.remote_ids(keys).items() if key in keys} == {
            key: held[key].remote_id for key in keys if key != "none"}


def test_a_source_that_gives_no_next_cursor_is_told_so(engine: Engine, shop: Shop):
    engine.sync("shop", "all")
    shop.answer = None
    [run] = engine.sync("shop", "all")
    assert "expected changed_since to return the next cursor" in str(run.error)


def test_one_method_without_the_other_is_found_at_once(tmp_path: Any):
    app = Penstock(f"sqlite:///{tmp_path}/x.db")

    class Products(Layer[dict[str, Any]]):
        key = "id"
        destination = Remote()
        source = staticmethod(lambda run: iter(()))

        def changed_since(self, cursor: Any, run: Run) -> Any:
            yield

    with pytest.raises(DeclarationError, match="has changed_since without cursor"):
        @app.sync("shop")
        class Catalogue(Sync[str]):
            layers = [Products]
