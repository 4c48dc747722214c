"""The walk of case study K: an HR database that is edited, and a SCIM service, for one seed after the other."""

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from penstock.cli.demo import source
from penstock.connectors import scim
from tests.crash.syncs.survival import Found, Identity, arm
from tests.servers.scim import FaultyProxy, ScimServer

_GROUPS, _PEOPLE = 3, 9
_MOST_LEAVING = 9   # over all rounds: more of them would wait for an approval
_READS_AND_WRITES = 10


class DirectorySide:
    """A service of its own for each seed, at one server, with a proxy before it. Every second one has no /Bulk."""

    sync = "directory"
    shared = frozenset({"user"})

    def __init__(self, number: int, hr: Path, server: ScimServer, tenant: str, stack: ExitStack) -> None:
        self._hr = hr
        source.generate(hr, people=_PEOPLE, groups=_GROUPS, seed=number)
        self._made = 0
        self._left = 0
        self._proxy = stack.enter_context(FaultyProxy(server.tenant(tenant)))
        if number % 2:
            self._proxy.offer(bulk={"supported": False})
        self._client = stack.enter_context(scim.connect(server.tenant(tenant), token=server.token))
        self.environment = {"SCIM_URL": self._proxy.url, "SCIM_TOKEN": server.token}
        self.subjects = source.subjects(hr)
        with self._editing() as connection:     # nobody is to be the only one of a group
            for (group,) in connection.execute("select group_id from door_group").fetchall():
                connection.executemany("insert or ignore into member values (?, ?)", [
                    (group, "E1001"), (group, "E1002")])
        self._make_by_hand(server.tenant(tenant), server.token)

    def _make_by_hand(self, url: str, token: str) -> None:
        """Two people and a group in the service, with one of them."""
        import httpx2

        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
            def made(kind: str, **fields: Any) -> str:
                answer = client.post(f"/{kind}s", json={
                    "schemas": [f"urn:ietf:params:scim:schemas:core:2.0:{kind}"], **fields})
                assert answer.status_code == 201, answer.text
                return str(answer.json()["id"])

            people = [made("User", userName=f"hand{number}@elsewhere.example", displayName="By hand")
                      for number in range(2)]
            self._by_hand = {*people, made("Group", displayName="By hand", members=[{"value": people[0]}])}

    # The source

    def _editing(self) -> Any:
        return source.opened(self._hr)

    def change(self, chance: Random) -> None:
        with self._editing() as connection:
            for _ in range(chance.randint(1, 4)):
                chance.choice([self._join, self._rename, self._readdress, self._leave, self._move, self._come_again,
                               self._retitle])(connection, chance)

    def _join(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._made += 1
        person = f"N{self._made}"
        connection.execute("insert into person values (?, ?, ?)", (person, f"New {self._made}",
                                                                   f"{person.lower()}@acme.example"))
        self._add(connection, chance, person)

    def _rename(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._made += 1
        connection.execute("update person set name = ? where employee_id = ?",
                           (f"Name {self._made}", self._person(connection, chance)))

    def _readdress(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._made += 1
        connection.execute("update person set email = ? where employee_id = ?",
                           (f"mail{self._made}@acme.example", self._person(connection, chance)))

    def _leave(self, connection: sqlite3.Connection, chance: Random) -> None:
        if self._left < _MOST_LEAVING and (member := self._member(connection, chance)):
            self._left += 1
            connection.execute("delete from member where group_id = ? and employee_id = ?", member)

    def _move(self, connection: sqlite3.Connection, chance: Random) -> None:
        """In either order: the group that somebody leaves may be read before or after the one that they join."""
        if self._left < _MOST_LEAVING and (member := self._member(connection, chance)):
            self._left += 1
            connection.execute("delete from member where group_id = ? and employee_id = ?", member)
            self._add(connection, chance, member[1])

    def _come_again(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._add(connection, chance, self._person(connection, chance))

    def _retitle(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._made += 1
        connection.execute("update door_group set title = ? where group_id = ?",
                           (f"Title {self._made}", chance.choice(self.subjects)[0]))

    def _add(self, connection: sqlite3.Connection, chance: Random, person: str) -> None:
        connection.execute("insert or ignore into member values (?, ?)", (chance.choice(self.subjects)[0], person))

    def _person(self, connection: sqlite3.Connection, chance: Random) -> str:
        return str(chance.choice(connection.execute("select employee_id from person order by 1").fetchall())[0])

    def _member(self, connection: sqlite3.Connection, chance: Random) -> tuple[str, str] | None:
        rows = connection.execute("select group_id, employee_id from member where employee_id not in ('E1001', 'E1002')"
                                  " order by 1, 2").fetchall()
        return chance.choice(rows) if rows else None

    def wanted(self) -> Mapping[Identity, Any]:
        with self._editing() as hr:
            return {
                **{("user", person): (email, name) for person, email, name in hr.execute(
                    "select employee_id, email, name from person where employee_id in (select employee_id from member)"
                )},
                **{("group", group): title for group, title in hr.execute("select group_id, title from door_group")},
                **{("member", group, person): None for group, person in hr.execute("select * from member")},
            }

    # The destination

    def held(self) -> list[Found]:
        """Users who are disabled are not there."""
        users, groups = self._read()
        persons = {user["id"]: user.get("externalId", user["id"]) for user in users}
        found = [Found(("user", persons[user["id"]]), user["id"], (user["userName"], user.get("displayName")))
                 for user in users if user.get("active", True) and user["id"] not in self._by_hand]
        for group in groups:
            if group["id"] in self._by_hand:
                continue
            found.append(Found(("group", group["externalId"]), group["id"], group["displayName"]))
            found += [Found(("member", group["externalId"], persons.get(each["value"], each["value"])),
                            f"{group['id']}/{each['value']}", None) for each in group.get("members") or ()]
        return found

    def strangers(self) -> Mapping[Any, Any]:
        return {each["id"]: each for resources in self._read() for each in resources if each["id"] in self._by_hand}

    def _read(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return list(self._client.resources("Users")), list(self._client.resources("Groups"))

    def fault(self, chance: Random) -> str:
        proxy, after = self._proxy, chance.randint(0, _READS_AND_WRITES)
        return arm(chance, {
            "429": lambda: proxy.error(429, headers=chance.choice([{}, {"Retry-After": "3"}]), after=after),
            "5xx before": lambda: proxy.error(chance.choice([500, 502, 503]), after=after),
            "5xx after": lambda: proxy.error_after(chance.choice([500, 504]), after=after),
            "request dropped": lambda: proxy.drop_before(after=after),
            "answer dropped": lambda: proxy.drop_after(after=after),
            "connection reset": lambda: proxy.reset(after=after),
            "answer torn": lambda: proxy.tear(after=after),
            "garbage": lambda: proxy.garbage(after=after),
        })

    def behave(self) -> bool:
        return self._proxy.behave()

    def writes(self) -> int:
        return len(self._proxy.writes)
