"""A list of people in a CRM, which here is a folder with a file for each contact; and what to do when they disagree.

    export PENSTOCK_APP=contacts:app
    penstock why contacts all People 2 --remote
    penstock sync contacts --only People:2 --full
    penstock state show contacts
"""
import json
import os
from dataclasses import dataclass
from pathlib import Path

from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

FOLDER = Path(os.environ.get("CONTACTS", "."))
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Person:
    id: str
    name: str
    phone: str


class People(Layer[Person]):
    key, match = "id", "phone"

    def source(self, run):
        people = [Person(**each) for each in json.loads((FOLDER / "people.json").read_text())]
        yield from people
        return Complete(len(people))

    def render(self, person, run):
        return {"name": person.name, "phone": person.phone}

    def create_one(self, change, run):
        taken = [int(path.stem[1:]) for path in contacts()]
        return self.write(f"c{max(taken, default=0) + 1}", change)

    def update_one(self, change, run):
        return self.write(change.remote_id, change)

    def delete_one(self, change, run):
        (FOLDER / "crm" / f"{change.remote_id}.json").unlink(missing_ok=True)
        return Done()

    def write(self, remote_id, change):
        (FOLDER / "crm" / f"{remote_id}.json").write_text(json.dumps(change.payload))
        return Done(remote_id)

    def find(self, phones, run):
        found = {}
        for remote_id, phone, _ in self.read(run):
            found.setdefault(phone, []).append(remote_id)
        return {phone: found[phone] for phone in phones if phone in found}

    def read(self, run):
        for path in contacts():
            held = json.loads(path.read_text())
            yield path.stem, held["phone"], held


def contacts():
    (FOLDER / "crm").mkdir(exist_ok=True)
    return sorted((FOLDER / "crm").glob("c*.json"))


@app.sync("contacts")
class Contacts(Sync[str]):
    layers = [People]

    def subjects(self):
        yield Subject("all", account="crm")
