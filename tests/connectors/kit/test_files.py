"""CSV and JSON Lines as sources, under the kit; what cuts them short cuts their files."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.connectors import CSVSource, JSONLinesSource, Manifest
from penstock.sync import Layer, Run
from penstock.testing.connectors import ConnectorCase, ConnectorChecks, Records
from tests.testing.kit.cases import AddressBook, Book, Entry


class FromFile(AddressBook):
    """Entries in a file. With a manifest it may be cut between two lines, else within one."""

    def __init__(self, folder: Path, kind: str, counted: bool) -> None:
        self.file = folder / f"entries.{kind}"
        self.manifest = folder / "entries.count"
        self.kind = kind
        self.counted = counted

    def fresh(self) -> None:
        self.book = Book()
        self.put({"Entries": []})

    def layers(self) -> list[type[Layer[Any]]]:
        read = CSVSource if self.kind == "csv" else JSONLinesSource
        count = Manifest(self.manifest) if self.counted else None
        book = self.book

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            source, destination = read(self.file, key="id", count=count), book

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def put(self, records: Records) -> None:
        lines = [self.line(each) for each in records["Entries"]]
        self.file.write_text(("id,name,city\n" if self.kind == "csv" else "") + "".join(lines))
        self.manifest.write_text(str(len(lines)))

    def line(self, entry: Entry) -> str:
        if self.kind == "csv":
            return f"{entry.id},{entry.name},{entry.city}\n"
        return json.dumps({"id": entry.id, "name": entry.name, "city": entry.city}) + "\n"

    def cut_short(self) -> AbstractContextManager[None]:
        return self._torn()

    @contextmanager
    def _torn(self) -> Iterator[None]:
        whole = self.file.read_text()
        kept = whole.splitlines(keepends=True)[:5]
        self.file.write_text("".join(kept) if self.counted else "".join(kept)[:-3])
        try:
            yield
        finally:
            self.file.write_text(whole)


@pytest.mark.parametrize(("kind", "counted"), [("csv", True), ("jsonl", False)], ids=["CSV and count", "JSON Lines"])
class TestFiles(ConnectorChecks):
    @pytest.fixture
    def connector_case(self, tmp_path: Path, kind: str, counted: bool) -> ConnectorCase:
        return FromFile(tmp_path, kind, counted)
