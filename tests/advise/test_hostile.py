"""Statements that would do harm if anybody ran them: advice on them changes nothing, whatever is allowed and named."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from penstock.advise.asking.options import Options
from penstock.advise.session import advise
from tests.advise.databases import everything, seen
from tests.databases import database

HOUSE = """
create table accounts (id integer primary key, owner text not null, amount numeric not null);
insert into accounts select n, 'owner ' || n, n from generate_series(1, 500) n;
create table log (at integer, what text);
create sequence numbers;
create function writes() returns integer language plpgsql as
    $$ begin insert into log values (1, 'written'); return 1; end $$;
create function lies() returns integer immutable language plpgsql as
    $$ begin perform nextval('numbers'); return 1; end $$;
create function definer() returns integer stable security definer language sql as 'select 1';
create function of_row(accounts) returns integer language plpgsql as
    $$ begin insert into log values (2, 'attribute'); return 1; end $$;
create function adds(integer, text) returns integer language plpgsql as
    $$ begin insert into log values (3, 'operator'); return $1; end $$;
create operator @+ (leftarg = integer, rightarg = text, function = adds);
create type boxed as (n integer);
create function casts(integer) returns boxed language plpgsql as
    $$ begin insert into log values (4, 'cast'); return null; end $$;
create cast (integer as boxed) with function casts(integer);
create function checks(integer) returns boolean language plpgsql as
    $$ begin insert into log values (5, 'domain'); return true; end $$;
create domain checked as integer check (checks(value));
create view innocent as select id, owner, writes() as w from accounts;
create view outer_view as select id, w from innocent;
create view numbered as select id, nextval('numbers') as n from accounts;
create table guarded (id integer primary key, owner text);
insert into guarded values (1, 'a');
create function polices() returns boolean security definer language sql as 'select true';
alter table guarded enable row level security;
create policy p on guarded using (polices());
create table ruled (id integer primary key);
create rule r as on insert to ruled do also insert into log values (6, 'rule');
create function aggregates(integer, integer) returns integer language plpgsql as
    $$ begin insert into log values (7, 'aggregate'); return 1; end $$;
create aggregate gathers(integer) (sfunc = aggregates, stype = integer, initcond = '0');
create function seq_inside() returns bigint stable language sql as $$ select nextval('numbers') $$;
create function wraps(integer) returns bigint stable language sql as $$ select seq_inside() + $1 $$;
create schema other;
create function other.lower(text) returns text language plpgsql as
    $$ begin insert into log values (8, 'namesake'); return $1; end $$;
"""

HOSTILE = [
    "delete from accounts",
    "update accounts set amount = 0 where id > 3",
    "insert into accounts values (1000, 'x', 1)",
    "insert into ruled values (5)",
    "truncate accounts",
    "drop table accounts",
    "alter table accounts add column x integer",
    "create table stolen as select * from accounts",
    "select * into stolen from accounts",
    "with gone as (delete from accounts returning *) select * from gone",
    "with x as (select 1), y as (update accounts set amount = 1 returning id) select * from x, y",
    "select 1; delete from accounts",
    "select * from accounts where id = 1; drop table log --",
    "select nextval('numbers')",
    "select setval('numbers', 500)",
    "select * from accounts where id = nextval('numbers')",
    "select writes()",
    "select * from accounts where id = writes()",
    "select lies()",
    "select * from accounts where amount > lies() order by id limit 3",
    "select definer() from accounts",
    "select a.of_row from accounts a",
    "select of_row(a) from accounts a",
    "select id @+ 'x' from accounts",
    "select id operator(public.@+) 'x' from accounts",
    "select cast(id as boxed) from accounts",
    "select id::checked from accounts",
    "select * from innocent",
    "select id from outer_view where w = 1 order by id",
    "select n from numbered where id = 3",
    "select * from guarded where id = 1",
    "select gathers(id) from accounts",
    "select seq_inside()",
    "select * from accounts where id = wraps(3)",
    "select other.lower(owner) from accounts",
    'select "writes"() from accounts',
    'select "public"."writes"() from accounts',
    "select * from accounts, lateral writes() as w",
    "select pg_catalog.set_config('work_mem', '64kB', false)",
    "select set_config('transaction_read_only', 'off', false), writes()",
    "select pg_advisory_lock(42)",
    "select pg_notify('penstock_test', 'x')",
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
    "select lo_create(4242)",
    "select lo_from_bytea(0, 'x')",
    "select pg_sleep(600)",
    "select pg_logical_emit_message(false, 'a', 'b')",
    "select pg_create_restore_point('x')",
    "select query_to_xml('select writes()', true, true, '')",
    "select * from accounts for update",
    "copy accounts to program 'touch /tmp/penstock-was-here'",
    "copy accounts from '/etc/passwd'",
    "do $$ begin delete from accounts; end $$",
    "call writes()",
    "explain analyze delete from accounts",
    "set session characteristics as transaction read write",
    "begin; delete from accounts; commit",
    "commit; delete from accounts",
    "lock table accounts in access exclusive mode",
    "vacuum accounts",
    "notify penstock_test",
    "prepare x as delete from accounts",
    "declare c cursor with hold for select writes() from accounts",
    "merge into accounts a using log l on a.id = l.at when matched then delete when not matched then do nothing",
    "select $$ ; $$; delete from accounts",
    "select 1 /* /* */ ; delete from accounts -- */ */",
    "values (writes())",
    "table innocent",
    "select * from accounts where owner = 'x' union select nextval('numbers'), '', 1",
    "create index i on accounts (owner)",
    "refresh materialized view v",
    "grant all on accounts to public",
    "select U&\"wr\\0069tes\"()",
    "",
    "(",
    "\x00",
]
HARMLESS = [
    "select E'\\'; delete from accounts; --'",
    "select id from accounts where owner = '; delete from accounts; --'",
]
"""What only looks as if it did harm."""


@pytest.fixture(scope="module")
def hostile_url(postgres_server: str) -> Iterator[str]:
    with database(postgres_server, None) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(HOUSE)
            connection.execute("analyze")
        yield url


def test_there_are_enough():
    assert len(set(HOSTILE)) >= 25


@pytest.mark.parametrize("named", [False, True], ids=["explained", "also named for experiments"])
def test_no_hostile_statement_changes_anything(hostile_url: str, named: bool):
    """With everything allowed that can be: statements may be run, and the database itself is named for experiments."""
    before = everything(hostile_url)
    with psycopg.connect(hostile_url, autocommit=True) as bystander:
        bystander.execute("listen penstock_test")
        given = [seen(text, (), fingerprint=f"f{number}") for number, text in enumerate([*HOSTILE, *HARMLESS])]
        found = advise(given, hostile_url, copy=hostile_url if named else None,
                       options=Options(analyse=True, statement_ms=2_000, trial_ms=2_000, role=None))
        assert bystander.execute("select 1").fetchone() == (1,)
        assert not list(bystander.notifies(timeout=0))
    assert everything(hostile_url) == before
    assert [each.text for each in found if any(plan.analysed for plan in each.plans)] == HARMLESS
    usual = set(found[-1].notes)
    assert [each.text for each in found if each.text in HOSTILE and set(each.notes) <= usual] == []
    assert not os.path.exists("/tmp/penstock-was-here")


@pytest.mark.parametrize("text", [
    "select * from accounts where id = 5",
    "select id, lower(owner), now() from accounts where amount between 3 and 5 order by id limit 10",
    "select owner, count(*), sum(amount) from accounts group by owner having count(*) > 1",
    "select a.id from accounts a join guarded2 g on g.id = a.id where g.owner = any(array['a', 'b'])",
    "with x as (select id from accounts) select * from x where id in (1, 2, 3)",
])
def test_an_honest_statement_is_run_where_that_is_allowed(postgres_url: str, text: str):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table accounts (id integer primary key, owner text, amount numeric);"
                           " create table guarded2 (id integer primary key, owner text);"
                           " insert into accounts select n, 'o', n from generate_series(1, 100) n; analyze")
    (found,) = advise([seen(text, ())], postgres_url, options=Options(analyse=True))
    assert [plan.analysed for plan in found.plans] == [True], found.notes
