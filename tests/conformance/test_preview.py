"""A plan shows what would change, writes nothing, and asks the destination nothing."""

from penstock.domain.records import Subject
from penstock.sync.serving.preview import preview
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def planned(engine: Engine, sync: str = "directory") -> dict[str, dict[str, int]]:
    subject = Subject("g1", account="acme")
    with preview(engine.app.store, engine.app.definition(sync), subject) as plans:
        return {plan.layer.name: {kind: count for kind, count in plan.summary().items() if count} for plan in plans}


def test_a_first_plan_creates_everything_and_blocks_nobody(engine: Engine, directory: Directory) -> None:
    tables = engine.clock.fetch("select count(*) from penstock.sync_runs")
    assert planned(engine) == {"Rooms": {"create": 1}, "Everybody": {"create": 7}, "Members": {"create": 7}}
    assert engine.clock.fetch("select count(*) from penstock.sync_runs") == tables
    assert engine.state("Everybody") == {}
    assert directory.people.calls == directory.rooms.calls == directory.members.calls == []


def test_a_plan_of_what_changed_is_what_the_run_does(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    directory.groups["g1"]["p1"] = "changed"
    directory.groups["g1"]["p9"] = "new"
    del directory.groups["g1"]["p2"]
    assert planned(engine) == {
        "Rooms": {"skip": 1}, "Everybody": {"create": 1, "update": 1, "skip": 5},
        "Members": {"create": 1, "delete": 1, "skip": 6},
    }
    [run] = engine.sync("directory", "g1")
    assert (run.created, run.updated, run.deleted, run.skipped) == (2, 1, 1, 12)


def test_a_plan_names_the_shared_rows_that_would_go_and_claims_none(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"q": "somebody"}
    engine.sync("directory", "g1", "g2")
    del directory.groups["g1"]["p2"]
    assert planned(engine)["Everybody"] == {"skip": 6}  # it may have moved to a group that was read before
    engine.sync("directory", "g1")
    assert planned(engine)["Everybody"] == {"skip": 6}
    engine.clock.advance(1)
    engine.sync("directory", "g2")
    engine.clock.advance(1)
    assert planned(engine)["Everybody"] == {"delete": 1, "skip": 6}
    directory.groups["g1"]["p2"] = "is back"
    assert planned(engine)["Everybody"] == {"update": 1, "skip": 6}
    del directory.groups["g1"]["p2"]
    [run] = engine.sync("directory", "g1")
    assert run.deleted == 1


def test_a_plan_leaves_no_spool_behind(engine: Engine, directory: Directory) -> None:
    with preview(engine.app.store, engine.app.definition("people"), Subject("g1", account="acme")) as plans:
        assert [plan.spool.counts() for plan in plans] == [{"create": 7}]
    assert [plan.spool.counts() for plan in plans] == [{}]  # closed, and its file with it
