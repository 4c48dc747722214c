-- What people look at and change in the state of a layer by hand, and what a run is told of it again.

-- name: state_sent_by
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key from penstock.layer
where scope = :scope and key = any (:keys) and status = 'synced' and run_id = :run_id;

-- name: state_sent_by
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key from penstock.layer
where scope = :scope and key in (select value from json_each(:keys)) and status = 'synced' and run_id = :run_id;

-- name: cursor_remove
delete from penstock.cursors where layer_table = :layer_table and scope = :scope and subject = :subject;

-- name: cursors_forget
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.cursors
where layer_table = any (:layer_tables::text[]) and (scope = :scope::text or :scope::text is null);

-- name: cursors_forget
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.cursors
where layer_table in (select value from json_each(:layer_tables)) and (scope = :scope or :scope is null);

-- name: lock_admission
-- dialect: postgres
-- differs: waits for the lock that dispatchers only try (see lock_dispatch); until the commit no run is made or admitted
select pg_advisory_xact_lock(7235441155545719656);

-- name: lock_admission
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already
select true;

-- name: runs_at_work
-- dialect: postgres
-- differs: the rows are locked, so that no window begins with a run before the commit
select id, subject, lease is not null as at_work from penstock.sync_runs
where sync = :sync and status in ('pending', 'running')
  and (subject = cast(:subject as text) or account = cast(:account as text))
order by id
for update;

-- name: runs_at_work
-- dialect: sqlite
-- differs: the file is locked
select id, subject, lease is not null as at_work from penstock.sync_runs
where sync = :sync and status in ('pending', 'running')
  and (subject = :subject or account = :account)
order by id;

-- name: rows_with_keys
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, scope, key, remote_id, status from penstock.layer
where key = any (:keys) and (scope = cast(:scope as text) or cast(:scope as text) is null)
order by scope, key;

-- name: rows_with_keys
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, scope, key, remote_id, status from penstock.layer
where key in (select value from json_each(:keys)) and (scope = :scope or :scope is null)
order by scope, key;

-- name: row_forget
-- A forgotten row is in doubt: it is looked up before its record is created.
update penstock.layer
set status = 'in_doubt', remote_id = null, version = null, digest = null, fields = null, answered = null, tried = null,
    error_class = :error_class, error = null, attempts = null, retry_at = null, changed_at = penstock.now(), run_id = null
where id = :id;

-- name: row_remove
delete from penstock.layer where id = :id;

-- name: row_unclaim_all
delete from penstock.layer_claims where row_id = :id;

-- name: row_adopt
insert into penstock.layer (scope, key, remote_id, status, changed_at)
values (:scope, :key, :remote_id, 'synced', penstock.now())
on conflict (scope, key) do update
set remote_id = excluded.remote_id, status = 'synced', version = null, digest = null, fields = null, answered = null,
    tried = null, error_class = null, error = null, attempts = null, retry_at = null, changed_at = excluded.changed_at,
    run_id = null;

-- name: row_move
update penstock.layer set scope = :to_scope, key = :to_key, unclaimed_at = null where id = :id;

-- name: rows_reparent
update penstock.layer set parent_key = :to_key where scope = :scope and parent_key = :key;

-- name: state_rows
select scope, key, parent_key, remote_id, status, error_class, error, attempts, retry_at, changed_at, run_id,
       digest is not null as known, unclaimed_at
from penstock.layer
where (scope, key) > (:after_scope, :after_key) and (status = cast(:status as text) or cast(:status as text) is null)
order by scope, key
limit :count;

-- name: state_rows_of
select scope, key, parent_key, remote_id, status, error_class, error, attempts, retry_at, changed_at, run_id,
       digest is not null as known, unclaimed_at
from penstock.layer
where scope = :scope and key > :after_key and (status = cast(:status as text) or cast(:status as text) is null)
order by key
limit :count;

-- name: state_row
select id, key, parent_key, remote_id, version, digest, status, error_class, error, attempts, retry_at, changed_at, run_id,
       unclaimed_at, penstock.now() as now
from penstock.layer where scope = :scope and key = :key;

-- name: claimants
select subject from penstock.layer_claims where row_id = :id order by subject limit :count;

-- name: run_of
select id, subject, status, requested_at, finished_at, error_class, error from penstock.sync_runs where id = :id;
