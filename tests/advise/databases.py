"""Databases to advise on: a table with the trap of case study Q in it, and what a test asks of a database."""

from typing import Any

import psycopg

from penstock.domain.parameters import Keeping, keep
from penstock.domain.traces import Sample, StatementSeen

ROWS = 40_000
BIG = 6
"""The client whose rows all have the highest ids."""
BATCH = ("select id, payload from records where client_id = %s and status = 'pending' and id > %s"
         " order by id limit 100")
COUNT = "select count(*) from records where client_id = %s"

TRAP = f"""
create table records (id bigint not null, client_id integer not null, status text not null, payload text);
insert into records
select id, case when id > {ROWS} * 0.9 and id % 2 = 0 then {BIG} else 7 + id % 40 end,
       case when id % 10 = 1 then 'done' else 'pending' end, repeat(md5(id::text), 4)
from generate_series(1, {ROWS}) as id order by md5(id::text);
alter table records add primary key (id);
create index records_client_status on records (client_id, status);
"""


def make_trap(url: str) -> None:
    """The tables of case study Q, in small, with statistics."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TRAP)
        connection.execute("vacuum analyze records")


def seen(text: str, *parameters: Any, fingerprint: str = "f1", keeping: Keeping = "plain", driver: str = "psycopg",
         took_us: int = 1000) -> StatementSeen:
    """A statement that was executed once with each of these parameters."""
    samples = [Sample(call=call, took_us=took_us, rows=1, parameters=keep(each, keeping))
               for call, each in enumerate(parameters)]
    return StatementSeen(fingerprint=fingerprint, text=text, driver=driver, database="postgresql://test/main",
                         calls=max(len(samples), 1), total_us=took_us * max(len(samples), 1), samples=samples)


def batches() -> StatementSeen:
    """The trap's statement at the beginning, in the middle and at the end of its job."""
    return seen(BATCH, (BIG, 0), (BIG, int(ROWS * 0.95)), (BIG, int(ROWS * 0.999)), took_us=30_000)


def indexes(url: str) -> set[str]:
    """All indexes of the database that are no system's."""
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(
            "select indexname from pg_indexes where schemaname not in ('pg_catalog', 'penstock')")}


def everything(url: str) -> dict[str, Any]:
    """All that a statement could have changed: rows, sequences, definitions, settings, roles, large objects."""
    found: dict[str, Any] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        def all_of(text: str) -> list[Any]:
            return connection.execute(text.encode()).fetchall()

        for name, kind in all_of("select c.oid::regclass::text, c.relkind::text from pg_class c"
                                 " where relkind in ('r', 'S', 'm', 'p') and relnamespace not in"
                                 " ('pg_catalog'::regnamespace, 'information_schema'::regnamespace,"
                                 " 'pg_toast'::regnamespace)"):
            found[name] = all_of(f"select last_value, is_called from {name}" if kind == "S"
                                 else f"select count(*), sum(hashtextextended(t::text, 1)) from {name} t")
        for name, text in {
            "relations": "select oid, relname, relkind, relnamespace, relowner, relacl::text from pg_class"
                         " where relnamespace <> 'pg_toast'::regnamespace order by oid",
            "functions": "select oid, proname, md5(prosrc) from pg_proc order by oid",
            "schemas": "select oid, nspname from pg_namespace where nspname not like 'pg\\_temp%'"
                       " and nspname not like 'pg\\_toast\\_temp%' order by oid",
            "settings": "select name, setting from pg_settings where name not like '%application_name%' order by name",
            "kept settings": "select setdatabase, setrole, setconfig::text from pg_db_role_setting order by 1, 2",
            "roles": "select rolname, rolsuper, rolvaliduntil from pg_roles order by rolname",
            "large objects": "select oid from pg_largeobject_metadata order by oid",
            "comments": "select classoid, objoid, description from pg_description order by 1, 2, 3",
            "prepared": "select gid from pg_prepared_xacts", "slots": "select slot_name from pg_replication_slots",
            "locks": "select locktype, objid from pg_locks where locktype = 'advisory'",
        }.items():
            found[name] = all_of(text)
    return found
