"""What may be explained and what may be run is decided by the text, and whatever is refused says why."""

import pytest

from penstock.advise.parsing.safety import safety

REFUSED = {
    "select 1; drop table t": "more than one statement",
    "select 1; select 2": "more than one statement",
    r"select '\'; delete from t; --'": "more than one statement",
    "with gone as (delete from t returning *) select * from gone": "DELETE",
    "with gone as (update t set a = 1 returning *) select * from gone": "UPDATE",
    "with new as (insert into t values (1) returning *) select * from new": "INSERT",
    "with new as (insert into t values (1) returning *) update t set a = 1": "Another change",
    "select * into copy from t": "INTO",
    "select nextval('s')": "nextval",
    "select pg_catalog.setval('s', 1)": "setval",
    'select "pg_sleep"(10)': "pg_sleep",
    "select pg_sleep /* quietly */ (10)": "pg_sleep",
    "select * from t where id = (select lo_import('/etc/passwd'))": "lo_import",
    "select dblink_exec('dbname=x', 'delete from t')": "dblink_exec",
    "select * from dblink('dbname=x', 'delete from t') as t(a int)": "dblink",
    "select pg_read_file('/etc/passwd')": "pg_read_file",
    "select pg_terminate_backend(pid) from pg_stat_activity": "pg_terminate_backend",
    "select set_config('role', 'postgres', false)": "set_config",
    "select query_to_xml('delete from t', true, true, '')": "query_to_xml",
    "select pg_advisory_lock(1)": "pg_advisory_lock",
    "select pg_notify('c', 'x')": "pg_notify",
    "copy t to program 'sh'": "COPY",
    "do $$ begin delete from t; end $$": "DO",
    "call p()": "CALL",
    "prepare p as delete from t": "PREPARE",
    "execute p": "EXECUTE",
    "explain analyze delete from t": "EXPLAIN",
    "set role postgres": "SET",
    "begin": "BEGIN",
    "merge into t using u on t.id = u.id when matched then delete": "MERGE",
    "truncate t": "TRUNCATE",
    "lock table t": "LOCK",
    'select U&"\\0070g_sleep"(1)': "Unicode",
    "select 'open": "no end",
    "": "no statement",
    "selec 1": "SELEC",
    "select from where": "cannot be parsed",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_may_change_anything_is_not_even_explained(text: str) -> None:
    found = safety(text, "postgres")
    assert not found.explain
    assert not found.analyse
    assert REFUSED[text] in " ".join(found.reasons)


@pytest.mark.parametrize("text", [
    "update t set a = 1 where id = %s", "delete from t where id = any(%s)", "insert into t select * from u",
    "select * from t for update skip locked", "select * from t where id = %s for no key update",
])
def test_what_changes_or_locks_rows_is_explained_and_never_run(text: str) -> None:
    found = safety(text, "postgres")
    assert found.explain
    assert not found.analyse
    assert found.reasons


@pytest.mark.parametrize("text", [
    "select * from t where id = %s", "with a as (select 1), b (x) as (select 2) select * from a, b",
    "values (1), (2)", "table t", "(select 1) union all (select 2)", "select count(*) filter (where a > 1) from t",
    "select replace(a, 'x', 'y'), cast(b as numeric(10, 2)), c::varchar(3) from t where d in (1, 2)",
    "select $a$; delete from t$a$, E'\\'; delete from t; --', '; drop table t' -- ; drop table t",
    "select * from t where updated_at > now() - interval '1 day' order by deleted;",
])
def test_what_only_reads_may_be_run(text: str) -> None:
    found = safety(text, "postgres")
    assert (found.explain, found.analyse, found.reasons) == (True, True, ())


def test_functions_that_are_not_known_are_left_to_the_database() -> None:
    found = safety('select my.area(t.shape), "Own"(1), lower(name), pg_catalog.now(), public.now(), t.price from t',
                   "postgres")
    assert found.functions == ("my.area", "Own", "public.now")
    assert "price" in found.attributes  # a function of the row, if no column is called so


def test_functions_in_from_and_behind_comments_are_seen() -> None:
    assert safety("select * from unknown_rows(1) as r(a int)", "postgres").functions == ("unknown_rows",)
    assert safety("select f -- (\n (1)", "postgres").functions == ("f",)


def test_sqlite_is_judged_by_its_own_words() -> None:
    assert safety("select * from [t] where `a` = ?", "sqlite").analyse
    assert not safety("select load_extension('x')", "sqlite").explain
    assert not safety("pragma journal_mode = off", "sqlite").explain
    assert not safety("attach 'x' as y", "sqlite").explain
    assert not safety("replace into t values (1)", "sqlite").analyse
