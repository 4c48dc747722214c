"""Random histories of a directory, and an observer who knows which of its records may be deleted, and when.

People of an account are in groups; they join, leave, move and change their e-mail; sources break off, lose their proof,
are empty, refuse access or, being cut off, claim to be whole all the same. The observer keeps its own books from what
really happened, and judges every delete by the rules of docs/deleting.md. It shares no code with the engine.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from penstock.sync.approvals import Approval
from penstock.testing import FakeClock, drain

FAULTS = ("broken off", "no proof", "no key", "empty", "unauthorised", "cut off")
_DAY = 86_400_000
Key = tuple[str, str]
"""A layer and a key in it."""


@dataclass(slots=True)
class Group:
    """One subject as it really is.

    `fault` is of its source now; `read` is when, and what, the source last gave honestly and whole.
    """

    account: str
    people: set[str]
    fault: str | None = None
    lied: bool = False
    read: tuple[int, frozenset[str]] | None = None


@dataclass(slots=True)
class World:
    """The truth, the destination, and the observer's books. Times are in milliseconds."""

    groups: dict[str, Group]
    now: int = 0
    mail: dict[str, int] = field(default_factory=dict)
    left_at: dict[str, int] = field(default_factory=dict)
    records: dict[str, Key] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    hand_made: set[str] = field(default_factory=set)
    approved: set[Key] = field(default_factory=set)
    done: list[tuple[int, str, str, str]] = field(default_factory=list)
    carried_out: list[tuple[int, str, str, str]] = field(default_factory=list)
    deletes: int = 0
    wrong: list[str] = field(default_factory=list)
    ids: int = 0

    def add(self, key: Key, *, hand_made: bool = False) -> str:
        self.ids += 1
        remote_id = f"r{self.ids}"
        self.records[remote_id] = key
        self.alive.add(remote_id)
        if hand_made:
            self.hand_made.add(remote_id)
        return remote_id

    def leave(self, group: str, person: str) -> None:
        self.groups[group].people.discard(person)
        if not self.at_home(person):
            self.left_at[person] = self.now

    def at_home(self, person: str) -> bool:
        """Whether a person is in some group. People's names tell their account."""
        return any(person in group.people for group in self.groups.values())

    # The source

    def given(self, name: str) -> tuple[list[str | None], bool, Exception | None]:
        """What a group's source gives: people, whether it claims that these are all, and how it ends, if badly."""
        group = self.groups[name]
        people: list[str | None] = [*sorted(group.people)]
        match group.fault:
            case "unauthorised":
                return [], False, PermissionError("401")
            case "empty":
                return [], True, None
            case "broken off":
                return people[:len(people) // 2], False, OSError("connection reset")
            case "cut off":
                return people[:len(people) // 4], True, None
            case "no key":
                return [None, *people], True, None
        return people, group.fault != "no proof", None

    def honest(self, group: Group) -> bool:
        return group.fault is None and bool(group.people)

    # The destination

    def deleted(self, layer: str, changes: Sequence[Change], subject: str) -> None:
        for change in changes:
            self.deletes += 1
            self._judge(layer, change, subject)
            self.alive.discard(change.remote_id or "")

    def _judge(self, layer: str, change: Change, subject: str) -> None:
        group, key = self.groups[subject], (layer, change.key)
        fault = None
        if change.remote_id in self.hand_made or self.records.get(change.remote_id or "") != key:
            fault = "it is somebody else's"
        elif not self.honest(group) and not (group.fault == "cut off" and key in self.approved):
            fault = f"the source was {group.fault or 'empty'}"
        elif layer == "Rooms" or (layer == "Members" and change.key.split("/")[1] in group.people):
            fault = "it is in the source"
        elif layer == "People" and not self._may_go(change.key, group.account):
            fault = "a group of the account has it, or was not read since"
        if fault is not None:
            self.wrong.append(f"{layer} {change.key} by {subject}: {fault}")
        if key in self.approved:
            self.approved.discard(key)
            self.carried_out.append((self.now, group.account, subject, layer))
        else:
            self.done.append((self.now, group.account, subject, layer))

    def _may_go(self, person: str, account: str) -> bool:
        """Whether each group of the account was read, honestly and whole, since the person left, without the person."""
        left_at = self.left_at.get(person)
        return left_at is not None and all(
            group.read is not None and group.read[0] >= left_at and person not in group.read[1]
            for group in self.groups.values() if group.account == account)

    def judge_numbers(self) -> None:
        """After a run: whether it deleted more than a guard lets go."""
        latest = [each for each in self.done if each[0] == self.now]
        day = [each for each in self.done if each[0] > self.now - _DAY]
        for layer in {each[3] for each in latest}:
            mine = [each for each in latest if each[3] == layer]
            _, account, subject, _ = mine[0]
            of_run = [subject] if layer == "Members" else None
            live = {"run": self._alive(layer, account, of_run), "account": self._alive(layer, account),
                    "layer": self._alive(layer)}
            counts = {"run": len(mine), "account": sum(each[1] == account and each[3] == layer for each in day),
                      "layer": sum(each[3] == layer for each in day)}
            for level, count in counts.items():
                approved = sum(each[0] == self.now and each[3] == layer for each in self.carried_out)  # were there too
                if count >= 10 and (count > 500 or count * 5 > live[level] + count + approved):
                    self.wrong.append(f"{layer}: {count} deletes of this {level}, of {live[level] + count} rows")
                    break

    def _alive(self, layer: str, account: str | None = None, subjects: list[str] | None = None) -> int:
        found = 0
        for remote_id in self.alive - self.hand_made:
            kind, key = self.records[remote_id]
            if kind == layer and (account is None or key.startswith(f"{account}-")) and (
                    subjects is None or key.split("/")[0] in subjects):
                found += 1
        return found

    def left_over(self) -> int:
        """How many records of ours are at the destination and not in the truth, or the other way round."""
        truth = {("Rooms", name) for name in self.groups}
        truth |= {("People", person) for group in self.groups.values() for person in group.people}
        truth |= {("Members", f"{name}/{person}") for name, group in self.groups.items() for person in group.people}
        return len(truth ^ {self.records[remote_id] for remote_id in self.alive - self.hand_made})


def declared(url: str, world: World, on_delete: str) -> Penstock:
    """An app that keeps the world's destination in step with its groups."""
    app = Penstock(url)

    class Verbs(Layer[dict[str, Any]]):
        key, batch_size = "key", 7

        def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
            return [Done(world.add((type(self).__name__, change.key))) for change in changes]

        def update(self, changes: Sequence[Change], run: Run) -> list[Done]:
            world.alive.update(change.remote_id or "" for change in changes)
            return [Done() for _ in changes]

        def delete(self, changes: Sequence[Change], run: Run) -> list[Done]:
            world.deleted(type(self).__name__, changes, run.subject.key)
            return [Done() for _ in changes]

        disable = delete

    class People(Verbs):
        scope = "account"

        def source(self, run: Run) -> Any:
            group = world.groups[run.subject.key]
            people, whole, error = world.given(run.subject.key)
            for person in people:
                yield {"key": person, "mail": world.mail.get(person or "", 0)}
            if error is not None:
                raise error
            if world.honest(group):
                group.read = (world.now, frozenset(group.people))
            return Complete(len(people)) if whole else None

        def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"mail": record["mail"]}

    class Rooms(Verbs):
        def source(self, run: Run) -> Any:
            yield {"key": run.subject.key}
            return Complete(1)

    class Members(Verbs):
        parent, references = Rooms.by("group"), [People.by("person")]

        def source(self, run: Run) -> Any:
            people, whole, error = world.given(run.subject.key)
            for person in people:
                key = None if person is None else f"{run.subject.key}/{person}"
                yield {"key": key, "group": run.subject.key, "person": person}
            if error is not None:
                raise error
            return Complete(len(people)) if whole else None

    People.on_delete = on_delete

    @app.sync("directory", max_concurrent=4)
    class Directory(Sync[str]):
        layers = [Rooms, People, Members]

        def subjects(self) -> Iterator[Subject]:
            for name, group in world.groups.items():
                yield Subject(name, account=group.account)

    return app


class History:
    """One seeded history, played on a store of its own."""

    def __init__(self, url: str, seed: int) -> None:
        self._random = random.Random(seed)
        self.world = World(self._groups())
        for name, group in self.world.groups.items():
            for _ in range(2):
                self.world.add(("People", f"{group.account}-by-hand"), hand_made=True)
                self.world.add(("Members", f"{name}/by-hand"), hand_made=True)
        self._app = declared(url, self.world, self._random.choice(["delete", "disable"]))

    def _groups(self) -> dict[str, Group]:
        groups = {}
        for account in ("a", "b")[:self._random.choice([1, 1, 2])]:
            crowd = [f"{account}-{number}" for number in range(self._random.choice([12, 20, 40]))]
            for number in range(self._random.choice([1, 2, 3])):
                people = set(self._random.sample(crowd, self._random.randint(4, len(crowd))))
                groups[f"{account}-g{number}"] = Group(account, people)
        return groups

    def play(self, steps: int = 8) -> World:
        """Play it, then let the truth have its way: honest reads, and somebody who approves what is right."""
        with self._app as app:
            app.migrate()
            with FakeClock(app) as clock:
                self._clock = clock
                self._sync(list(self.world.groups))
                for _ in range(steps):
                    for _ in range(self._random.randint(1, 4)):
                        self._change()
                    self._spoil()
                    names = list(self.world.groups)
                    self._sync(self._random.sample(names, self._random.randint(1, len(names))))
                    if self._random.random() < 0.3:
                        self._approve()
                for group in self.world.groups.values():
                    group.fault = None
                for _ in range(4):
                    self._approve()
                    self._clock.advance(timedelta(days=1))
                    self._sync(list(self.world.groups))
        return self.world

    def _change(self) -> None:
        """Something happens to somebody, or to half of a group."""
        world, choose = self.world, self._random
        name = choose.choice(list(world.groups))
        group = world.groups[name]
        person = choose.choice(sorted(group.people))
        match choose.choice(["join", "leave", "leave", "move", "move", "mail", "many leave"]):
            case "join":
                group.people.add(f"{group.account}-{choose.randint(0, 60)}")
            case "leave" if len(group.people) > 1:
                world.leave(name, person)
            case "move" if len(group.people) > 1:
                other = choose.choice([each for each in world.groups if world.groups[each].account == group.account])
                if other != name:
                    world.groups[other].people.add(person)
                    world.leave(name, person)
            case "mail":
                world.mail[person] = world.mail.get(person, 0) + 1
            case "many leave":
                for each in choose.sample(sorted(group.people), len(group.people) // 2):
                    world.leave(name, each)

    def _spoil(self) -> None:
        """Some sources go wrong. One that is cut off loses enough to be noticed, and is next read as it is."""
        for group in self.world.groups.values():
            fault = self._random.choice(FAULTS) if self._random.random() < 0.35 else None
            if fault == "cut off" and (len(group.people) < 15 or group.lied):
                fault = None
            group.lied = fault == "cut off" or (group.lied and fault is not None)
            group.fault = fault

    def _sync(self, names: Sequence[str]) -> None:
        """Sync groups one after the other, some time apart; those that failed are tried again with the next."""
        for name in names:
            self._clock.advance(timedelta(seconds=self._random.choice([1, 60, 3600])))
            self.world.now = int(self._clock.now.timestamp() * 1000)
            request(self._app, [(name, self.world.groups[name].account)])
            self.world.judge_numbers()

    def _approve(self) -> None:
        """Somebody who looks at the truth approves the questions that are right, and leaves the others alone."""
        for approval in self._app.approvals("directory"):
            keys = named(self._app, approval)
            if approval.status == "asked" and not [key for key in keys if self._there(approval.layer, key)]:
                self._app.approve("directory", approval.id, by="observer")
                self.world.approved.update((approval.layer, key) for key in keys)

    def _there(self, layer: str, key: str) -> bool:
        if layer == "Members":
            name, person = key.split("/")
            return person in self.world.groups[name].people
        return layer == "Rooms" or self.world.at_home(key)


def request(app: Penstock, subjects: Sequence[tuple[str, str]]) -> None:
    """Ask for runs and serve them, in this thread."""
    app.request([{"sync": "directory", "subject": subject, "account": account, "priority": 0, "reason": "history"}
                 for subject, account in subjects])
    drain(app, limit=1_000_000)


def named(app: Penstock, approval: Approval) -> list[str]:
    """All keys that an approval names."""
    params = {"id": approval.id, "after": "", "count": approval.records}
    return [key for (key,) in app.store.read(lambda tx: tx.rows("approval_keys_page", params))]


def small_groups(url: str, count: int) -> World:
    """So many groups of ten, each of an account of its own, that lose nine people each within the day."""
    groups = {f"{number:04}-g": Group(f"{number:04}", {f"{number:04}-{each}" for each in range(10)})
              for number in range(count)}
    world = World(groups)
    with declared(url, world, "delete") as app:
        app.migrate()
        with FakeClock(app) as clock:
            world.now = int(clock.now.timestamp() * 1000)
            request(app, [(name, group.account) for name, group in groups.items()])
            clock.advance(timedelta(minutes=1))
            world.now = int(clock.now.timestamp() * 1000)
            for name, group in groups.items():
                for person in sorted(group.people)[1:]:
                    world.leave(name, person)
            for name, group in groups.items():
                clock.advance(timedelta(seconds=1))
                world.now = int(clock.now.timestamp() * 1000)
                request(app, [(name, group.account)])
                world.judge_numbers()
    return world
