"""An app whose sync sends to one account under one rate: each call is noted by its server when it arrives."""

import http.client
import os
from collections.abc import Iterator, Sequence
from typing import Any

from penstock import Penstock, Rate
from penstock.domain.errors import Unavailable
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync

RATE, GROUPS, PEOPLE = 30, 6, 15
app = Penstock()


class People(Layer[dict[str, Any]]):
    key, batch_size, idempotent = "id", 1, True

    def source(self, run: Run) -> Iterator[dict[str, Any]]:
        for number in range(PEOPLE):
            yield {"id": f"{run.subject.key}-{number}"}
        return Complete(PEOPLE)

    def render(self, person: dict[str, Any], run: Run) -> dict[str, Any]:
        return person

    def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
        connection = http.client.HTTPConnection(os.environ["SERVER"], timeout=5)
        try:
            connection.request("POST", f"/{changes[0].key}")
            connection.getresponse().read()
        except OSError as error:
            raise Unavailable(f"{error}") from error
        finally:
            connection.close()
        return [Done(changes[0].key)]

    update = delete = create


@app.sync("people", max_concurrent=GROUPS, per_account=GROUPS, limits=[Rate(RATE, per="second", by="account")])
class Everybody(Sync[str]):
    layers = [People]

    def subjects(self) -> Iterator[Subject]:
        for number in range(GROUPS):
            yield Subject(f"g{number}", account="acme")
