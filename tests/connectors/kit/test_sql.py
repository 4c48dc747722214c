"""SQL as source and as destination, on both databases, under the kit."""

from typing import Any

import pytest

from penstock.connectors import SQLSource
from penstock.connectors.sql import SQLDestination
from penstock.sync import Layer, Run
from penstock.testing.connectors import ConnectorCase, ConnectorChecks, Held, Records
from tests.connectors.sql.database import Database
from tests.testing.kit.cases import AddressBook, Book, Entry, entries


class FromTable(AddressBook):
    """Entries in a table, of which the subject has some; `buckets` says whether the source tells what changed."""

    def __init__(self, database: Database, buckets: int | None) -> None:
        self.database = database
        self.buckets = buckets

    def fresh(self) -> None:
        self.book = Book()
        self.database.run("drop table if exists entry",
                          "create table entry (id text primary key, name text, city text, owner text)")

    def layers(self) -> list[type[Layer[Any]]]:
        case = self

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            source = SQLSource(case.database.url, "select id, name, city from entry where owner = :subject", key="id",
                               buckets=case.buckets)
            destination = case.book

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def put(self, records: Records) -> None:
        self.database.run("delete from entry")
        self.database.insert("entry", [(each.id, each.name, each.city, self.subject) for each in records["Entries"]]
                             + [("other", "somebody", "Rome", "another subject")])

    def cut_short(self) -> Any:
        """A database does not end a read early and say that all is well."""
        return None


@pytest.mark.parametrize("buckets", [None, 2], ids=["read whole", "in buckets"])
class TestSource(ConnectorChecks):
    @pytest.fixture
    def connector_case(self, database: Database, buckets: int | None) -> ConnectorCase:
        return FromTable(database, buckets)


class IntoTable(ConnectorCase):
    """A table as destination. Its rows have the records' own keys, or numbers of the database's."""

    first: Records = {"Entries": entries(1, 2, 3, 4, 5, 6, 7)}
    then: Records = {"Entries": [*entries(1, 2, 4, 5, 6), *entries(7, city="Bath"), *entries(8, 9)]}

    def __init__(self, database: Database, keyed: bool) -> None:
        self.database = database
        self.keyed = keyed
        self.outlives_processes = not keyed

    def fresh(self) -> None:
        numbered = "integer" if self.database.is_sqlite else "integer generated always as identity"
        key = f"{'text' if self.keyed else numbered} primary key"
        self.database.run("drop table if exists entry", f"create table entry (id {key}, name text, city text)")

    def layers(self) -> list[type[Layer[Any]]]:
        url = self.database.url

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            destination = SQLDestination(url, "entry", **({"key": "id"} if self.keyed else {"match": "name"}))

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def held(self) -> Held:
        rows = self.database.run("select name, city from entry")
        return {"Entries": [(name, {"name": name, "city": city}) for name, city in rows]}


@pytest.mark.parametrize("keyed", [True, False], ids=["own keys", "numbered"])
class TestDestination(ConnectorChecks):
    @pytest.fixture
    def connector_case(self, database: Database, keyed: bool) -> ConnectorCase:
        return IntoTable(database, keyed)
