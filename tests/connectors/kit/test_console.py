"""The console as a destination, under the kit: who reads its lines from the first on knows what should be there."""

import io
import json
from typing import Any

import pytest

from penstock.connectors import Console
from penstock.sync import Layer, Run
from penstock.testing.connectors import ConnectorCase, ConnectorChecks, Held, Records
from tests.testing.kit.cases import Entry, entries


class Printed(ConnectorCase):
    first: Records = {"Entries": entries(1, 2, 3, 4, 5, 6, 7)}
    then: Records = {"Entries": [*entries(1, 2, 4, 5, 6), *entries(7, city="Bath"), *entries(8, 9)]}
    finds_nothing = True

    def fresh(self) -> None:
        self.stream = io.StringIO()

    def layers(self) -> list[type[Layer[Any]]]:
        case = self

        class Entries(Layer[Entry]):
            key = "id"
            destination = Console(case.stream)

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def held(self) -> Held:
        """A line that is printed twice says the same twice."""
        held: dict[str, Any] = {}
        for line in self.stream.getvalue().splitlines():
            verb, key, *payload = line.split(" ", 2)
            if verb == "delete":
                held.pop(key, None)
            else:
                held[key] = json.loads(payload[0])
        return {"Entries": held}


class TestConsole(ConnectorChecks):
    @pytest.fixture
    def connector_case(self) -> ConnectorCase:
        return Printed()
