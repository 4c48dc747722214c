"""Events of devices, appended in the order of time; an index on the device alone."""

from bench.advise.case import Case, Domain

TABLES = """
create table events (id bigint primary key, device_id integer not null, kind text not null, at timestamptz not null,
    payload text not null);
insert into events select i, 1 + abs(hashint8(i)) % 500,
    case when hashint8(i + 7) % 50 = 0 then 'error' when hashint8(i + 7) % 4 = 0 then 'reading' else 'heartbeat' end,
    now() - interval '90 days' * (1 - i / {rows}.0), repeat('p', 150) from generate_series(1, {rows}) i;
create index events_device on events (device_id);
"""

CASES = (
    Case("a device's day",
         "select at, payload from events where device_id = %s and at >= now() - interval '1 day' order by at", (42,),
         ("events (device_id, at)",),
         "The index on the device finds ninety days of it, and one is wanted: the time belongs behind the device."),
    Case("last error of a device",
         "select at, payload from events where device_id = %s and kind = 'error' order by at desc limit 1", (42,),
         ("events (device_id, kind, at)", "events (kind, device_id, at)",
          "events (device_id, at) where kind = 'error'"),
         "Equal device and kind, then the order: one entry. One event of fifty is an error: a partial one is small."),
    Case("length of payloads by kind", "select kind, avg(length(payload)) from events group by kind", (), (),
         "Every row has to be read, with its payload."),
    Case("events of the last hour", "select count(*) from events where at >= now() - interval '1 hour'", (),
         ("events (at)",), "One row of two thousand, by time alone; the rows lie together."),
    Case("next heartbeats", "select id, at from events where kind = 'heartbeat' and id > %s order by id limit 500",
         (1000,), (), "Most events are heartbeats: the primary key gives the order, and a filter discards a quarter."),
)

EVENTS = Domain("events", TABLES, CASES)
