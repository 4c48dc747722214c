-- Traces. A process writes rows of its own with absolute values, so a flush that is made twice changes nothing.

-- name: trace_totals_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_totals (
    hour, kind, name, process, traces, failed, total_us, max_us, cpu_us, phases, durations
)
select hour, kind, name, process, traces, failed, total_us, max_us, cpu_us, phases, durations
from json_populate_recordset(null::penstock.trace_totals, :traces::json)
order by hour, kind, name, process
on conflict (hour, kind, name, process) do update
set traces = excluded.traces, failed = excluded.failed, total_us = excluded.total_us, max_us = excluded.max_us,
    cpu_us = excluded.cpu_us, phases = excluded.phases, durations = excluded.durations;

-- name: trace_totals_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_totals (
    hour, kind, name, process, traces, failed, total_us, max_us, cpu_us, phases, durations
)
select value ->> 'hour', value ->> 'kind', value ->> 'name', value ->> 'process', value ->> 'traces',
       value ->> 'failed', value ->> 'total_us', value ->> 'max_us', value ->> 'cpu_us', value ->> 'phases',
       value ->> 'durations'
from json_each(:traces)
where true
on conflict (hour, kind, name, process) do update
set traces = excluded.traces, failed = excluded.failed, total_us = excluded.total_us, max_us = excluded.max_us,
    cpu_us = excluded.cpu_us, phases = excluded.phases, durations = excluded.durations;

-- name: trace_statements_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_statements (
    hour, kind, name, fingerprint, database, driver, process, calls, failed, rows, total_us, max_us, locked_us,
    at_most_one, traces, most_calls, monotone, sites, samples, by_position
)
select hour, kind, name, fingerprint, database, driver, process, calls, failed, rows, total_us, max_us, locked_us,
       at_most_one, traces, most_calls, monotone, sites, samples, by_position
from json_populate_recordset(null::penstock.trace_statements, :traces::json)
order by hour, kind, name, fingerprint, database, driver, process
on conflict (hour, kind, name, fingerprint, database, driver, process) do update
set calls = excluded.calls, failed = excluded.failed, rows = excluded.rows, total_us = excluded.total_us,
    max_us = excluded.max_us, locked_us = excluded.locked_us, at_most_one = excluded.at_most_one,
    traces = excluded.traces, most_calls = excluded.most_calls, monotone = excluded.monotone,
    sites = excluded.sites, samples = excluded.samples, by_position = excluded.by_position;

-- name: trace_statements_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_statements (
    hour, kind, name, fingerprint, database, driver, process, calls, failed, rows, total_us, max_us, locked_us,
    at_most_one, traces, most_calls, monotone, sites, samples, by_position
)
select value ->> 'hour', value ->> 'kind', value ->> 'name', value ->> 'fingerprint', value ->> 'database',
       value ->> 'driver', value ->> 'process', value ->> 'calls', value ->> 'failed', value ->> 'rows',
       value ->> 'total_us', value ->> 'max_us', value ->> 'locked_us', value ->> 'at_most_one', value ->> 'traces',
       value ->> 'most_calls', value ->> 'monotone', value ->> 'sites', value ->> 'samples', value ->> 'by_position'
from json_each(:traces)
where true
on conflict (hour, kind, name, fingerprint, database, driver, process) do update
set calls = excluded.calls, failed = excluded.failed, rows = excluded.rows, total_us = excluded.total_us,
    max_us = excluded.max_us, locked_us = excluded.locked_us, at_most_one = excluded.at_most_one,
    traces = excluded.traces, most_calls = excluded.most_calls, monotone = excluded.monotone,
    sites = excluded.sites, samples = excluded.samples, by_position = excluded.by_position;

-- name: trace_calls_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_calls (
    hour, kind, name, method, host, route, process, calls, failed, total_us, max_us, traces, most_calls, sites
)
select hour, kind, name, method, host, route, process, calls, failed, total_us, max_us, traces, most_calls, sites
from json_populate_recordset(null::penstock.trace_calls, :traces::json)
order by hour, kind, name, method, host, route, process
on conflict (hour, kind, name, method, host, route, process) do update
set calls = excluded.calls, failed = excluded.failed, total_us = excluded.total_us, max_us = excluded.max_us,
    traces = excluded.traces, most_calls = excluded.most_calls, sites = excluded.sites;

-- name: trace_calls_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_calls (
    hour, kind, name, method, host, route, process, calls, failed, total_us, max_us, traces, most_calls, sites
)
select value ->> 'hour', value ->> 'kind', value ->> 'name', value ->> 'method', value ->> 'host',
       value ->> 'route', value ->> 'process', value ->> 'calls', value ->> 'failed', value ->> 'total_us',
       value ->> 'max_us', value ->> 'traces', value ->> 'most_calls', value ->> 'sites'
from json_each(:traces)
where true
on conflict (hour, kind, name, method, host, route, process) do update
set calls = excluded.calls, failed = excluded.failed, total_us = excluded.total_us, max_us = excluded.max_us,
    traces = excluded.traces, most_calls = excluded.most_calls, sites = excluded.sites;

-- name: trace_flames_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_flames (
    day, kind, name, process, stacks
)
select day, kind, name, process, stacks
from json_populate_recordset(null::penstock.trace_flames, :traces::json)
order by day, kind, name, process
on conflict (day, kind, name, process) do update
set stacks = excluded.stacks;

-- name: trace_flames_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.trace_flames (
    day, kind, name, process, stacks
)
select value ->> 'day', value ->> 'kind', value ->> 'name', value ->> 'process', value ->> 'stacks'
from json_each(:traces)
where true
on conflict (day, kind, name, process) do update
set stacks = excluded.stacks;

-- name: slow_traces_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.slow_traces (
    day, kind, name, process, place, began_at, took_us, failed, job_id, run_id, subject, account, content
)
select day, kind, name, process, place, began_at, took_us, failed, job_id, run_id, subject, account, content
from json_populate_recordset(null::penstock.slow_traces, :traces::json)
order by day, kind, name, process, place
on conflict (day, kind, name, process, place) do update
set began_at = excluded.began_at, took_us = excluded.took_us, failed = excluded.failed, job_id = excluded.job_id,
    run_id = excluded.run_id, subject = excluded.subject, account = excluded.account, content = excluded.content;

-- name: slow_traces_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.slow_traces (
    day, kind, name, process, place, began_at, took_us, failed, job_id, run_id, subject, account, content
)
select value ->> 'day', value ->> 'kind', value ->> 'name', value ->> 'process', value ->> 'place',
       value ->> 'began_at', value ->> 'took_us', value ->> 'failed', value ->> 'job_id', value ->> 'run_id',
       value ->> 'subject', value ->> 'account', value ->> 'content'
from json_each(:traces)
where true
on conflict (day, kind, name, process, place) do update
set began_at = excluded.began_at, took_us = excluded.took_us, failed = excluded.failed, job_id = excluded.job_id,
    run_id = excluded.run_id, subject = excluded.subject, account = excluded.account, content = excluded.content;

-- name: statement_texts_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
-- A text whose literals were found to be data is kept without them from then on.
insert into penstock.statement_texts as held (fingerprint, database, driver, text, first_seen_at, last_seen_at)
select fingerprint, database, driver, text, penstock.now(), penstock.now()
from json_populate_recordset(null::penstock.statement_texts, :texts::json)
order by fingerprint, database, driver
on conflict (fingerprint, database, driver) do update
set last_seen_at = excluded.last_seen_at,
    text = case when excluded.text like '%…%' then excluded.text else held.text end;

-- name: statement_texts_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
-- A text whose literals were found to be data is kept without them from then on.
insert into penstock.statement_texts as held (fingerprint, database, driver, text, first_seen_at, last_seen_at)
select value ->> 'fingerprint', value ->> 'database', value ->> 'driver', value ->> 'text', penstock.now(),
       penstock.now()
from json_each(:texts)
where true
on conflict (fingerprint, database, driver) do update
set last_seen_at = excluded.last_seen_at,
    text = case when excluded.text like '%…%' then excluded.text else held.text end;

-- name: trace_totals_read
-- Of all processes; those of some kind, or of some name, where that is given.
select hour, kind, name, traces, failed, total_us, max_us, cpu_us, phases, durations
from penstock.trace_totals
where hour >= :since and hour < :until and (cast(:kind as text) is null or kind = :kind)
  and (cast(:name as text) is null or name = :name)
order by hour, kind, name;

-- name: trace_statements_read
select s.hour, s.kind, s.name, s.fingerprint, s.database, s.driver, t.text, s.calls, s.failed, s.rows, s.total_us,
       s.max_us, s.locked_us, s.at_most_one, s.traces, s.most_calls, s.monotone, s.sites, s.samples, s.by_position
from penstock.trace_statements s
left join penstock.statement_texts t
  on t.fingerprint = s.fingerprint and t.database = s.database and t.driver = s.driver
where s.hour >= :since and s.hour < :until and (cast(:kind as text) is null or s.kind = :kind)
  and (cast(:name as text) is null or s.name = :name)
  and (cast(:fingerprint as text) is null or s.fingerprint = :fingerprint)
order by s.hour, s.kind, s.name, s.fingerprint, s.database;

-- name: trace_calls_read
select hour, kind, name, method, host, route, calls, failed, total_us, max_us, traces, most_calls, sites
from penstock.trace_calls
where hour >= :since and hour < :until and (cast(:kind as text) is null or kind = :kind)
  and (cast(:name as text) is null or name = :name)
order by hour, kind, name, method, host, route;

-- name: trace_flames_read
select day, kind, name, stacks
from penstock.trace_flames
where day > :since - 86400000 and day < :until and (cast(:kind as text) is null or kind = :kind)
  and (cast(:name as text) is null or name = :name)
order by day, kind, name;

-- name: slow_traces_read
-- Those of some days, the slowest first or the newest; what failed alone, or what did not, where that is asked. They are
-- chosen before their contents are read, which are long.
select t.content
from (
    select day, kind, name, process, place, case when cast(:newest as boolean) then began_at else took_us end as ranked
    from penstock.slow_traces
    where day > :since - 86400000 and day < :until and began_at >= :since and began_at < :until
      and (cast(:kind as text) is null or kind = :kind) and (cast(:name as text) is null or name = :name)
      and (cast(:failed as boolean) is null or failed = cast(:failed as boolean))
    order by ranked desc
    limit :count
) as found
join penstock.slow_traces as t on t.day = found.day and t.kind = found.kind and t.name = found.name
    and t.process = found.process and t.place = found.place
order by found.ranked desc;

-- name: slow_traces_of_job
select began_at, took_us
from penstock.slow_traces
where day > :since - 86400000 and day < :until and kind = 'task' and name = :name and job_id = :job_id
order by began_at desc
limit :count;

-- name: trace_totals_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.trace_totals
where ctid = any(array(
    select ctid from penstock.trace_totals
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
));

-- name: trace_totals_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.trace_totals
where (hour, kind, name, process) in (
    select hour, kind, name, process
    from penstock.trace_totals
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
);

-- name: trace_statements_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.trace_statements
where ctid = any(array(
    select ctid from penstock.trace_statements
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
));

-- name: trace_statements_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.trace_statements
where (hour, kind, name, fingerprint, database, driver, process) in (
    select hour, kind, name, fingerprint, database, driver, process
    from penstock.trace_statements
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
);

-- name: trace_calls_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.trace_calls
where ctid = any(array(
    select ctid from penstock.trace_calls
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
));

-- name: trace_calls_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.trace_calls
where (hour, kind, name, method, host, route, process) in (
    select hour, kind, name, method, host, route, process
    from penstock.trace_calls
    where hour < penstock.now() - :kept_ms
    order by hour
    limit :count
);

-- name: trace_flames_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.trace_flames
where ctid = any(array(
    select ctid from penstock.trace_flames
    where day < penstock.now() - :kept_ms
    order by day
    limit :count
));

-- name: trace_flames_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.trace_flames
where (day, kind, name, process) in (
    select day, kind, name, process
    from penstock.trace_flames
    where day < penstock.now() - :kept_ms
    order by day
    limit :count
);

-- name: slow_traces_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.slow_traces
where ctid = any(array(
    select ctid from penstock.slow_traces
    where day < penstock.now() - :kept_ms
    order by day
    limit :count
));

-- name: slow_traces_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.slow_traces
where (day, kind, name, process, place) in (
    select day, kind, name, process, place
    from penstock.slow_traces
    where day < penstock.now() - :kept_ms
    order by day
    limit :count
);

-- name: statement_texts_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.statement_texts
where ctid = any(array(
    select ctid from penstock.statement_texts
    where last_seen_at < penstock.now() - :kept_ms
    order by last_seen_at
    limit :count
));

-- name: statement_texts_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.statement_texts
where (fingerprint, database, driver) in (
    select fingerprint, database, driver
    from penstock.statement_texts
    where last_seen_at < penstock.now() - :kept_ms
    order by last_seen_at
    limit :count
);

-- name: plans_prune
-- dialect: postgres
-- differs: a row is named by its place
delete from penstock.plans
where ctid = any(array(
    select ctid from penstock.plans
    where last_seen_at < penstock.now() - :kept_ms
    order by last_seen_at
    limit :count
));

-- name: plans_prune
-- dialect: sqlite
-- differs: a row is named by its key
delete from penstock.plans
where (fingerprint, database, shape) in (
    select fingerprint, database, shape
    from penstock.plans
    where last_seen_at < penstock.now() - :kept_ms
    order by last_seen_at
    limit :count
);
