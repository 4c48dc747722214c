"""Whatever changes in the source, and whatever happens to calls and workers on the way, quiet runs converge.

Runs are served in windows. One that has too little time for a run puts it back: it keeps its row, at no attempt.
The destination enforces nothing, so a record that were created twice would show.
"""

import os
import tempfile
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from penstock import Penstock, Window
from penstock.domain.errors import StaleLease, Throttled, Unavailable
from penstock.domain.records import Rejected
from penstock.queue.claim import settle
from penstock.sync.window.serve import serve
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine

GROUPS = st.sampled_from(["g1", "g2"])
PEOPLE = st.sampled_from([f"p{number}" for number in range(6)])
NAMES = st.integers(0, 9).map(lambda number: f"v{number}")
FAULTS = st.sampled_from([Throttled(5.0), Unavailable("refused", sent=False), Unavailable("lost"), OSError("reset")])


class Converges(RuleBasedStateMachine):
    """Two groups that share people. A person's name is unique to the person, so a look-up finds one at most."""

    app: Penstock
    at: float
    put_back: dict[int, str]
    """Runs that go on later: their subjects, by the number of their row."""

    def slowed(self, call: Any) -> Any:
        def takes_time(*given: Any) -> Any:
            self.at += 2
            return call(*given)

        return takes_time

    @initialize()
    def start(self) -> None:
        memory = "/dev/shm"  # nothing here crashes the machine, and the disk's answers take most of the time
        self.folder = tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None)
        url = f"sqlite:///{self.folder.name}/store.db"
        self.clock = Clock(url)
        self.directory = Directory(groups={"g1": {}, "g2": {}})
        self.app = self.directory.app(url, self.clock.expression, window=Window(total=60, headroom=5))
        self.at, self.put_back = 0.0, {}
        self.app.monotonic = lambda: self.at
        for remote in (self.directory.people, self.directory.rooms, self.directory.members):
            remote._call = self.slowed(remote._call)  # type: ignore[method-assign]
        self.engine = Engine(self.app, self.clock)

    @rule(group=GROUPS, person=PEOPLE, name=NAMES)
    def put(self, group: str, person: str, name: str) -> None:
        """A person has one name, in whichever groups."""
        self.directory.groups[group][person] = f"{person} {name}"
        for people in self.directory.groups.values():
            if person in people:
                people[person] = f"{person} {name}"

    @rule(group=GROUPS, person=PEOPLE)
    def leave(self, group: str, person: str) -> None:
        self.directory.groups[group].pop(person, None)

    @rule(remote=st.sampled_from(["people", "rooms", "members"]), fault=FAULTS, after=st.booleans())
    def break_call(self, remote: str, fault: Exception, after: bool) -> None:
        """The next call fails, before or after it was carried out; only what was carried out can lose its answer."""
        target = getattr(self.directory, remote)
        if after and not isinstance(fault, Throttled) and getattr(fault, "sent", True):
            target.lost = fault
        else:
            target.before = fault

    @rule(person=PEOPLE, refused=st.booleans())
    def refuse(self, person: str, refused: bool) -> None:
        if refused:
            self.directory.people.refused[person] = Rejected("no", "not today")
        else:
            self.directory.people.refused.pop(person, None)

    @rule(group=GROUPS)
    def sync(self, group: str) -> None:
        self.engine.sync("directory", group)
        self.clock.advance(10)

    @rule(seconds=st.integers(1, 5))
    def hurry(self, seconds: int) -> None:
        """A host has little time for both groups; a call takes two seconds."""
        for group in ("g1", "g2"):
            self.directory.directory_sync.request(group, account="acme")
        self.engine.dispatch()
        self.engine.until = self.at + seconds
        before = dict(self.clock.fetch("select id, attempt from penstock.sync_runs"))
        self.engine.serve()
        self.engine.until = None
        for id, subject, attempt in self.clock.fetch(
                "select id, subject, attempt from penstock.sync_runs where status = 'pending'"
                " and error_class = 'OutOfTime'"):
            assert attempt <= before[id], "it costs no attempt"
            self.put_back[id] = subject

    @rule(group=GROUPS, remote=st.sampled_from(["people", "rooms", "members"]))
    def die(self, group: str, remote: str) -> None:
        """A worker is killed right after a call was carried out; its lease lapses."""
        self.directory.directory_sync.request(group, account="acme")
        self.engine.dispatch()
        for job in self.engine.claim():
            getattr(self.directory, remote).lost = KeyboardInterrupt()
            attempt = self.engine.attempt(job)
            try:
                serve(self.app.store, self.app.syncs, self.app.events, job_id=job.id, lease=job.lease,
                      check=attempt.check, remaining=attempt.remaining)
                settle(self.app.store, [self.engine.execute(job)])
            except (KeyboardInterrupt, StaleLease):
                self.clock.advance(31)
                self.app.upkeep().step()
                self.engine.register()
            getattr(self.directory, remote).lost = None

    @invariant()
    def what_goes_on_later_keeps_its_row(self) -> None:
        """No other run of its subject begins before it has ended."""
        for id, subject in list(getattr(self, "put_back", {}).items()):
            [(status,)] = self.clock.fetch(f"select status from penstock.sync_runs where id = {id}")
            later = self.clock.fetch(f"select id from penstock.sync_runs where id > {id} and subject = '{subject}'")
            assert not (later and status in ("pending", "running"))
            if status not in ("pending", "running"):
                del self.put_back[id]

    @invariant()
    def nobody_exists_twice(self) -> None:
        if hasattr(self, "app"):
            for remote in (self.directory.people, self.directory.rooms, self.directory.members):
                counted = Counter(record["key"] for record in remote.records.values())
                assert not [key for key, count in counted.items() if count > 1]

    def teardown(self) -> None:
        if not hasattr(self, "app"):
            return
        try:
            self.converge()
        finally:
            self.app.close()
            self.clock.close()
            self.folder.cleanup()

    def converge(self) -> None:
        """No more faults: after a few rounds the destination is what the source says, and nothing more is sent."""
        for remote in (self.directory.people, self.directory.rooms, self.directory.members):
            remote.before, remote.lost = None, None
            remote.refused.clear()
        for _ in range(4):
            self.clock.advance(4000)
            self.engine.sync("directory", "g1", "g2")
        runs: list[Any] = self.engine.sync("directory", "g1", "g2")
        assert [(run.status, run.created, run.updated, run.deleted, run.failed, run.blocked) for run in runs] == [
            ("succeeded", 0, 0, 0, 0, 0)] * 2
        groups = self.directory.groups
        people = self.directory.people.records
        everybody = {key: name for members in groups.values() for key, name in members.items()}
        active = {record["key"]: record["payload"]["name"] for record in people.values() if record["active"]}
        emptied = any(not members for members in groups.values())  # an empty source proves nothing, so its people stay
        assert (everybody.items() <= active.items()) if emptied else (active == everybody)
        members = {record["key"] for record in self.directory.members.records.values()}
        expected = {f'["{group}","{person}"]' for group, held in groups.items() for person in held}
        assert (expected <= members) if emptied else (members == expected)


Converges.TestCase.settings = settings(
    max_examples=int(os.environ.get("PENSTOCK_MODEL_EXAMPLES", "25")), stateful_step_count=15, deadline=None,
    suppress_health_check=list(HealthCheck))
TestConverges = Converges.TestCase
