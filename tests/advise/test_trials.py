"""Trials on a real PostgreSQL: what is tried ends with a verdict, and nothing of it stays."""

import contextlib

import psycopg
import pytest

from penstock.advise.asking.database import Limits
from penstock.advise.asking.opening import open_examined
from penstock.advise.asking.options import Options
from penstock.advise.asking.postgres.connection import connect
from penstock.advise.judging.examining import examine
from penstock.advise.judging.verdict import decide
from penstock.advise.session import advise
from penstock.advise.trial.left_over import taking_turns
from penstock.advise.trial.real import Real
from penstock.domain.advice import Advice, Candidate, Key, Verdict
from penstock.domain.errors import AdviceUnavailable
from tests.advise.databases import BIG, COUNT, TRAP, batches, everything, indexes, seen

APPENDED = ["client_id", "status", "id"]


def columns(verdict: Verdict | None) -> list[str | None]:
    assert verdict is not None
    assert verdict.candidate is not None
    return [key.column for key in verdict.candidate.keys]


def test_a_scratch_schema_makes_it_likely_and_is_gone(trap_url: str, own_url: str, options: Options):
    before, own = everything(trap_url), everything(own_url)
    (found,) = advise([batches()], trap_url, own=own_url, options=options)
    assert columns(found.first) == APPENDED
    assert found.first is not None
    assert (found.first.confidence, found.first.by) == ("likely", "scratch")
    assert "the trap is gone" in found.first.reason
    assert everything(trap_url) == before
    assert everything(own_url) == own


def test_a_real_index_on_the_copy_confirms_it_and_is_dropped(trap_url: str, own_url: str, options: Options):
    before = everything(trap_url)
    (found,) = advise([batches()], trap_url, copy=trap_url, own=own_url, options=options)
    first = found.first
    assert columns(first) == APPENDED
    assert first is not None
    assert (first.confidence, first.by) == ("confirmed", "real")
    assert first.measured_before is not None
    assert first.measured_after is not None
    assert first.measured_before.rounds == first.measured_after.rounds == 3
    assert first.measured_before.blocks is not None
    assert first.measured_after.blocks is not None
    assert first.measured_after.rows
    assert first.measured_after.blocks / first.measured_after.rows <= 4 < (
        first.measured_before.blocks / first.measured_after.rows)
    assert first.size
    assert first.write_cost is not None
    assert first.write_cost.wal_bytes
    assert "blocks per row" in first.reason
    assert everything(trap_url) == before


def test_without_means_everything_is_inconclusive_and_says_why(trap_url: str, options: Options):
    (found,) = advise([batches()], trap_url, options=options)
    assert {verdict.decision for verdict in found.verdicts if verdict.candidate} == {"inconclusive"}
    assert any("name a copy (--on)" in note for note in found.notes)


def test_the_explained_database_gets_no_scratch_schema(trap_url: str, options: Options):
    (found,) = advise([batches()], trap_url, own=trap_url, options=options)
    assert found.first is None
    assert all(verdict.by != "scratch" for verdict in found.verdicts)


def real(url: str, candidate: Candidate, *siblings: object, rolled_back: bool = False) -> Verdict:
    """The verdict of a real index by itself."""
    limits = Limits(role=None, statement_ms=30_000)
    with (open_examined(url, limits) as database,
          Real(url, limits, rolled_back=rolled_back) as trial):
        found = examine(database, batches())
        others = [examine(database, each).work for each in siblings]  # type: ignore[arg-type]
        return decide(candidate, trial.index(candidate, found.work, others, found.schema), found.schema)


def index(*names: str, **given: object) -> Candidate:
    return Candidate(table="records", schema="public", name="new_idx", why="",
                     keys=tuple(Key(column=name) for name in names), **given)  # type: ignore[arg-type]


def test_an_index_that_is_not_used_is_rejected(trap_url: str):
    verdict = real(trap_url, index("payload"))
    assert verdict.decision == "reject"
    assert verdict.reason.startswith("the planner does not use it")


def test_a_rolled_back_index_blocks_nobody_for_longer_and_leaves_no_trace(trap_url: str):
    before = everything(trap_url)
    verdict = real(trap_url, index(*APPENDED), rolled_back=True)
    assert (verdict.decision, verdict.by, verdict.confidence) == ("ship", "rolled back", "confirmed")
    assert everything(trap_url) == before


def test_rows_that_changed_make_a_rolled_back_trial_inconclusive(trap_url: str):
    """An update within its page breaks the chain for an index on the column: it may not be used at once."""
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("alter table records set (fillfactor = 50); alter table records add column note text;")
        connection.execute("vacuum full records")
        connection.execute("analyze records")
        old = psycopg.connect(trap_url)
        with contextlib.closing(old):
            old.execute("begin isolation level repeatable read")
            old.execute("select 1 from records limit 1")
            connection.execute("update records set note = 'x' where id % 50 = 0")
            verdict = real(trap_url, index(*APPENDED, "note"), rolled_back=True)
    assert verdict.decision == "inconclusive"
    assert "indcheckxmin" in verdict.reason


def test_what_it_replaces_is_hidden_from_the_planner_while_it_is_measured(trap_url: str):
    verdict = real(trap_url, index(*APPENDED, replaces=("records_client_status",)), seen(COUNT, (BIG,)))
    assert verdict.decision == "ship"
    assert verdict.harmed == ()
    assert "records_client_status" in indexes(trap_url)


def test_a_sibling_that_loses_more_than_is_won_is_harm(trap_url: str):
    """To replace the index of a sibling by one that does not serve it."""
    sibling = seen(COUNT, (7,), fingerprint="f2", took_us=60_000_000)
    verdict = real(trap_url, index("id", "client_id", replaces=("records_client_status",)), sibling)
    assert verdict.decision == "reject"


def test_other_statements_of_the_trace_are_measured_though_nobody_asks_about_them(trap_url: str, options: Options):
    told: list[str] = []
    sibling = seen(COUNT, (BIG,), fingerprint="f2")
    elsewhere = seen("select 1", (), fingerprint="f3")
    (found,) = advise([batches()], trap_url, copy=trap_url, options=options, siblings=[sibling, elsewhere],
                      tell=told.append)
    assert columns(found.first) == APPENDED
    assert found.first is not None
    assert found.first.harmed == ()


def test_a_table_that_somebody_holds_is_said_and_nothing_stays(trap_url: str):
    before = everything(trap_url)
    with psycopg.connect(trap_url) as other:
        other.execute("lock table records in row exclusive mode")
        limits = Limits(role=None, lock_ms=50)
        verdict = _real_with(trap_url, limits)
    assert verdict.decision == "inconclusive"
    assert "somebody holds a lock" in verdict.reason
    assert everything(trap_url) == before


def test_a_partitioned_table_is_tried_as_a_whole(trap_url: str, options: Options):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("alter table records rename to flat; alter index records_client_status rename to flat_cs;"
                           " create table records (like flat including defaults) partition by range (id);"
                           " create table records_a partition of records for values from (0) to (20000);"
                           " create table records_b partition of records for values from (20000) to (90000);"
                           " insert into records select * from flat order by md5(id::text);"
                           " alter table records add primary key (id);"
                           " create index records_client_status on records (client_id, status)")
        for name in ("records", "records_a", "records_b"):
            connection.execute(f"analyze {name}".encode())
    before = everything(trap_url)
    verdict = real(trap_url, index(*APPENDED))
    assert verdict.decision == "ship", verdict.reason
    assert verdict.size
    assert everything(trap_url) == before


def test_a_view_is_looked_through_to_its_tables(trap_url: str, options: Options):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create view waiting as select id, client_id, payload from records where status = 'pending';"
                           " create view of_waiting as select * from waiting")
    text = "select id, payload from of_waiting where client_id = %s and id > %s order by id limit 100"
    (found,) = advise([seen(text, (BIG, 0))], trap_url, copy=trap_url, options=options)
    assert found.first is not None, (found.verdicts, found.proposal, found.notes)
    assert found.first.candidate is not None
    assert found.first.candidate.table == "records"
    assert found.first.confidence == "confirmed"


def test_trials_of_one_table_take_turns(trap_url: str):
    """Another trial's index would be used in the place of ours, or of none."""
    with contextlib.closing(connect(trap_url)) as other, taking_turns(other, "records", 50):
        verdict = _real_with(trap_url, Limits(role=None, lock_ms=20))
    assert verdict.decision == "inconclusive"
    assert "another trial is at work on it" in verdict.reason


def test_a_copy_without_statistics_is_said(trap_url: str, own_url: str):
    with psycopg.connect(own_url, autocommit=True) as connection:
        connection.execute(TRAP)
    with open_examined(trap_url, Limits(role=None)) as database, Real(own_url, Limits(role=None)) as trial:
        found = examine(database, batches())
        tried = trial.index(index(*APPENDED), found.work, [], found.schema)
    assert tried.fault == ("the copy has no statistics of records, so its planner would do something else: run ANALYZE"
                           " there")


def _real_with(url: str, limits: Limits) -> Verdict:
    with open_examined(url, limits) as database, Real(url, limits) as trial:
        trial._build = limits  # a build waits for 5 s otherwise
        found = examine(database, batches())
        return decide(index(*APPENDED), trial.index(index(*APPENDED), found.work, [], found.schema), found.schema)


def test_without_room_for_the_build_it_says_so_and_nothing_stays(trap_url: str):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'alter database "{name}" set temp_file_limit = \'64kB\''.encode())
        connection.execute(f'alter database "{name}" set maintenance_work_mem = \'64kB\''.encode())
    before = everything(trap_url)
    verdict = real(trap_url, index(*APPENDED, "payload"))
    assert verdict.decision == "inconclusive"
    assert "no room on its server, and nothing was left behind" in verdict.reason
    assert everything(trap_url) == before


def test_a_statement_that_takes_too_long_counts_as_that_long(trap_url: str):
    slow = seen("select count(*) from records a, records b where a.id + b.id = %s", (5,))
    with open_examined(trap_url, Limits(role=None)) as database, Real(trap_url, Limits(
            role=None, statement_ms=150)) as trial:
        found = examine(database, slow)
        tried = trial.index(index(*APPENDED), found.work, [], found.schema)
    assert tried.seen is not None
    assert tried.seen.measured_before is not None
    assert (tried.seen.measured_before.blocks, tried.seen.measured_before.took_us) == (None, 150_000)


def test_what_was_left_behind_is_dropped_by_the_next_command_and_told(trap_url: str, options: Options):
    before = everything(trap_url)
    with contextlib.closing(connect(trap_url)) as killed:
        killed.execute("create index penstock_trial_0000beef on records (client_id, status, id)")
        killed.execute("comment on index penstock_trial_0000beef is 'penstock trial of a test'")
    (found,) = advise([batches()], trap_url, copy=trap_url, options=options)
    assert "penstock_trial_0000beef was left behind by an earlier trial, and was dropped" in found.notes
    assert columns(found.first) == APPENDED, "what was left behind is no index of theirs, and serves nothing"
    assert everything(trap_url) == before


def test_statements_that_write_are_planned_and_never_run(trap_url: str, own_url: str, options: Options):
    before = everything(trap_url)
    text = "update records set payload = '' where client_id = %s and status = 'pending' and id > %s"
    (found,) = advise([seen(text, (BIG, 100))], trap_url, copy=trap_url, own=own_url,
                      options=Options(role=None, analyse=True))
    assert found.plans
    assert not any(plan.analysed for plan in found.plans)
    assert everything(trap_url) == before


@pytest.mark.parametrize(("url", "fault"), [
    ("mysql://x/y", "expected a URL that begins with"), ("nothing", "expected a URL that begins with"),
    ("postgresql://somebody:secret@127.0.0.1:1/x", "cannot be reached"),
])
def test_a_database_that_cannot_be_reached_is_said_without_its_password(url: str, fault: str):
    with pytest.raises(AdviceUnavailable, match=fault) as raised:
        advise([batches()], url)
    assert "secret" not in str(raised.value)


def test_a_rewrite_is_measured_on_the_copy(trap_url: str, options: Options):
    statement = batches()
    statement.most_calls, statement.calls = 90, 90
    (found,) = advise([statement], trap_url, copy=trap_url, options=options)
    forced = _rewrite(found, "force_index")
    assert forced.confidence == "confirmed"
    assert forced.measured_after is not None
    first = _rewrite(found, "ids_first")
    assert (first.decision, first.confidence) == ("ship", "confirmed")
    assert first.measured_after is not None
    assert first.measured_after.rows == 90 * 100


def _rewrite(found: Advice, kind: str) -> Verdict:
    return next(each for each in found.verdicts if each.rewrite and each.rewrite.kind == kind)
