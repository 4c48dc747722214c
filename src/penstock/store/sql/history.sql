-- The history of runs: what has finished is counted once into statistics, and removed once it is past its time.
-- A run that is not counted has no `superseded`; of those counted, the newest of a subject has false.

-- name: lock_history
-- dialect: postgres
-- differs: a lock of the transaction, which a pooler cannot strand; the number is 'history' in ASCII
select pg_try_advisory_xact_lock(29389473217999481);

-- name: lock_history
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already
select true;

-- name: runs_uncounted
-- A run that went on in a later window began long before it was served for the last time: what counts is how long it was.
select id, sync, subject, account, status,
       case when took_ms > 0 then finished_at - took_ms else started_at end as started_at, finished_at, read, created, updated, deleted, failed,
       read_calls + write_calls as calls, permits, error_class, error, options
from penstock.sync_runs
where finished_at >= :after and superseded is null
order by finished_at, id
limit :count;

-- name: statistics_of
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
select s.sync, s.kind, s.name, s.account, s.runs, s.failures, s.cancelled, s.streak, s.failing, s.durations, s.p50_ms,
       s.p95_ms, s.read, s.created, s.updated, s.deleted, s.failed, s.calls, s.permits, s.run_id, s.status,
       s.finished_at, s.succeeded_at, s.failing_at, s.error_class, s.error, s.audited_at
from unnest(:syncs::text[], :kinds::text[], :names::text[]) as k (sync, kind, name)
join penstock.run_statistics s on s.sync = k.sync and s.kind = k.kind and s.name = k.name;

-- name: statistics_of
-- dialect: sqlite
-- columns: syncs kinds names
-- differs: each dialect takes many rows in its own way
select s.sync, s.kind, s.name, s.account, s.runs, s.failures, s.cancelled, s.streak, s.failing, s.durations, s.p50_ms,
       s.p95_ms, s.read, s.created, s.updated, s.deleted, s.failed, s.calls, s.permits, s.run_id, s.status,
       s.finished_at, s.succeeded_at, s.failing_at, s.error_class, s.error, s.audited_at
from json_each(:rows) k cross join penstock.run_statistics s
where s.sync = k.value ->> 0 and s.kind = k.value ->> 1 and s.name = k.value ->> 2;

-- name: statistics_put
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.run_statistics (sync, kind, name, account, runs, failures, cancelled, streak, failing, durations,
                                     p50_ms, p95_ms, read, created, updated, deleted, failed, calls, permits, run_id,
                                     status, finished_at, succeeded_at, failing_at, error_class, error, audited_at)
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from json_populate_recordset(null::penstock.run_statistics, :statistics::json)
order by sync, kind, name
on conflict (sync, kind, name) do update
set account = excluded.account, runs = excluded.runs, failures = excluded.failures, cancelled = excluded.cancelled,
    streak = excluded.streak, failing = excluded.failing, durations = excluded.durations, p50_ms = excluded.p50_ms,
    p95_ms = excluded.p95_ms, read = excluded.read, created = excluded.created, updated = excluded.updated, deleted =
    excluded.deleted, failed = excluded.failed, calls = excluded.calls, permits = excluded.permits, run_id =
    excluded.run_id, status = excluded.status, finished_at = excluded.finished_at, succeeded_at =
    excluded.succeeded_at, failing_at = excluded.failing_at, error_class = excluded.error_class, error =
    excluded.error, audited_at = excluded.audited_at;

-- name: statistics_put
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.run_statistics (sync, kind, name, account, runs, failures, cancelled, streak, failing, durations,
                                     p50_ms, p95_ms, read, created, updated, deleted, failed, calls, permits, run_id,
                                     status, finished_at, succeeded_at, failing_at, error_class, error, audited_at)
select value ->> 'sync', value ->> 'kind', value ->> 'name', value ->> 'account', value ->> 'runs', value ->>
       'failures', value ->> 'cancelled', value ->> 'streak', value ->> 'failing', value ->> 'durations', value ->>
       'p50_ms', value ->> 'p95_ms', value ->> 'read', value ->> 'created', value ->> 'updated', value ->> 'deleted',
       value ->> 'failed', value ->> 'calls', value ->> 'permits', value ->> 'run_id', value ->> 'status', value ->>
       'finished_at', value ->> 'succeeded_at', value ->> 'failing_at', value ->> 'error_class', value ->> 'error', value ->> 'audited_at'
from json_each(:statistics)
where true
on conflict (sync, kind, name) do update
set account = excluded.account, runs = excluded.runs, failures = excluded.failures, cancelled = excluded.cancelled,
    streak = excluded.streak, failing = excluded.failing, durations = excluded.durations, p50_ms = excluded.p50_ms,
    p95_ms = excluded.p95_ms, read = excluded.read, created = excluded.created, updated = excluded.updated, deleted =
    excluded.deleted, failed = excluded.failed, calls = excluded.calls, permits = excluded.permits, run_id =
    excluded.run_id, status = excluded.status, finished_at = excluded.finished_at, succeeded_at =
    excluded.succeeded_at, failing_at = excluded.failing_at, error_class = excluded.error_class, error =
    excluded.error, audited_at = excluded.audited_at;

-- name: runs_counted
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.sync_runs set superseded = :superseded where id = any (:ids);

-- name: runs_counted
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.sync_runs set superseded = :superseded where id in (select value from json_each(:ids));

-- name: runs_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading every run
delete from penstock.sync_runs
where id = any (array (
    select id from penstock.sync_runs
    where superseded and finished_at >= :after and finished_at < penstock.now() - :kept_ms
    order by finished_at, id limit (select :count)
))
returning finished_at;

-- name: runs_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.sync_runs
where id in (
    select id from penstock.sync_runs
    where superseded and finished_at >= :after and finished_at < penstock.now() - :kept_ms
    order by finished_at, id limit (select :count)
)
returning finished_at;

-- name: statistics_slowest
-- A page of one kind, the slowest first: those below (p95_ms, name).
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics
where sync = :sync and kind = :kind and (p95_ms, name) < (:p95_ms, :name)
order by p95_ms desc, name desc
limit :count;

-- name: statistics_account
-- The same of the subjects of one account.
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics
where sync = :sync and account = :account and kind = :kind and (p95_ms, name) < (:p95_ms, :name)
order by p95_ms desc, name desc
limit :count;

-- name: statistics_subject
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics where sync = :sync and kind = :kind and name = :name;

-- name: statistics_failed_before
-- Subjects whose last run failed so long ago that they are not waited for any more.
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics
where kind = 'subject' and failing > 0 and finished_at < penstock.now() - :kept_ms
order by finished_at
limit :count;

-- name: statistics_rename
update penstock.run_statistics set sync = :sync
where sync = :was and not exists (
    select 1 from penstock.run_statistics n
    where n.sync = :sync and n.kind = penstock.run_statistics.kind and n.name = penstock.run_statistics.name
);

-- name: statistics_forget
delete from penstock.run_statistics where sync = :was;

-- Pages of runs, the newest first, of one sync, status and, where it is given, account or subject.

-- name: runs_page
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms
from penstock.sync_runs
where sync = :sync and status = :status and id < :before
order by id desc
limit :count;

-- name: runs_page_account
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms
from penstock.sync_runs
where sync = :sync and account = :account and status = :status and id < :before
order by id desc
limit :count;

-- name: runs_page_subject
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms
from penstock.sync_runs
where sync = :sync and subject = :subject and id < :before and (cast(:status as text) is null or status = :status)
order by id desc
limit :count;
