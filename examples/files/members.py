"""A club's members, exported each night as files, into its newsletter.

    export PENSTOCK_APP=members:app
    penstock sync members

`people-north.csv` has the people of one branch, and `people-north.count` says how many they are; `choices.jsonl.gz` has
what the people of all branches want to read.
"""
import os
from dataclasses import dataclass
from pathlib import Path

from penstock import Penstock
from penstock.connectors import Console, CSVSource, JSONLinesSource, Manifest
from penstock.sync import Layer, Subject, Sync

EXPORT = Path(os.environ.get("EXPORT", "export"))
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Person:
    member_no: str
    name: str
    birth_year: int | None


@dataclass
class Choice:
    member: str
    topic: str


class People(Layer[Person]):
    key = "member_no"
    source = CSVSource(EXPORT / "people-:subject.csv", key="member_no", blank=None,
                       count=Manifest(EXPORT / "people-:subject.count"))
    destination = Console()             # prints what it would send

    def render(self, person, run):
        return {"name": person.name, "adult": person.birth_year is not None and person.birth_year <= 2008}


class Choices(Layer[Choice]):
    key, parent = ("member", "topic"), People.by("member")
    source = JSONLinesSource(EXPORT / "choices.jsonl.gz", key=("member", "topic"), subject="branch")
    destination = Console()

    def render(self, choice, run):
        return {"topic": choice.topic}


@app.sync("members")
class Members(Sync[str]):
    layers = [People, Choices]

    def subjects(self):
        for path in sorted(EXPORT.glob("people-*.csv")):
            yield Subject(path.stem.removeprefix("people-"))
