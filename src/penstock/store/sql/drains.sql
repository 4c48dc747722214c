-- What a drain leaves: how much could be served at once, and when there is something to do again.

-- name: runs_left
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- At most so many of each are counted: nobody has to know how many more than 10,000 they are.
select count(*) from (
    (select 1 from penstock.sync_runs
     where status = 'pending' and status in ('pending', 'running') and run_at <= penstock.now() and sync = any (:syncs)
     limit :count)
    union all
    (select 1 from penstock.sync_requests where sync = any (:syncs) limit :count)
) as found;

-- name: runs_left
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select count(*) from (
    select * from (
        select 1 from penstock.sync_runs
        where status = 'pending' and status in ('pending', 'running') and run_at <= penstock.now()
          and sync in (select value from json_each(:syncs))
        limit :count
    )
    union all
    select * from (
        select 1 from penstock.sync_requests where sync in (select value from json_each(:syncs)) limit :count
    )
) as found;

-- name: gates_next_open
select min(until_at) - penstock.now() from penstock.gates where state = 'closed' and until_at > penstock.now();

-- name: subjects_next_due
select min(due_at) as due_at from penstock.sync_subjects where sync = :sync;
