"""The people and groups of an identity provider, by SCIM, into the directory of a badge system, by SCIM as well.

    export PENSTOCK_APP=badges:app
    penstock sync badges

One run per group of the identity provider; whoever is in one of them gets a badge.
"""
import os
from dataclasses import dataclass

from penstock import Penstock
from penstock.connectors import scim
from penstock.sync import Layer, Subject, Sync

PROVIDER = {"url": os.environ["PROVIDER_URL"], "token": os.environ.get("PROVIDER_TOKEN")}
GROUPS = os.environ.get("GROUPS", "doors,lifts").split(",")
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Person:
    id: str
    email: str
    name: str | None
    active: bool | None


@dataclass
class Group:
    id: str
    title: str


@dataclass
class Member:
    group: str
    member: str


class People(Layer[Person]):
    scope, key, match, on_delete = "account", "id", "email", "disable"
    source = scim.Source("Users", where="active eq true", **PROVIDER, fields={
        "id": "id", "email": "userName", "name": "name.familyName", "active": "active"})
    destination = scim.Users

    def render(self, person, run):
        return {"externalId": person.id, "userName": person.email, "displayName": person.name or person.email}


class Groups(Layer[Group]):
    key, match = "id", "title"
    source = scim.Source("Groups", where="externalId eq :subject", **PROVIDER, fields={
        "id": "id", "title": "displayName"})
    destination = scim.Groups

    def render(self, group, run):
        return {"externalId": group.id, "displayName": group.title}


class Members(Layer[Member]):
    key = ("group", "member")
    parent, references = Groups.by("group"), [People.by("member")]
    source = scim.MembersOf("externalId eq :subject", **PROVIDER)
    destination = scim.Members


@app.sync("badges")
class Badges(Sync[str]):
    layers = [People, Groups, Members]

    def subjects(self):
        for group in GROUPS:
            yield Subject(group, account="badges")

    def connect(self, account):
        return scim.connect(os.environ["BADGES_URL"], token=os.environ.get("BADGES_TOKEN"))
