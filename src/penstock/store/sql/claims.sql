-- Claim and settle. A claim takes ready rows out and writes one lease for all of them; a settle is guarded by that lease.
-- `live_jobs.lease` is the last lease that was ended for a job (by a retry, a release or a rescue): only a later one may
-- settle it. So nothing is written to a job's row when it is claimed.
-- `any (array (select …))` instead of a join, and `limit (select …)` instead of a plain limit, keep PostgreSQL at the index
-- in the order of the index, whatever it believes about the size of tables that are empty one minute and full the next.

-- name: claimable
select exists (
    select 1 from penstock.ready_jobs where queue = :queue
) and not exists (
    select 1 from penstock.queues where queue = :queue and paused_at is not null
);

-- name: claim
-- dialect: postgres
-- differs: rows that another claim has locked are skipped, and so is a job whose key an open transaction has met; the
-- worker's row is held so that no rescue misses the claim; what is below `after` is dead, or found by `stragglers`. Those
-- are looked up one by one: a join by hash would read the whole queue, dead rows and all. A row may stand for many jobs:
-- what is too much for `count` is left, or cut
with found as materialized (
    select r.place, r.rank, r.id, r.jobs, r.unique_key
    from json_array_elements(:found::json) f cross join lateral (
        select ctid as place, rank, id, jobs, unique_key
        from penstock.ready_jobs
        where queue = :queue and (rank, id) >= ((f ->> 0)::bigint, (f ->> 1)::bigint)
          and (rank, id) <= ((f ->> 0)::bigint, (f ->> 1)::bigint)
        order by rank, id
        limit (select 1)
        for update skip locked
    ) r
    where not exists (select 1 from penstock.queues where queue = :queue and paused_at is not null)
), next as materialized (
    select ctid as place, rank, id, jobs, unique_key
    from penstock.ready_jobs
    where queue = :queue and (rank, id) > (:after, :after_id)
      and not exists (select 1 from penstock.queues where queue = :queue and paused_at is not null)
    order by rank, id
    limit (select :rows::bigint)
    for update skip locked
), picked as materialized (
    select * from found union all select * from next
), me as materialized (
    select id from penstock.workers where id = :worker_id and exists (select 1 from picked) for key share
), free as materialized (
    select key from penstock.unique_keys
    where key = any (array (select unique_key from picked where unique_key is not null))
    for no key update skip locked
), known as materialized (
    select key from penstock.unique_keys
    where key = any (array (select unique_key from picked where unique_key is not null))
), seen as materialized (
    select count(*) as rows, sum(jobs) as jobs from picked
), runs as materialized (
    select place, jobs, least(jobs, :count - before) as wanted
    from (
        select place, jobs, sum(jobs) over (order by rank, id) - jobs as before from picked
        where unique_key is null or unique_key in (select key from free) or unique_key not in (select key from known)
    ) as open
    where before < :count
), whole as (
    delete from penstock.ready_jobs
    where ctid = any (
              case when (select jobs > rows from seen) then array (select place from runs where wanted = jobs)
                   else array (
                       select place from picked
                       where unique_key is null or unique_key in (select key from free)
                          or unique_key not in (select key from known)
                   )
              end
          )
      and exists (select 1 from me)
    returning id, jobs
), divided as materialized (
    select place, wanted from runs where wanted < jobs and (select jobs > rows from seen)
), cut as (
    update penstock.ready_jobs set id = id + (select wanted from divided), jobs = jobs - (select wanted from divided)
    where ctid = (select place from divided) and exists (select 1 from me)
    returning id - (select wanted from divided) as id, (select wanted from divided) as jobs
), gone as materialized (
    select id from whole
    union all
    select id + n from whole, generate_series(1, jobs - 1) as n where jobs > 1
    union all
    select id + n from cut, generate_series(0, jobs - 1) as n
), leased as (
    insert into penstock.leases (worker_id, job_ids, claimed_at)
    select :worker_id, array_agg(id), penstock.now() from gone having count(*) > 0
    returning id
)
select j.id, leased.id, j.task, j.arguments, j.attempt + 1, j.max_attempts,
       case when j.deadline_at <= penstock.now() then 'deadline'
            when j.tags is not null and exists (
                select 1 from penstock.tag_marks m where m.tag = any (j.tags) and m.number > coalesce(j.number, j.id)
            ) then 'invalidated'
            when exists (select 1 from penstock.cancellations) and exists (
                select 1 from penstock.cancellations c where c.job_id = j.id
            ) then 'cancelled' end,
       j.deadline_at - penstock.now(), j.run_at - j.priority * cast(60000 as bigint),
       (select rows >= :rows::bigint or jobs > :count from seen), (select ceil(jobs / rows)::integer from seen),
       penstock.now() - j.run_at
from penstock.live_jobs j cross join leased
where j.id = any (array (select id from gone));

-- name: claim
-- dialect: sqlite
-- differs: several statements in one transaction; there is one writer, so nothing can be locked by another claim
update penstock.leases set fresh = 0 where fresh = 1;
insert into penstock.leases (worker_id, job_ids, claimed_at, fresh)
select :worker_id, ids, penstock.now(), 1
from (
    select json_group_array(id) as ids, count(*) as n
    from (
        select id from penstock.ready_jobs
        where queue = :queue and ((rank, id) > (:after, :after_id) or id in (select value ->> 1 from json_each(:found)))
          and not exists (select 1 from penstock.queues where queue = :queue and paused_at is not null)
        order by rank, id
        limit (select :count)
    )
)
where n > 0 and exists (select 1 from penstock.workers where id = :worker_id);
delete from penstock.ready_jobs
where exists (select 1 from penstock.leases where fresh = 1) and (queue, rank, id) in (
    select queue, rank, id from penstock.ready_jobs
    where queue = :queue and ((rank, id) > (:after, :after_id) or id in (select value ->> 1 from json_each(:found)))
    order by rank, id
    limit (select :count)
);
select j.id, l.id, j.task, j.arguments, j.attempt + 1, j.max_attempts,
       case when j.deadline_at <= l.claimed_at then 'deadline'
            when j.tags is not null and exists (
                select 1 from json_each(j.tags) t join penstock.tag_marks m on m.tag = t.value
                where m.number > coalesce(j.number, j.id)
            ) then 'invalidated'
            when exists (select 1 from penstock.cancellations c where c.job_id = j.id) then 'cancelled' end,
       j.deadline_at - l.claimed_at, j.run_at - j.priority * 60000,
       (select json_array_length(job_ids) >= :count from penstock.leases where fresh = 1), 1, l.claimed_at - j.run_at
from penstock.leases l, json_each(l.job_ids) e
cross join penstock.live_jobs j on j.id = e.value
where l.fresh = 1;

-- name: stragglers
-- Rows that became visible below the mark: a late commit, a high priority, a job that was put back.
select rank, id from penstock.ready_jobs
where queue = :queue and (rank, id) <= (:after, :after_id)
order by rank, id
limit (select :count);

-- name: stragglers_new
-- dialect: postgres
-- differs: where dead rows linger, new rows lie at the end of the table, so the last 64 pages (7,000 rows) have what came of
-- late, at a cost that does not grow
with late as materialized (
    select queue, rank, id from penstock.ready_jobs
    where ctid >= (
        select format('(%s,0)', greatest(pg_relation_size('penstock.ready_jobs') / current_setting('block_size')::bigint - 64, 0))::tid
    )
)
select rank, id from late
where queue = :queue and (rank, id) <= (:after, :after_id)
order by rank, id
limit (select :count);

-- name: stragglers_new
-- dialect: sqlite
-- differs: no dead row lingers, so all of them can be looked through
select rank, id from penstock.ready_jobs
where queue = :queue and (rank, id) <= (:after, :after_id)
order by rank, id
limit (select :count);

-- name: leases_held
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way; a limit within keeps the planner from reading every job
select j.id, l.id
from penstock.leases l cross join unnest(l.job_ids) as e (id)
left join lateral (
    select id from penstock.live_jobs where id = e.id and lease < l.id limit (select 1)
) j on true
where l.worker_id = :worker_id;

-- name: leases_held
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
select j.id, l.id
from penstock.leases l cross join json_each(l.job_ids) e
left join penstock.live_jobs j on j.id = e.value and j.lease < l.id
where l.worker_id = :worker_id;
