-- Requests and runs. Every write of a run is guarded by its lease, which is the lease of the job that serves it.
-- `status in ('pending', 'running')` beside a narrower condition repeats that of the index: SQLite uses it only then.

-- name: request
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.sync_requests (sync, subject, account, priority, reason, requested_at, options)
select r.sync, r.subject, r.account, r.priority, r.reason, penstock.now(), coalesce(r.options, '')
from json_to_recordset(:requests::json)
     as r (sync text, subject text, account text, priority integer, reason text, options text)
returning id;

-- name: request
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.sync_requests (sync, subject, account, priority, reason, requested_at, options)
select value ->> 'sync', value ->> 'subject', value ->> 'account', value ->> 'priority', value ->> 'reason',
       penstock.now(), coalesce(value ->> 'options', '')
from json_each(:requests)
where true
returning id;

-- Requests with other options than the live run of their subject stay until it has ended; one that is more urgent is
-- seen once, to make that run as urgent.

-- name: requests_waiting
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, sync, subject, account, priority, reason, requested_at, options
from penstock.sync_requests r
where sync = any (:syncs) and not exists (
    select 1 from penstock.sync_runs u
    where u.sync = r.sync and u.subject = r.subject and u.status in ('pending', 'running')
      and (u.status = 'running' or (u.options <> r.options and u.priority >= r.priority))
)
order by id
limit :count;

-- name: requests_waiting
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, sync, subject, account, priority, reason, requested_at, options
from penstock.sync_requests r
where sync in (select value from json_each(:syncs)) and not exists (
    select 1 from penstock.sync_runs u
    where u.sync = r.sync and u.subject = r.subject and u.status in ('pending', 'running')
      and (u.status = 'running' or (u.options <> r.options and u.priority >= r.priority))
)
order by id
limit :count;

-- name: requests_remove
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.sync_requests where id = any (:ids);

-- name: requests_remove
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.sync_requests where id in (select value from json_each(:ids));

-- name: run_start
-- The run that the job of a window was admitted for, or that it had come to when its worker died.
update penstock.sync_runs
set lease = :lease, started_at = coalesce(started_at, penstock.now()), attempt = attempt + 1
where status = 'running' and job_id = :job_id and (lease is null or lease < :lease)
returning id, sync, subject, account, size, attempt, options, cursor, created + updated + deleted as written,
          penstock.now() - run_at as waited_ms, layers, windows, cancelled_by;

-- name: run_progress
-- What is said of layers is all of it: who holds the lease is the only one to write it.
update penstock.sync_runs
set layers = coalesce(:layers, layers), read = read + :read, created = created + :created, updated = updated + :updated, deleted = deleted + :deleted,
    skipped = skipped + :skipped, failed = failed + :failed, blocked = blocked + :blocked,
    read_calls = read_calls + :read_calls, write_calls = write_calls + :write_calls
where id = :id and lease = :lease and status = 'running';

-- name: run_written
select created + updated + deleted as written, penstock.now() - started_at as taken_ms from penstock.sync_runs where id = :id;

-- name: run_withheld
update penstock.sync_runs set withheld = :withheld where id = :id and lease = :lease and status = 'running';

-- name: runs_latest
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms
from penstock.sync_runs
where id in (
    select (select max(id) from penstock.sync_runs u where u.sync = :sync and u.subject = s.subject)
    from unnest(:subjects::text[]) as s (subject)
);

-- name: runs_latest
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms
from penstock.sync_runs
where id in (
    select (select max(id) from penstock.sync_runs u where u.sync = :sync and u.subject = s.value)
    from json_each(:subjects) as s
);

-- name: subjects_requested
select distinct subject from penstock.sync_requests where sync = :sync;

-- name: runs_pace
-- How long the last runs took that wrote anything, and how many calls they made.
select sum(took_ms), sum(calls)
from (
    select case when took_ms > 0 then took_ms else finished_at - started_at end as took_ms, write_calls as calls from penstock.sync_runs
    where sync = :sync and status = 'succeeded' and write_calls > 0
    order by id desc
    limit 20
) as runs;

-- name: runs_orphaned
update penstock.sync_runs
set status = 'failed', finished_at = penstock.now(), lease = null, error_class = 'WindowLost',
    error = 'the job that served this run ended without settling it'
where status = 'running' and not exists (
    select 1 from penstock.live_jobs where penstock.live_jobs.id = penstock.sync_runs.job_id
)
returning id, sync, subject, account;

-- Whatever ends a run, or puts it back, tells its line.

-- name: run_finish
-- dialect: postgres
-- differs: one statement with two writes
with done as (
    update penstock.sync_runs
    set status = :status, finished_at = penstock.now(), lease = null, error_class = :error_class, error = :error,
        took_ms = took_ms + :took_ms, permits = permits + :permits, limited_ms = limited_ms + :limited_ms,
        windows = coalesce(:windows, windows)
    where id = :id and lease = :lease and status = 'running'
    returning sync, account
)
insert into penstock.line_news (line, freed)
select 'run:[' || to_json(sync)::text || ',' || to_json(account)::text || ']', 1 from done;

-- name: run_finish
-- dialect: sqlite
-- differs: several statements in one transaction, each with the same guard
insert into penstock.line_news (line, freed)
select 'run:' || json_array(sync, account), 1 from penstock.sync_runs
where id = :id and lease = :lease and status = 'running';
update penstock.sync_runs
set status = :status, finished_at = penstock.now(), lease = null, error_class = :error_class, error = :error,
    took_ms = took_ms + :took_ms, permits = permits + :permits, limited_ms = limited_ms + :limited_ms,
        windows = coalesce(:windows, windows)
where id = :id and lease = :lease and status = 'running';

-- name: run_release
-- dialect: postgres
-- differs: one statement with two writes
with done as (
    update penstock.sync_runs
    set status = 'pending', lease = null, job_id = null, run_at = penstock.now() + :delay_ms::bigint,
        delayed = :delay_ms::bigint > 0, attempt = :attempt, error_class = :error_class, error = :error,
        cursor = :cursor, took_ms = took_ms + :took_ms,
        permits = permits + :permits, limited_ms = limited_ms + :limited_ms, windows = coalesce(:windows, windows)
    where id = :id and lease = :lease and status = 'running'
    returning sync, account, delayed, requested_at - priority * cast(60000 as bigint) as rank
)
insert into penstock.line_news (line, freed, rank)
select 'run:[' || to_json(sync)::text || ',' || to_json(account)::text || ']', 1, case when not delayed then rank end
from done;

-- name: run_release
-- dialect: sqlite
-- differs: several statements in one transaction, each with the same guard
insert into penstock.line_news (line, freed, rank)
select 'run:' || json_array(sync, account), 1, case when :delay_ms <= 0 then requested_at - priority * cast(60000 as bigint) end
from penstock.sync_runs
where id = :id and lease = :lease and status = 'running';
update penstock.sync_runs
set status = 'pending', lease = null, job_id = null, run_at = penstock.now() + :delay_ms, delayed = :delay_ms > 0,
    attempt = :attempt, error_class = :error_class, error = :error, cursor = :cursor, took_ms = took_ms + :took_ms,
    permits = permits + :permits, limited_ms = limited_ms + :limited_ms, windows = coalesce(:windows, windows)
where id = :id and lease = :lease and status = 'running';
