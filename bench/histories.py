"""Random histories of a directory.

People of an account are in groups; they join, leave, move and change their e-mail; sources break off, lose their proof,
are empty, refuse access or, being cut off, claim to be whole all the same. Every delete is judged (bench/truth.py).
"""

import random
from collections.abc import Sequence
from datetime import timedelta

from bench.directory import declared
from bench.truth import Group, World
from penstock import Penstock
from penstock.sync.deleting.approvals import Approval
from penstock.testing import FakeClock, drain

FAULTS = ("broken off", "no proof", "no key", "empty", "unauthorised", "cut off")


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
                group.people.discard(person)
            case "move" if len(group.people) > 1:
                other = choose.choice([each for each in world.groups if world.groups[each].account == group.account])
                if other != name:
                    world.groups[other].people.add(person)
                    group.people.discard(person)
            case "mail":
                world.mail[person] = world.mail.get(person, 0) + 1
            case "many leave":
                for each in choose.sample(sorted(group.people), len(group.people) // 2):
                    group.people.discard(each)

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
            for group in groups.values():
                group.people = set(sorted(group.people)[:1])
            for name, group in groups.items():
                clock.advance(timedelta(seconds=1))
                world.now = int(clock.now.timestamp() * 1000)
                request(app, [(name, group.account)])
                world.judge_numbers()
    return world
