"""Claims on rows that subjects share, where runs end early, run at once, or meet records that nobody has sent."""

import threading
from typing import Any

import pytest

from penstock.domain.errors import Unavailable
from penstock.domain.records import Counts, RecordState
from penstock.sync.deleting.withhold import Withholding
from penstock.sync.serving.opening import layer_states
from penstock.sync.state.rows import Mark
from tests.conformance.deleting.conftest import leave
from tests.conformance.deleting.test_shared_rows import approve_all, rounds
from tests.conformance.sync_app import Directory
from tests.engine import Engine
from tests.waiting import until


@pytest.fixture
def two(directory: Directory) -> None:
    """A second group, so that no group can tell alone who is gone."""
    directory.groups["g2"] = {f"q{number}": "x" for number in range(5)}


def table(engine: Engine, claims: bool = False) -> str:
    name = next(item.table for item in engine.app.layer_tables if item.layer == "Everybody" and item.claims == claims)
    return f"penstock_{name}" if engine.app.store.dialect == "sqlite" else f"penstock.{name}"


def write(engine: Engine, sql: str) -> None:
    engine.app.store.write(lambda tx: tx.script(sql))


@pytest.mark.usefixtures("two")
class TestAnApproval:
    def test_it_is_void_for_who_came_back_and_left_again_though_no_read_was_whole(
            self, engine: Engine, directory: Directory) -> None:
        engine.sync("directory", "g1", "g2")
        gone = leave(directory, 12)
        rounds(engine, 3, "g1", "g2")
        approve_all(engine)
        directory.proof = False
        directory.groups["g2"] |= dict.fromkeys(gone, "is back")
        rounds(engine, 1, "g2")
        directory.proof = True
        for key in gone:
            del directory.groups["g2"][key]
        rounds(engine, 3, "g2", "g1")
        assert directory.people.named("disable") == []
        assert [each.status for each in engine.app.approvals("directory") if each.layer == "Everybody"] == ["asked"]

    def test_it_is_void_for_who_was_seen_by_a_run_that_did_not_end_well(
            self, engine: Engine, directory: Directory) -> None:
        engine.sync("people", "g1")
        gone = leave(directory, 12)
        engine.sync("people", "g1")
        engine.app.approve("people", engine.app.approvals("people")[0].id, by="ann")
        directory.groups["g1"] |= {**{key: f"name {int(key[1:])}" for key in gone}, "p98": "new"}
        directory.people.before = Unavailable("down", sent=False)
        engine.sync("people", "g1")
        leave(directory, 12)
        engine.clock.advance(60)
        [run] = engine.sync("people", "g1")
        assert (run.deleted, run.withheld) == (0, 12)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("arrived", [True, False])
def test_a_create_in_doubt_that_nobody_claims_is_looked_up_before_it_is_forgotten(
        engine: Engine, directory: Directory, arrived: bool) -> None:
    engine.sync("directory", "g1", "g2")
    directory.groups["g1"]["new"] = "new"
    if arrived:
        directory.people.lost = Unavailable("lost")
    else:
        directory.people.before = Unavailable("lost")
    engine.sync("directory", "g1")
    assert engine.state("Everybody")["new"] == ("in_doubt", None, "no_answer")
    del directory.groups["g1"]["new"]
    rounds(engine, 3, "g1", "g2")
    assert directory.people.named("disable") == (["new"] if arrived else [])
    assert engine.state("Everybody").get("new", (None,))[0] == ("disabled" if arrived else None)


def observe(engine: Engine, directory: Directory, *keys: str) -> None:
    """Records of the account that were found at the destination."""
    definition = engine.app.definition("directory")
    state = layer_states(engine.app.store, definition, engine.app.subject("directory", "g1"))["Everybody"]
    directory.people.records |= {f"hand-made {key}": {"match": key, "active": True} for key in keys}
    state.save([Mark(key, RecordState.OBSERVED, remote_id=f"hand-made {key}") for key in keys], Counts())


@pytest.mark.usefixtures("two")
class TestUnmanaged:
    @pytest.fixture(autouse=True)
    def pruned(self, engine: Engine) -> None:
        [layer] = [each for each in engine.app.definition("directory").layers if each.name == "Everybody"]
        layer.layer.__class__.prune_unmanaged = True

    def test_it_goes_once_every_subject_was_read_since_it_was_seen_and_not_in_a_first_run(
            self, engine: Engine, directory: Directory) -> None:
        observe(engine, directory, "x1", "x2")
        engine.clock.advance(60)
        engine.sync("directory", "g1")
        assert directory.people.named("disable") == []
        rounds(engine, 1, "g1")
        assert directory.people.named("disable") == []  # g2 may have them
        rounds(engine, 1, "g2")
        assert sorted(directory.people.named("disable")) == ["x1", "x2"]

    def test_what_any_source_has_is_adopted_and_stays(self, engine: Engine, directory: Directory) -> None:
        engine.sync("directory", "g1", "g2")
        observe(engine, directory, "x1", "x2")
        directory.groups["g2"]["x1"] = "known"
        rounds(engine, 2, "g1", "g2")
        assert directory.people.named("disable") == ["x2"]
        assert engine.state("Everybody")["x1"][:2] == ("synced", "hand-made x1")

    def test_too_many_are_withheld(self, engine: Engine, directory: Directory) -> None:
        engine.sync("directory", "g1", "g2")
        observe(engine, directory, *[f"x{number:02}" for number in range(12)])
        rounds(engine, 2, "g1", "g2")
        assert directory.people.named("disable") == []
        assert [(each.layer, each.records) for each in engine.app.approvals("directory")] == [("Everybody", 12)]

    def test_what_is_claimed_between_the_plan_and_the_call_stays(self, engine: Engine, directory: Directory) -> None:
        engine.sync("directory", "g1", "g2")
        observe(engine, directory, "x1", "x2")
        rounds(engine, 1, "g2")
        leave(directory, 1)  # a membership, whose delete comes before those of people
        delete = directory.members.delete

        def claims(changes: Any, run: Any) -> Any:
            write(engine, f"insert into {table(engine, claims=True)} (row_id, subject)"
                          f" select id, 'g2' from {table(engine)} where key = 'x1'")
            return delete(changes, run)

        directory.members.delete = claims  # type: ignore[method-assign]
        rounds(engine, 1, "g1")
        assert directory.people.named("disable") == ["x2"]


@pytest.mark.usefixtures("two")
class TestAtOnce:
    def test_a_claim_counts_though_another_s_drop_left_a_time_behind(
            self, engine: Engine, directory: Directory) -> None:
        """Of two transactions that overlap, the one that drops a last claim cannot see the other's new one."""
        engine.sync("directory", "g1", "g2")
        write(engine, f"update {table(engine)} set unclaimed_at = 1 where key = 'p00'")
        rounds(engine, 2, "g1", "g2")
        assert directory.people.named("disable") == []

    def test_two_who_drop_the_last_claims_at_once_leave_a_row_that_goes(
            self, engine: Engine, directory: Directory) -> None:
        store = engine.app.store
        if store.dialect == "sqlite":
            pytest.skip("there is one writer")
        directory.groups["g2"]["p00"] = "name 0"
        engine.sync("directory", "g1", "g2")
        del directory.groups["g1"]["p00"], directory.groups["g2"]["p00"]
        at_work, go = threading.Event(), threading.Event()
        [(row,)] = engine.clock.fetch(f"select id from {table(engine)} where key = 'p00'")
        params = {"layer_table": "state_directory__everybody", "scope": "acme", "subject": "g2", "ids": [row]}

        def drops(tx: Any) -> None:
            tx.rows("claims_lock", params)
            for name in ("claims_drop", "rows_unclaim"):
                tx.execute(name, params, layer="state_directory__everybody")
            at_work.set()
            go.wait(60)

        other = threading.Thread(target=store.write, args=(drops,))
        other.start()
        assert at_work.wait(60)
        run = threading.Thread(target=rounds, args=(engine, 1, "g1"))
        run.start()
        until("the run waits for the other transaction", lambda: engine.clock.fetch(
            "select 1 from pg_locks where locktype = 'advisory' and not granted"))
        go.set()
        other.join()
        run.join()
        assert engine.clock.fetch(f"select unclaimed_at is not null from {table(engine)} where key = 'p00'") == [
            (True,)]

    def test_the_guard_counts_what_runs_at_once_are_about_to_delete(
            self, engine: Engine, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nine of 40 rows are few for each of two groups, and too many of their account's 80."""
        directory.groups["g2"] = {f"q{number:02}": "x" for number in range(40)}
        engine.sync("people", "g1", "g2")
        for group in ("g1", "g2"):
            leave(directory, 9, group=group)
        engine.app.request([{"sync": "people", "subject": group, "account": "acme", "priority": 0, "reason": "test"}
                            for group in ("g1", "g2")])
        jobs = []
        while len(jobs) < 2:
            engine.dispatch()
            jobs += engine.claim()
        together = threading.Barrier(2)
        decide = Withholding.decide

        def decides(self: Withholding, plans: Any) -> Any:
            together.wait(60)
            return decide(self, plans)

        monkeypatch.setattr(Withholding, "decide", decides)
        windows = [threading.Thread(target=engine.execute, args=(job,)) for job in jobs]
        for window in windows:
            window.start()
        for window in windows:
            window.join()
        assert len(directory.people.named("delete")) == 9
        assert [each.records for each in engine.app.approvals("people")] == [9]
