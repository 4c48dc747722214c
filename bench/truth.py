"""The truth of a directory, its destination, and an observer who knows which records may be deleted, and when.

The observer keeps its own books from what really happened, and judges every delete by the rules of docs/deleting.md. It
shares no code with the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.sync import Change

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
    """The truth, the destination, and the observer's books. Times are in milliseconds.

    `claims` are the groups whose last reads gave a person, `lost_at` is when the last of them was lost.
    """

    groups: dict[str, Group]
    now: int = 0
    mail: dict[str, int] = field(default_factory=dict)
    claims: dict[str, set[str]] = field(default_factory=dict)
    lost_at: dict[str, int] = field(default_factory=dict)
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

    def read(self, name: str, people: Sequence[str], whole: bool) -> None:
        """Note what a read of a group gave. What gives nothing, or claims not to be whole, takes nobody's claim."""
        group = self.groups[name]
        for person in people:
            self.claims.setdefault(person, set()).add(name)
            self.lost_at.pop(person, None)
        if whole and people:
            for person, having in self.claims.items():
                if name in having and person not in people:
                    having.remove(name)
                    if not having:
                        self.lost_at[person] = self.now
        if self.honest(group):
            group.read = (self.now, frozenset(group.people))

    def _may_go(self, person: str, account: str) -> bool:
        """Whether each group of the account was read, honestly, whole and without the person, since the last claim."""
        lost_at = self.lost_at.get(person)
        return lost_at is not None and all(
            group.read is not None and group.read[0] >= lost_at and person not in group.read[1]
            for group in self.groups.values() if group.account == account)

    def judge_numbers(self) -> None:
        """After some runs at one time: whether one of them deleted more than a guard lets go."""
        latest = [each for each in self.done if each[0] == self.now]
        day = [each for each in self.done if each[0] > self.now - _DAY]
        for account, subject, layer in sorted({each[1:] for each in latest}):
            of_run = [subject] if layer == "Members" else None
            live = {"run": self._alive(layer, account, of_run), "account": self._alive(layer, account),
                    "layer": self._alive(layer)}
            counts = {"run": sum(each[1:] == (account, subject, layer) for each in latest),
                      "account": sum(each[1] == account and each[3] == layer for each in day),
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
