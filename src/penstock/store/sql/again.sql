-- Attempts after which a job goes on: put off, given back, or to be rescued from a worker that is gone (see settle.sql).
-- Of one that failed the error is kept, the newest 25 of a job: what counts no attempt did not fail.

-- name: settle_again
-- dialect: postgres
-- differs: one statement with several writes
with s as materialized (
    select * from unnest(:ids::bigint[], :leases::bigint[], :states::text[], :counted::integer[], :delay_ms::bigint[],
                         :error_classes::text[], :errors::text[])
        as s (id, lease, state, counted, delay_ms, error_class, error)
), held as materialized (
    select id from penstock.leases where id = any (array (select distinct lease from s))
), again as (
    update penstock.live_jobs j
    set state = s.state, attempt = j.attempt + s.counted, lease = s.lease,
        run_at = case when s.state = 'available' then j.run_at else penstock.now() + s.delay_ms end,
        error_class = coalesce(s.error_class, j.error_class), error = coalesce(s.error, j.error)
    from s
    where j.id = any (array (select id from s)) and j.id = s.id and j.lease < s.lease
      and s.lease in (select id from held)
    returning j.id, j.queue, j.task, j.state, j.run_at, j.priority, j.unique_key, j.line, j.also, j.in_order, j.lease, j.attempt,
              case when s.counted > 0 then s.error_class end as failed, s.error as said
), failures as (
    insert into penstock.attempt_errors (job_id, lease, attempt, failed_at, error_class, error, look_at)
    select id, lease, attempt, penstock.now(), failed, said, penstock.now() + 3600000 from again where failed is not null
), bounded as (
    delete from penstock.attempt_errors where ctid = any (array (
        select e.place from again cross join lateral (
            select ctid as place from penstock.attempt_errors where job_id = again.id order by lease desc
            offset (select 24)
        ) as e
        where failed is not null
    ))
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from again where state = 'available'
), places as (
    insert into penstock.line_news (line, freed)
    select place, count(*) from (
        select line as place, state, in_order from again where line is not null
        union all
        select also, state, in_order from again where also is not null
    ) as p
    where state = 'scheduled' or state = 'retryable' and not in_order
    group by place
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, 'available', 0, -count(*) from again where state <> 'available' group by queue, task
    union all
    select queue, task, state, 0, count(*) from again where state <> 'available' group by queue, task, state
)
select id from again;

-- name: settle_again
-- dialect: sqlite
-- columns: ids leases states counted delay_ms error_classes errors
-- differs: several statements in one transaction, each with the same guard
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as state, value ->> 3 as counted, value ->> 4 as delay_ms,
           value ->> 5 as error_class, value ->> 6 as error
    from json_each(:rows)
    where value ->> 1 in (select id from penstock.leases)
)
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select j.queue, j.run_at - j.priority * 60000, j.id, j.unique_key
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease and s.state = 'available';
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as state, value ->> 3 as counted, value ->> 4 as delay_ms,
           value ->> 5 as error_class, value ->> 6 as error
    from json_each(:rows)
    where value ->> 1 in (select id from penstock.leases)
)
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, 'available', 0, -count(*)
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease and s.state <> 'available'
group by j.queue, j.task
union all
select j.queue, j.task, s.state, 0, count(*)
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease and s.state <> 'available'
group by j.queue, j.task, s.state;
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as state
    from json_each(:rows)
    where value ->> 1 in (select id from penstock.leases) and value ->> 2 <> 'available'
), freed as materialized (
    select j.line, j.also
    from s cross join penstock.live_jobs j on j.id = s.id
    where exists (select 1 from penstock.lines)
      and j.lease < s.lease and j.line is not null and (s.state = 'scheduled' or not j.in_order)
)
insert into penstock.line_news (line, freed)
select place, count(*) from (
    select line as place from freed union all select also from freed where also is not null
) as p
group by place;
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 3 as counted, value ->> 5 as error_class, value ->> 6 as error
    from json_each(:rows)
    where value ->> 1 in (select id from penstock.leases) and value ->> 3 > 0 and value ->> 5 is not null
)
insert into penstock.attempt_errors (job_id, lease, attempt, failed_at, error_class, error)
select s.id, s.lease, j.attempt + s.counted, penstock.now(), s.error_class, s.error
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease;
delete from penstock.attempt_errors
where job_id in (select value ->> 0 from json_each(:rows) where value ->> 3 > 0 and value ->> 5 is not null)
  and lease <= (
    select e.lease from penstock.attempt_errors e where e.job_id = penstock.attempt_errors.job_id
    order by e.lease desc limit 1 offset 25
);
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as state, value ->> 3 as counted, value ->> 4 as delay_ms,
           value ->> 5 as error_class, value ->> 6 as error
    from json_each(:rows)
    where value ->> 1 in (select id from penstock.leases)
)
update penstock.live_jobs as j
set state = s.state, attempt = j.attempt + s.counted, lease = s.lease,
    run_at = case when s.state = 'available' then j.run_at else penstock.now() + s.delay_ms end,
    error_class = coalesce(s.error_class, j.error_class), error = coalesce(s.error, j.error)
from s
where j.id = s.id and j.lease < s.lease
returning id;

-- name: rescue_leases
-- dialect: postgres
-- differs: as `leases_held`
-- Jobs whose worker's row is gone. What they are to become is decided by the caller, who settles them under that lease.
select j.id, l.id, j.task, j.attempt + 1, j.max_attempts, j.lost + 1
from penstock.leases l cross join unnest(l.job_ids) as e (id)
left join lateral (
    select id, task, attempt, max_attempts, lost from penstock.live_jobs where id = e.id and lease < l.id limit (select 1)
) j on true
where not exists (select 1 from penstock.workers w where w.id = l.worker_id)
for update of l skip locked;

-- name: rescue_leases
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
select j.id, l.id, j.task, j.attempt + 1, j.max_attempts, j.lost + 1
from penstock.leases l cross join json_each(l.job_ids) e
left join penstock.live_jobs j on j.id = e.value and j.lease < l.id
where not exists (select 1 from penstock.workers w where w.id = l.worker_id);

-- name: count_lost
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.live_jobs set lost = lost + 1 where id = any (:ids);

-- name: count_lost
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.live_jobs set lost = lost + 1 where id in (select value from json_each(:ids));
