-- What people ask of runs, windows, subjects and records. Each question is answered by an index and ends at a bound.

-- name: run_told
select id, sync, subject, account, status, priority, reasons, requested_at, started_at, finished_at, attempt,
       read, created, updated, deleted, skipped, failed, blocked, read_calls, write_calls, error_class, error, withheld, options,
       permits, limited_ms, size, run_at, took_ms, job_id, layers, windows, cancelled_by, penstock.now() as now
from penstock.sync_runs where id = :id;

-- name: runs_trend
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- The newest runs of some subjects, whatever became of them.
select r.subject, r.id, r.status, r.took_ms, r.finished_at
from unnest(:subjects::text[]) as s (subject)
cross join lateral (
    select subject, id, status, took_ms, finished_at from penstock.sync_runs u
    where u.sync = :sync and u.subject = s.subject
    order by u.id desc
    limit (select :count)
) as r;

-- name: runs_trend
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select r.subject, r.id, r.status, r.took_ms, r.finished_at
from json_each(:subjects) as s
cross join penstock.sync_runs r on r.sync = :sync and r.subject = s.value and r.id in (
    select u.id from penstock.sync_runs u
    where u.sync = :sync and u.subject = s.value
    order by u.id desc
    limit :count
);

-- name: runs_trend_accounts
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- The newest runs of some accounts that succeeded, and as many that failed.
select a.account, r.id, r.status, r.took_ms, r.finished_at
from unnest(:accounts::text[]) as a (account)
cross join (values ('succeeded'), ('failed')) as s (status)
cross join lateral (
    select id, status, took_ms, finished_at from penstock.sync_runs u
    where u.sync = :sync and u.account = a.account and u.status = s.status
    order by u.id desc
    limit (select :count)
) as r;

-- name: runs_trend_accounts
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select a.value as account, r.id, r.status, r.took_ms, r.finished_at
from json_each(:accounts) as a
cross join penstock.sync_runs r on r.id in (
    select id from (
        select u.id from penstock.sync_runs u
        where u.sync = :sync and u.account = a.value and u.status = 'succeeded' order by u.id desc limit :count
    )
    union all
    select id from (
        select u.id from penstock.sync_runs u
        where u.sync = :sync and u.account = a.value and u.status = 'failed' order by u.id desc limit :count
    )
);

-- name: runs_subjects
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, subject from penstock.sync_runs where id = any (:ids);

-- name: runs_subjects
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, subject from penstock.sync_runs where id in (select value from json_each(:ids));

-- name: runs_up_to
-- How many runs of a sync stand so, and no more than a few more than anybody asks for.
select count(*) from (
    select 1 from penstock.sync_runs where sync = :sync and status = :status limit (select :count)
) as counted;

-- name: run_cancel
-- dialect: postgres
-- differs: one statement with two writes
-- A run that waits. Its line is looked at again, of which it may have been the head.
with gone as (
    update penstock.sync_runs
    set status = 'cancelled', finished_at = penstock.now(), error_class = 'RunCancelled', error = :reason
    where id = :id and status || '' = 'pending'
    returning id, sync, account
), news as (
    insert into penstock.line_news (line, freed)
    select 'run:[' || to_json(sync)::text || ',' || to_json(account)::text || ']', freed
    from gone cross join (values (1), (-1)) as v (freed)
)
select id from gone;

-- name: run_cancel
-- dialect: sqlite
-- differs: several statements in one transaction, each with the same guard
insert into penstock.line_news (line, freed)
select 'run:' || json_array(u.sync, u.account), v.value from penstock.sync_runs u cross join json_each('[1, -1]') v
where u.id = :id and u.status = 'pending';
update penstock.sync_runs
set status = 'cancelled', finished_at = penstock.now(), error_class = 'RunCancelled', error = :reason
where id = :id and status = 'pending'
returning id;

-- name: run_cancel_ask
-- A run that is served: its window ends it at the next place where it may stop.
update penstock.sync_runs set cancelled_by = :reason
where id = :id and status = 'running' and cancelled_by is null
returning id;

-- name: run_asked
select cancelled_by from penstock.sync_runs where id = :id and cancelled_by is not null;

-- name: statistics_streak
-- Subjects or accounts that fail, the longest streak first: those below (streak, name).
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics
where sync = :sync and kind = :kind and failing > 0 and (streak, name) < (:streak, :name)
order by streak desc, name desc
limit :count;

-- name: statistics_named
-- By name, those above one: to find one by how its name begins.
select sync, kind, name, account, runs, failures, cancelled, streak, failing, durations, p50_ms, p95_ms, read,
       created, updated, deleted, failed, calls, permits, run_id, status, finished_at, succeeded_at, failing_at,
       error_class, error, audited_at
from penstock.run_statistics
where sync = :sync and kind = :kind and name >= :name
order by name
limit :count;

-- name: windows_of_account
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows
where sync = :sync and account = :account and id < :before
order by id desc
limit :count;

-- name: windows_numbered
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows where id = any (:ids) order by id desc;

-- name: windows_numbered
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows where id in (select value from json_each(:ids)) order by id desc;

-- name: window_open_of
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows where job_id = :job_id and ended_at is null;

-- name: failing_rows
-- Rows that are not in order, from a place on, in the order of the index: who skips some of them asks from behind them.
select scope, key, parent_key, remote_id, status, error_class, error, attempts, retry_at, changed_at, run_id,
       digest is not null as known, unclaimed_at
from penstock.layer
where status <> 'synced' and (scope, status, key) >= (:scope, :status, :key)
order by scope, status, key
limit :count;

-- name: approvals_page
select id, sync, layer, subject, account, status, records, reason, asked_at, expires_at, decided_at, decided_by
from penstock.approvals
where sync = :sync and status <> 'noted' and expires_at > penstock.now() and id > :after
order by id
limit :count;

-- name: approval_told
select id, sync, layer, subject, account, status, records, reason, asked_at, expires_at, decided_at, decided_by
from penstock.approvals
where id = :id and sync = :sync and status <> 'noted';

-- name: limits_page
-- What was given of the keys from one on, in their order.
select key, name, next_us, interval_us, spent, penstock.now() from penstock.limits
where key >= :key
order by key, name, part
limit :count;

-- name: gates_shut_page
select key, state, until_at, reason, failures, closed_at, closed_by, penstock.now() from penstock.gates
where state <> 'open' and key >= :key
order by key
limit :count;
