-- What acts on many jobs ask: how those stand that are named, and that they be due now.

-- name: jobs_named
-- dialect: postgres
-- differs: each dialect takes an array, and keeps the ids of a lease, in its own way
select j.id, j.task, case when j.state = 'available' and exists (
           select e.id from penstock.leases l cross join unnest(l.job_ids) as e (id) where e.id = j.id and l.id > j.lease
       ) then 'executing' else j.state end as state, j.unique_key is not null as keyed
from penstock.live_jobs j where j.id = any (:ids)
union all
select id, task, state, unique_key is not null from penstock.finished_jobs where id = any (:ids);

-- name: jobs_named
-- dialect: sqlite
-- differs: each dialect takes an array, and keeps the ids of a lease, in its own way
select j.id, j.task, case when j.state = 'available' and exists (
           select 1 from penstock.leases l cross join json_each(l.job_ids) e where e.value = j.id and l.id > j.lease
       ) then 'executing' else j.state end as state, j.unique_key is not null as keyed
from penstock.live_jobs j where j.id in (select value from json_each(:ids))
union all
select id, task, state, unique_key is not null from penstock.finished_jobs where id in (select value from json_each(:ids));

-- name: run_now
-- A job that waits for its time is due now. Upkeep makes it available.
update penstock.live_jobs set run_at = case when run_at < penstock.now() then run_at else penstock.now() end
where id = :id and state in ('scheduled', 'retryable')
returning id;
