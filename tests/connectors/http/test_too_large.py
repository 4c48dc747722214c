"""A server that answers 413 to calls that are too large: they are split, and what is too large alone fails."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from penstock import Penstock
from penstock.connectors import http
from penstock.sync import Complete, Done, Layer, Run, Sync
from tests.clock import Clock
from tests.connectors.http.server import Answer, Api, Seen
from tests.engine import Engine

NOTES = {"n1": "x" * 10, "n2": "x" * 10, "n3": "x" * 500, "n4": "x" * 10, "n5": "x" * 10}


def takes_100_bytes(seen: Seen) -> Answer:
    if len(seen.body) > 100:
        return Answer(413, b"request entity too large")
    return Answer(json=[f"r-{note['text'][:1]}-{note['id']}" for note in seen.json])


class Notes(Layer[dict[str, Any]]):
    key = "id"

    def source(self, run: Run) -> Iterator[dict[str, Any]]:
        yield from ({"id": key, "text": text} for key, text in NOTES.items())
        return Complete(len(NOTES))  # type: ignore[return-value]

    def render(self, note: dict[str, Any], run: Run) -> dict[str, Any]:
        return note

    def create(self, changes: Sequence[Any], run: Run) -> list[Done]:
        reply = run.client.post(run, "/notes", json=[change.payload for change in changes])
        return [Done(remote_id) for remote_id in reply.json()]

    update = delete = create


def test_a_413_has_the_call_split_until_the_large_record_is_alone(store_url: str, clock: Clock, api: Api) -> None:
    api.on("POST /notes", takes_100_bytes)
    with Penstock(store_url, now=clock.expression) as app:
        @app.sync("notes")
        class Notebook(Sync[str]):
            layers = [Notes]

            def connect(self, account: str) -> AbstractContextManager[Any]:
                return http.connect(api.url)

        engine = Engine(app, clock)
        [run] = engine.sync("notes", "all")
        assert (run.status, run.created, run.failed) == ("succeeded", 4, 1)
        assert engine.state("Notes")["n3"] == ("failed", None, "413")
        assert [len(seen.json) for seen in api.seen] == [5, 2, 3, 1, 2]
