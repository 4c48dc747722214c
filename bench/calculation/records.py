"""`records(id, client_id, status, created_at, payload)`, whose rows lie in an order that is unrelated to their ids.

Nine rows in ten are pending, whoever's they are, and one client of four hundred has 2.5% of all, spread evenly over the
ids: so the planner's estimates are right. It falls back to the primary key because of the costs alone: to read 90,000
rows from all over the heap and to sort them costs more than to walk the primary key until there are a thousand.
"""

import psycopg

BIG = 6
CLIENTS = 400
SHARE = 0.025
"""Of all rows, those of the big client."""

_FILL = """
create table records (id bigint not null, client_id integer not null, status text not null,
                      created_at timestamptz not null, payload text not null);
insert into records
select id, case when chance < {share} then {big} else 7 + mod((chance * 1000000)::integer, {clients}) end,
       case when id % 10 = 0 then 'done' else 'pending' end, timestamptz '2026-01-01' + id * interval '1 second',
       repeat(md5(id::text), 6)
from generate_series(1::bigint, {rows}::bigint) as id
cross join lateral (select (hashint8extended(id, 1) & 1048575) / 1048576.0 as chance) as drawn
order by hashint8(id);
alter table records add primary key (id);
create index records_client_status on records (client_id, status);
"""


def fill(url: str, rows: int) -> int:
    """Make the table, with statistics; how many rows of the big client are pending."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '256MB'; set work_mem = '256MB'")
        connection.execute(_FILL.format(rows=rows, share=SHARE, big=BIG, clients=CLIENTS).encode())
        connection.execute("vacuum (analyze) records")
        connection.execute("checkpoint")
        row = connection.execute("select count(*) from records where client_id = %s and status = 'pending'",
                                 [BIG]).fetchone()
    assert row is not None
    return int(row[0])


def correlation(url: str) -> float:
    """How far the order of rows in the heap follows that of ids: 0 is not at all."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select correlation from pg_stats where tablename = 'records' and attname = 'id'"
                                 ).fetchone()
    assert row is not None
    return float(row[0])
