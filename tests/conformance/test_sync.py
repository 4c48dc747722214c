"""One sync on both stores: what is sent, what is not, and what is remembered of it."""

import pytest

from penstock.domain.errors import Throttled, Unavailable
from penstock.domain.records import Rejected
from tests.conformance.sync_app import Directory, Person
from tests.engine import Engine


def test_the_first_run_creates_everything_and_the_next_sends_nothing(engine: Engine, directory: Directory) -> None:
    [first] = engine.sync("people", "g1")
    assert (first.status, first.read, first.created, first.skipped, first.write_calls) == ("succeeded", 7, 7, 0, 3)
    assert first.started_at is not None
    assert first.finished_at is not None
    [second] = engine.sync("people", "g1")
    assert (second.created, second.updated, second.skipped, second.write_calls) == (0, 0, 7, 0)
    assert len(directory.people.records) == 7


def test_only_what_changed_is_sent(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"]["p3"] = "changed"
    directory.groups["g1"]["p9"] = "new"
    [run] = engine.sync("people", "g1")
    assert (run.created, run.updated, run.skipped) == (1, 1, 6)
    assert directory.people.named("update") == ["p3"]


def test_what_a_complete_read_no_longer_has_is_deleted(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    del directory.groups["g1"]["p3"]
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.skipped) == (1, 6)
    assert "p3" not in engine.state("People")
    assert len(directory.people.records) == 6


@pytest.mark.parametrize("spoil", ["no proof", "empty", "broken off", "a record without its key"])
def test_nothing_is_deleted_without_proof_that_the_read_was_whole(
    engine: Engine, directory: Directory, spoil: str
) -> None:
    engine.sync("people", "g1")
    del directory.groups["g1"]["p3"]
    if spoil == "no proof":
        directory.proof = False
    elif spoil == "empty":
        directory.groups["g1"].clear()
    elif spoil == "broken off":
        directory.fail_after = 2
    else:
        directory.extra = [Person(None, "who?")]
    engine.sync("people", "g1")
    assert directory.people.named("delete") == []
    assert len(directory.people.records) == 7


def test_a_record_without_its_key_is_reported_and_stops_no_other(engine: Engine, directory: Directory) -> None:
    directory.extra = [Person(None, "who?"), Person("", "nobody")]
    [run] = engine.sync("people", "g1")
    assert (run.status, run.created, run.failed) == ("succeeded", 7, 2)
    assert run.error == "People: a record without its key; People: a record without its key"


@pytest.mark.parametrize("known", [False, True])
def test_of_records_with_one_key_neither_is_sent(engine: Engine, directory: Directory, known: bool) -> None:
    if known:
        engine.sync("people", "g1")
        directory.people.calls.clear()
    directory.extra = [Person("p1", "another"), Person("p8", "one"), Person("p8", "two")]
    [run] = engine.sync("people", "g1")
    assert not {"p1", "p8"} & set(directory.people.named("create") + directory.people.named("update"))
    assert run.failed == 2
    assert "several records with the key 'p1'" in (run.error or "")
    assert engine.state("People")["p8"] == ("failed", None, "duplicate_key")


def test_a_duplicate_that_went_away_is_sent(engine: Engine, directory: Directory) -> None:
    directory.extra = [Person("p1", "another")]
    engine.sync("people", "g1")
    directory.extra = []
    [run] = engine.sync("people", "g1")
    assert (run.created, run.failed) == (1, 0)


def test_a_refused_record_fails_alone_and_is_sent_again(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("too_long", "the name is too long")
    [run] = engine.sync("people", "g1")
    assert (run.status, run.created, run.failed) == ("succeeded", 6, 1)
    assert engine.state("People")["p2"] == ("failed", None, "too_long")
    directory.people.refused.clear()
    engine.clock.advance(60)
    [run] = engine.sync("people", "g1")
    assert (run.created, run.skipped) == (1, 6)


def test_the_digest_of_a_refused_update_is_not_saved(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.people.refused["p2"] = Rejected("no", "not today")
    directory.groups["g1"]["p2"] = "changed"
    engine.sync("people", "g1")
    directory.people.refused.clear()
    engine.clock.advance(60)
    [run] = engine.sync("people", "g1")
    assert run.updated == 1


def test_a_payload_that_cannot_be_encoded_fails_alone(engine: Engine, directory: Directory) -> None:
    directory.groups["g1"]["p2"] = object()
    [run] = engine.sync("people", "g1")
    assert (run.created, run.failed) == (6, 1)
    assert engine.state("People")["p2"] == ("failed", None, "render")


@pytest.mark.parametrize(("error", "sent"), [
    (Throttled(7.0), False), (Unavailable("refused", sent=False), False), (Unavailable("lost"), True),
    (OSError("broken pipe"), True),
])
def test_a_call_that_fails_ends_the_run_for_a_later_try(
    engine: Engine, directory: Directory, error: Exception, sent: bool
) -> None:
    directory.people.before = error
    [run] = engine.sync("people", "g1")
    counted = 0 if isinstance(error, Throttled) else 1
    assert (run.status, run.attempt, run.error_class) == ("pending", counted, type(error).__name__)
    held = engine.state("People")
    assert set(held) == ({"p0", "p1", "p2"} if sent else set())
    assert all(row[0] == "in_doubt" for row in held.values())
    engine.clock.advance(6.9 if isinstance(error, Throttled) else 1.0)
    engine.settle_all()
    assert len(directory.people.records) == 0
    engine.clock.advance(60)
    engine.settle_all()
    assert len(directory.people.records) == 7
    assert {row[0] for row in engine.state("People").values()} == {"synced"}


def test_a_run_that_fails_again_and_again_is_given_up(engine: Engine, directory: Directory) -> None:
    for _ in range(5):
        directory.people.before = Unavailable("down", sent=False)
        engine.sync("people") if directory.people.calls else engine.sync("people", "g1")
        engine.clock.advance(4000)
    [run] = engine.sync("people", "g1")
    failed = engine.clock.fetch("select status, error from penstock.sync_runs order by id")[0]
    assert failed == ("failed", "given up after 5 attempts that came no further: down")
    assert run.status == "succeeded"


def test_a_create_whose_answer_was_lost_is_looked_up_and_not_sent_again(engine: Engine, directory: Directory) -> None:
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    assert len(directory.people.records) == 3
    engine.clock.advance(60)
    engine.settle_all()
    assert len(directory.people.records) == 7
    assert sorted(record["key"] for record in directory.people.records.values()) == sorted(directory.groups["g1"])
    assert directory.people.named("find") == ["name 0", "name 1", "name 2"]


def test_what_the_look_up_finds_twice_stays_in_doubt(engine: Engine, directory: Directory) -> None:
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    directory.people.records["x"] = {"match": "name 0", "key": "p0"}
    engine.clock.advance(60)
    engine.settle_all()
    assert engine.state("People")["p0"] == ("in_doubt", None, "ambiguous")
    assert engine.state("People")["p1"][0] == "synced"


def test_what_the_look_up_finds_held_by_another_row_stays_in_doubt(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"]["p9"] = "name 1"
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    lost = max(directory.people.records, key=lambda id: int(id[1:]))
    del directory.people.records[lost]
    engine.clock.advance(60)
    engine.settle_all()
    assert engine.state("People")["p9"] == ("in_doubt", None, "ambiguous")


def test_a_missing_outcome_leaves_the_record_in_doubt(engine: Engine, directory: Directory) -> None:
    create = directory.people.create
    directory.people.create = lambda changes, run: create(changes, run)[:-1]  # type: ignore[method-assign]
    [run] = engine.sync("people", "g1")
    assert run.status == "succeeded"
    assert [row[0] for row in engine.state("People").values()].count("in_doubt") == run.failed == 3
    directory.people.create = create  # type: ignore[method-assign]
    engine.sync("people", "g1")
    assert len(directory.people.records) == 7


def test_a_record_that_is_gone_from_the_destination_is_created_anew(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.people.refused["p2"] = Rejected("gone")
    directory.groups["g1"]["p2"] = "changed"
    engine.sync("people", "g1")
    directory.people.refused.clear()
    [run] = engine.sync("people", "g1")
    assert (run.created, run.skipped) == (1, 6)


def test_a_create_in_doubt_that_left_the_source_is_removed_where_its_id_is_known_beforehand(
    engine: Engine, directory: Directory
) -> None:
    """A membership's id is made of its ends; nothing needs to answer before it can be removed again."""
    directory.people.idempotent = True
    directory.people.identify = lambda change: f"id-{change.key}"
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    del directory.groups["g1"]["p0"]
    engine.clock.advance(60)
    engine.settle_all()
    assert sorted(record["key"] for record in directory.people.records.values()) == [f"p{n}" for n in range(1, 7)]
    assert directory.people.named("find") == []


def test_two_records_in_doubt_do_not_adopt_the_same_one(engine: Engine, directory: Directory) -> None:
    directory.groups["g1"]["p1"] = directory.groups["g1"]["p0"]
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    del directory.people.records["r2"]  # of the two only one was carried out
    engine.clock.advance(60)
    engine.settle_all()
    held = engine.state("People")
    assert held["p0"] == held["p1"] == ("in_doubt", None, "ambiguous")
