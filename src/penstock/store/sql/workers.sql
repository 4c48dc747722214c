-- What workers tell of themselves, what each has under way, and the stacks of its slots where somebody asks for them.

-- name: workers_told
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way; jobs are counted up to a bound
-- Those with an id above one, whether they still renew or not.
select w.id, w.name, w.host, w.pid, w.started_at, w.renewed_at, w.expires_at, w.rss_bytes, w.queues, w.slots, u.jobs,
       u.since, penstock.now() as now
from (select * from penstock.workers where id > :after order by id limit (select cast(:count as bigint))) as w
cross join lateral (
    select count(*) as jobs, min(claimed_at) as since from (
        select l.claimed_at
        from penstock.leases l cross join unnest(l.job_ids) as e (id) cross join lateral (
            select 1 from penstock.live_jobs where id = e.id and lease < l.id and state = 'available' limit (select 1)
        ) as j
        where l.worker_id = w.id
        limit (select cast(:most as bigint))
    ) as under_way
) as u
order by w.id;

-- name: workers_told
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way; jobs are counted up to a bound
select w.id, w.name, w.host, w.pid, w.started_at, w.renewed_at, w.expires_at, w.rss_bytes, w.queues, w.slots,
       (select count(*) from (
            select 1 from penstock.leases l cross join json_each(l.job_ids) e
            join penstock.live_jobs j on j.id = e.value and j.lease < l.id and j.state = 'available'
            where l.worker_id = w.id limit :most)) as jobs,
       (select min(claimed_at) from (
            select l.claimed_at from penstock.leases l cross join json_each(l.job_ids) e
            join penstock.live_jobs j on j.id = e.value and j.lease < l.id and j.state = 'available'
            where l.worker_id = w.id limit :most)) as since,
       penstock.now() as now
from (select * from penstock.workers where id > :after order by id limit :count) as w
order by w.id;

-- name: worker_jobs
-- dialect: postgres
-- differs: as `workers_told`
-- What a worker has under way, the longest first.
select j.id, j.task, j.queue, j.attempt + 1, l.claimed_at, p.percent, p.note, penstock.now() as now
from penstock.leases l cross join unnest(l.job_ids) as e (id) cross join lateral (
    select id, task, queue, attempt from penstock.live_jobs
    where id = e.id and lease < l.id and state = 'available' limit (select 1)
) as j
left join penstock.progress p on p.job_id = j.id
where l.worker_id = :worker_id
order by l.claimed_at, j.id
limit (select :count);

-- name: worker_jobs
-- dialect: sqlite
-- differs: as `workers_told`
select j.id, j.task, j.queue, j.attempt + 1, l.claimed_at, p.percent, p.note, penstock.now() as now
from penstock.leases l cross join json_each(l.job_ids) e
join penstock.live_jobs j on j.id = e.value and j.lease < l.id and j.state = 'available'
left join penstock.progress p on p.job_id = j.id
where l.worker_id = :worker_id
order by l.claimed_at, j.id
limit :count;

-- name: worker_slots
select slots from penstock.workers where expires_at >= penstock.now() and slots is not null order by id limit :count;

-- name: asked_of_worker
-- What a worker that runs something looks for, again and again: jobs to cancel, and whether somebody wants its stacks.
select job_id, cast(null as bigint) as asked_at from penstock.cancellations
union all
select null, asked_at from penstock.worker_stacks
where worker_id = :worker_id and answered_at is null and asked_at > penstock.now() - 60000;

-- name: stacks_ask
-- Of a worker that lives; what is being asked already is not asked again for a few seconds.
insert into penstock.worker_stacks as s (worker_id, asked_at)
select id, penstock.now() from penstock.workers where id = :worker_id and expires_at >= penstock.now()
on conflict (worker_id) do update set asked_at = excluded.asked_at, answered_at = null, stacks = null
where s.answered_at is not null or s.asked_at < excluded.asked_at - 5000;

-- name: stacks_answer
update penstock.worker_stacks set answered_at = penstock.now(), stacks = :stacks
where worker_id = :worker_id and asked_at = :asked_at;

-- name: stacks
select asked_at, answered_at, stacks, penstock.now() as now from penstock.worker_stacks where worker_id = :worker_id;

-- name: stacks_asked
-- Whether a worker that lives has been asked.
select 1 from penstock.worker_stacks s join penstock.workers w on w.id = s.worker_id
where s.worker_id = :worker_id and w.expires_at >= penstock.now();
