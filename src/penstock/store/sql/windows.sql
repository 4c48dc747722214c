-- Windows: which run one takes next, what it knows of how long runs take, and its own row.

-- name: window_begin
insert into penstock.sync_windows (sync, account, job_id, began_at, total_ms, headroom_ms)
values (:sync, :account, :job_id, penstock.now(), :total_ms, :headroom_ms)
returning id;

-- name: windows_lost
-- Those of a worker that died: their job goes on in another window.
update penstock.sync_windows set ended_at = penstock.now(), ended_by = 'lost'
where job_id = :job_id and ended_at is null;

-- name: windows_prune
delete from penstock.sync_windows where id in (
    select id from (select id, began_at from penstock.sync_windows order by id limit :count) as oldest
    where began_at < penstock.now() - :keep_ms
);

-- name: window_end
update penstock.sync_windows
set ended_at = penstock.now(), served = :served, failed = :failed, put_back = :put_back, skipped = :skipped,
    used_ms = :used_ms, unused_ms = :unused_ms, ended_by = :ended_by, steps = :steps, fetch_ms = :fetch_ms, runs = :runs
where id = :id;

-- name: window_steps
-- What earlier windows learned; the newest knows the most.
select steps from penstock.sync_windows where sync = :sync and steps is not null order by id desc limit 1;

-- name: windows_listed
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows
where sync = :sync and id < :before
order by id desc
limit :count;

-- name: windows_open
-- Those under way, by an index that holds no others; one whose worker died is among them until its job goes on.
select id, sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served, failed, put_back, skipped,
       used_ms, unused_ms, ended_by, fetch_ms, runs
from penstock.sync_windows
where ended_at is null
order by job_id desc
limit (select cast(:count as bigint));

-- name: window_holds
-- dialect: postgres
-- differs: the lease is held until the commit, so that no rescue misses what is taken under it
select l.id from penstock.leases l
where l.id = :lease and exists (select 1 from penstock.live_jobs j where j.id = :job_id and j.lease < :lease)
for key share of l;

-- name: window_holds
-- dialect: sqlite
-- differs: the file is locked
select l.id from penstock.leases l
where l.id = :lease and exists (select 1 from penstock.live_jobs j where j.id = :job_id and j.lease < :lease);

-- name: runs_next
-- What waits for a later try joins its line when a dispatcher finds it due.
select id, subject, size, requested_at - priority * cast(60000 as bigint) as rank from penstock.sync_runs
where sync = :sync and account = :account and status = 'pending' and not delayed
order by requested_at - priority * cast(60000 as bigint), id
limit :count;

-- name: runs_rival
-- Whether the head of another account, whose line has a turn, is more urgent than a rank.
select exists (
    select 1 from penstock.lines
    where kind = 'run' and room = :sync and turn is not null and held is null and head_rank < :rank and account <> :account
);

-- name: runs_running_of
select account, count(*) from penstock.sync_runs where status = 'running' and sync = :sync group by account;

-- name: line_held
select held from penstock.lines where line = :line and held is not null
union all
select 'pause' from penstock.pauses where what = 'sync:' || cast(:sync as text);

-- name: run_take
update penstock.sync_runs
set status = 'running', job_id = :job_id, lease = :lease, started_at = coalesce(started_at, penstock.now()),
    attempt = attempt + 1
where id = :id and status = 'pending'
returning id, sync, subject, account, size, attempt, options, cursor, created + updated + deleted as written,
          penstock.now() - run_at as waited_ms, layers, windows, cancelled_by;

-- name: runs_timed
-- How long the last runs took, the newest first.
select size, took_ms from penstock.sync_runs
where sync = :sync and status = 'succeeded' and took_ms > 0 and options = ''
order by id desc
limit :count;

-- name: runs_took
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select s.subject, r.took_ms
from unnest(:subjects::text[]) as s (subject)
cross join lateral (
    select id, took_ms from penstock.sync_runs u
    where u.sync = :sync and u.subject = s.subject and u.status = 'succeeded' and u.took_ms > 0 and u.options = ''
    order by u.id desc
    limit (select :count)
) as r
order by r.id desc;

-- name: runs_took
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select r.subject, r.took_ms
from json_each(:subjects) as s
cross join penstock.sync_runs r on r.sync = :sync and r.subject = s.value and r.id in (
    select u.id from penstock.sync_runs u
    where u.sync = :sync and u.subject = s.value and u.status = 'succeeded' and u.took_ms > 0 and u.options = ''
    order by u.id desc
    limit :count
)
order by r.id desc;

-- name: gates_shut_of
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key from penstock.gates where key = any (:keys) and state <> 'open';

-- name: gates_shut_of
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key from penstock.gates where key in (select value from json_each(:keys)) and state <> 'open';

-- name: removed_note
-- dialect: postgres
-- differs: each dialect takes an array in its own way
insert into penstock.removed_rows (layer_table, scope, key, removed_at)
select :layer_table, :scope, key, penstock.now() from unnest(:keys::text[]) as gone (key)
on conflict (layer_table, scope, key) do update set removed_at = excluded.removed_at;

-- name: removed_note
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
insert into penstock.removed_rows (layer_table, scope, key, removed_at)
select :layer_table, :scope, value, penstock.now() from json_each(:keys) where true
on conflict (layer_table, scope, key) do update set removed_at = excluded.removed_at;

-- name: removed_since
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key from penstock.removed_rows
where layer_table = :layer_table and scope = :scope and key = any (:keys) and removed_at >= :since;

-- name: removed_since
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key from penstock.removed_rows
where layer_table = :layer_table and scope = :scope and key in (select value from json_each(:keys)) and removed_at >= :since;

-- name: removed_prune
delete from penstock.removed_rows where removed_at < penstock.now() - :keep_ms;
