"""Contacts of an address book into a CRM; both are JSON files here, so that you can edit them.

    export PENSTOCK_APP=contacts:app
    penstock sync contacts             # sends what is in book.json
    penstock approve contacts          # after half of it has gone: what was not deleted, and why
    penstock approve contacts --all
    penstock sync contacts             # deletes what was approved and is still not in the book
"""
import json
import os
from dataclasses import dataclass
from pathlib import Path

from penstock import Penstock
from penstock.sync import Complete, Done, Guard, Layer, Subject, Sync

FOLDER = Path(os.environ.get("CONTACTS", "."))
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Contact:
    number: str
    name: str


class Contacts(Layer[Contact]):
    key = "number"
    guard = Guard(at_least=5)          # else 10; more than 500, or than 20 % of what is there, are withheld

    def source(self, run):
        contacts = json.loads((FOLDER / "book.json").read_text())
        for number, name in contacts.items():
            yield Contact(number, name)
        return Complete(len(contacts))   # without this proof nothing is ever deleted

    def render(self, contact, run):
        return {"name": contact.name}

    def create(self, changes, run):
        return run.client.put({change.key: change.payload["name"] for change in changes})

    update = create

    def delete(self, changes, run):
        return run.client.drop([change.remote_id for change in changes])


class Crm:
    """The destination: a file that somebody else may write to as well."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, names):
        self._save({**self.names(), **names})
        return [Done(number) for number in names]

    def drop(self, numbers):
        self._save({number: name for number, name in self.names().items() if number not in numbers})
        return [Done() for _ in numbers]

    def names(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _save(self, names) -> None:
        self.path.write_text(json.dumps(names, indent=1))


@app.sync("contacts")
class ContactsSync(Sync[str]):
    layers = [Contacts]

    def subjects(self):
        yield Subject("book", account="crm")

    def connect(self, account):
        return Crm(FOLDER / "crm.json")
