"""The example of withheld deletes as its page says it, by its commands, on both stores."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "deleting"

@pytest.fixture
def penstock_says(store_url: str, tmp_path: Path) -> Commands:
    return Commands(EXAMPLE, {"PENSTOCK_APP": "contacts:app", "PENSTOCK_URL": store_url, "CONTACTS": str(tmp_path)})


def test_it_does_what_its_page_says(penstock_says: Commands, tmp_path: Path) -> None:
    book, crm = tmp_path / "book.json", tmp_path / "crm.json"
    contacts = {f"{number:02}": f"contact {number}" for number in range(20)}
    book.write_text(json.dumps(contacts))
    penstock_says("migrate")
    assert penstock_says("approve", "contacts") == ["nothing is withheld of contacts"]
    assert penstock_says("sync", "contacts")[-1] == "book: succeeded, 20 read, 20 created"
    hand_made = {**json.loads(crm.read_text()), "hand-made": "somebody"}
    crm.write_text(json.dumps(hand_made))
    book.write_text(json.dumps(dict(list(contacts.items())[10:])))

    [said] = [line for line in penstock_says("sync", "contacts") if line.startswith("book:")]
    assert said == ("book: succeeded, 10 read, 10 withheld: Contacts: 10 deletes withheld until they are approved"
                    " (Contacts: 10 deletes of 20 rows of this run, more than 20 %); see `penstock approve contacts`")
    assert json.loads(crm.read_text()) == hand_made

    listed = penstock_says("approve", "contacts")
    assert listed[0] == "1  Contacts of book (account crm): 10 deletes withheld"
    assert listed[1] == "    why: Contacts: 10 deletes of 20 rows of this run, more than 20 %"
    assert listed[2] == "    keys: 00, 01, 02, 03, 04 and 5 more"
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d\+00:00"
    assert re.fullmatch(f" +asked {time}, expires {time}", listed[3])
    [approval] = as_json(penstock_says("approve", "contacts", "--json"))["approvals"]
    assert (approval["id"], approval["status"], approval["records"]) == (1, "asked", 10)

    assert penstock_says("approve", "contacts", "--layer", "Contcats") == [
        "nothing to do: no open question of contacts is among those"]
    assert penstock_says("approve", "contacts", "--refuse", code=2)[0].endswith("--layer or --all")
    assert "got 7" in penstock_says("approve", "contacts", "--id", "7", code=1)[-1]
    [said] = penstock_says("approve", "contacts", "--all")
    assert said.startswith("1: 10 deletes of Contacts (book) approved: the next run deletes those that are still")
    [approval] = as_json(penstock_says("approve", "contacts", "--json"))["approvals"]
    assert approval["status"] == "approved"
    assert approval["decided_by"]

    assert penstock_says("sync", "contacts")[-1] == "book: succeeded, 10 read, 10 deleted"
    assert json.loads(crm.read_text()) == {**dict(list(contacts.items())[10:]), "hand-made": "somebody"}
    assert penstock_says("approve", "contacts") == ["nothing is withheld of contacts"]


def test_what_is_refused_is_kept(penstock_says: Commands, tmp_path: Path) -> None:
    book, crm = tmp_path / "book.json", tmp_path / "crm.json"
    book.write_text(json.dumps({str(number): "x" for number in range(20)}))
    penstock_says("migrate")
    penstock_says("sync", "contacts")
    book.write_text(json.dumps({str(number): "x" for number in range(10)}))
    penstock_says("sync", "contacts")
    decided = as_json(penstock_says("approve", "contacts", "--subject", "book", "--refuse", "--json"))["decided"]
    assert [each["status"] for each in decided] == ["refused"]
    assert "10 withheld: Contacts: 10 deletes withheld as was decided" in penstock_says("sync", "contacts")[-1]
    assert len(json.loads(crm.read_text())) == 20


def as_json(lines: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines[-1])
    return found
