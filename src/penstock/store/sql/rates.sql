-- How fast jobs end, by minute and by hour, as upkeep adds up (see counts_fold in upkeep.sql); and what waits in each queue.

-- name: rates
select at, state, cast(sum(n) as bigint) from penstock.job_rates
where span = :span and at >= :since and at < :until
  and (cast(:queue as text) is null or queue = :queue) and (cast(:task as text) is null or task = :task)
group by at, state;

-- name: rates_by
-- The same for each queue, or each task.
select case when :by = 'queue' then queue else task end as name, at, state, cast(sum(n) as bigint) from penstock.job_rates
where span = :span and at >= :since and at < :until
group by 1, at, state;

-- name: rates_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading all of it
delete from penstock.job_rates
where ctid = any (array (
    select ctid from penstock.job_rates
    where span = :span and at < (select penstock.now()) - :kept_ms order by span, at limit (select :count)
));

-- name: rates_prune
-- dialect: sqlite
-- differs: an array keeps the planner from reading all of it
delete from penstock.job_rates
where (span, at, queue, task, state) in (
    select span, at, queue, task, state from penstock.job_rates
    where span = :span and at < (select penstock.now()) - :kept_ms order by span, at limit (select :count)
);

-- name: backlog
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- Since when the oldest of those that the next claims of some queues will take has been due.
select q.queue, (
    select min((select j.run_at from penstock.live_jobs j where j.id = n.id))
    from (select r.id from penstock.ready_jobs r where r.queue = q.queue order by r.queue, r.rank, r.id limit 20) as n
), (select p.paused_at from penstock.queues p where p.queue = q.queue), penstock.now()
from unnest(:queues::text[]) as q (queue)
order by q.queue;

-- name: backlog
-- dialect: sqlite
-- differs: as above
select q.queue, (
    select min((select j.run_at from penstock.live_jobs j where j.id = n.id))
    from (select r.id from penstock.ready_jobs r where r.queue = q.queue order by r.queue, r.rank, r.id limit 20) as n
), (select p.paused_at from penstock.queues p where p.queue = q.queue), penstock.now()
from (select value as queue from json_each(:queues)) as q
order by q.queue;
