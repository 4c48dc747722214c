-- Jobs as people look for them, page by page. A look reads at most `look` rows in the order of an index, and gives those
-- that fit (`count` of them), each beside how many rows were looked at, how many of those fit, and where the look ended:
-- there the next one goes on. Where nothing fits there is one row, without a job.
-- Jobs that are under way are those that a lease names which was not ended for them (see claims.sql).

-- name: jobs_newest
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way
-- Of those that are `live`, and those that have `ended`, the newest first.
with led as materialized (
    select distinct on (e.id) e.id, l.id as lease, l.worker_id, l.claimed_at
    from penstock.leases l cross join unnest(l.job_ids) as e (id)
    order by e.id, l.id desc
), looked as materialized (
    select * from (
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at,
                   cast(null as bigint) as attempted_at, cast(null as bigint) as finished_at, lease, tags, unique_key,
                   error_class, 1 as live
            from penstock.live_jobs where :live and id < :below and id >= :above
            order by id desc limit (select cast(:look as bigint))
        ) as l
        union all
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
                   lease, tags, unique_key, error_class, 0
            from penstock.finished_jobs where :ended and id < :below and id >= :above
            order by id desc limit (select cast(:look as bigint))
        ) as f
    ) as j
    order by id desc limit (select cast(:look as bigint))
), known as materialized (
    select j.id, j.task, j.queue, j.priority, case when e.id is null then j.state else 'executing' end as state,
           case when e.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts, j.run_at,
           j.enqueued_at, coalesce(e.claimed_at, j.attempted_at) as attempted_at, j.finished_at, j.error_class, j.tags,
           j.unique_key, e.worker_id
    from looked j left join led e on j.live = 1 and j.state = 'available' and e.id = j.id and e.lease > j.lease
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.attempted_at, j.finished_at, j.error_class, penstock.tags_as_json() as tags,
           j.unique_key is not null as keyed,
           (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           cast(null as double precision) as percent, 0 as place
    from known j
    where (cast(:state as text) is null or j.state = :state)
      and (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select min(enqueued_at) from looked) as last_at,
           (select min(id) from looked) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by id desc limit (select cast(:count as bigint))) h on true
order by h.id desc;

-- name: jobs_newest
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
-- Of those that are `live`, and those that have `ended`, the newest first.
with led as materialized (
    select e.value as id, max(l.id) as lease, l.worker_id, l.claimed_at
    from penstock.leases l cross join json_each(l.job_ids) e
    group by e.value
), looked as materialized (
    select * from (
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at,
                   cast(null as bigint) as attempted_at, cast(null as bigint) as finished_at, lease, tags, unique_key,
                   error_class, 1 as live
            from penstock.live_jobs where :live and id < :below and id >= :above
            order by id desc limit (select cast(:look as bigint))
        ) as l
        union all
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
                   lease, tags, unique_key, error_class, 0
            from penstock.finished_jobs where :ended and id < :below and id >= :above
            order by id desc limit (select cast(:look as bigint))
        ) as f
    ) as j
    order by id desc limit (select cast(:look as bigint))
), known as materialized (
    select j.id, j.task, j.queue, j.priority, case when e.id is null then j.state else 'executing' end as state,
           case when e.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts, j.run_at,
           j.enqueued_at, coalesce(e.claimed_at, j.attempted_at) as attempted_at, j.finished_at, j.error_class, j.tags,
           j.unique_key, e.worker_id
    from looked j left join led e on j.live = 1 and j.state = 'available' and e.id = j.id and e.lease > j.lease
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.attempted_at, j.finished_at, j.error_class, penstock.tags_as_json() as tags, j.unique_key is not null as keyed,
           (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           cast(null as double precision) as percent, 0 as place
    from known j
    where (cast(:state as text) is null or j.state = :state)
      and (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select min(enqueued_at) from looked) as last_at,
           (select min(id) from looked) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by id desc limit (select cast(:count as bigint))) h on true
order by h.id desc;

-- name: jobs_of_batch
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way
-- Of a batch, in the order of their numbers: they have the next ones after its own, those that joined it later higher ones.
with led as materialized (
    select distinct on (e.id) e.id, l.id as lease, l.worker_id, l.claimed_at
    from penstock.leases l cross join unnest(l.job_ids) as e (id)
    order by e.id, l.id desc
), looked as materialized (
    select * from (
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at,
                   cast(null as bigint) as attempted_at, cast(null as bigint) as finished_at, lease, tags, unique_key,
                   error_class, batch, 1 as live
            from penstock.live_jobs where :live and id > :id
            order by id limit (select cast(:look as bigint))
        ) as l
        union all
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
                   lease, tags, unique_key, error_class, batch, 0
            from penstock.finished_jobs where :ended and id > :id
            order by id limit (select cast(:look as bigint))
        ) as f
    ) as j
    order by id limit (select cast(:look as bigint))
), known as materialized (
    select j.id, j.task, j.queue, j.priority, case when e.id is null then j.state else 'executing' end as state,
           case when e.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts, j.run_at,
           j.enqueued_at, coalesce(e.claimed_at, j.attempted_at) as attempted_at, j.finished_at, j.error_class, j.tags,
           j.unique_key, j.batch, e.worker_id
    from looked j left join led e on j.live = 1 and j.state = 'available' and e.id = j.id and e.lease > j.lease
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.attempted_at, j.finished_at, j.error_class, penstock.tags_as_json() as tags,
           j.unique_key is not null as keyed,
           (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           cast(null as double precision) as percent, 0 as place
    from known j
    where j.batch = :batch and (cast(:state as text) is null or j.state = :state)
      and (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select max(enqueued_at) from looked) as last_at,
           (select max(id) from looked) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by id limit (select cast(:count as bigint))) h on true
order by h.id;

-- name: jobs_of_batch
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
-- Of a batch, in the order of their numbers: they have the next ones after its own, those that joined it later higher ones.
with led as materialized (
    select e.value as id, max(l.id) as lease, l.worker_id, l.claimed_at
    from penstock.leases l cross join json_each(l.job_ids) e
    group by e.value
), looked as materialized (
    select * from (
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at,
                   cast(null as bigint) as attempted_at, cast(null as bigint) as finished_at, lease, tags, unique_key,
                   error_class, batch, 1 as live
            from penstock.live_jobs where :live and id > :id
            order by id limit (select cast(:look as bigint))
        ) as l
        union all
        select * from (
            select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
                   lease, tags, unique_key, error_class, batch, 0
            from penstock.finished_jobs where :ended and id > :id
            order by id limit (select cast(:look as bigint))
        ) as f
    ) as j
    order by id limit (select cast(:look as bigint))
), known as materialized (
    select j.id, j.task, j.queue, j.priority, case when e.id is null then j.state else 'executing' end as state,
           case when e.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts, j.run_at,
           j.enqueued_at, coalesce(e.claimed_at, j.attempted_at) as attempted_at, j.finished_at, j.error_class, j.tags,
           j.unique_key, j.batch, e.worker_id
    from looked j left join led e on j.live = 1 and j.state = 'available' and e.id = j.id and e.lease > j.lease
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.attempted_at, j.finished_at, j.error_class, penstock.tags_as_json() as tags, j.unique_key is not null as keyed,
           (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           cast(null as double precision) as percent, 0 as place
    from known j
    where j.batch = :batch and (cast(:state as text) is null or j.state = :state)
      and (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select max(enqueued_at) from looked) as last_at,
           (select max(id) from looked) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by id limit (select cast(:count as bigint))) h on true
order by h.id;

-- name: jobs_uncompleted
-- Of those that were discarded, or cancelled, the newest first: few among many that completed.
with looked as materialized (
    select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
           tags, unique_key, error_class, batch
    from penstock.finished_jobs
    where state = :state and state <> 'completed' and id < :below and id >= :above
    order by id desc limit (select cast(:look as bigint))
), hits as materialized (
    select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
           error_class, penstock.tags_as_json() as tags, unique_key is not null as keyed,
           cast(null as text) as worker,
           cast(null as double precision) as percent, 0 as place
    from looked
    where (cast(:task as text) is null or task = :task)
      and (cast(:queue as text) is null or queue = :queue)
      and (cast(:error_class as text) is null or error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and (cast(:batch as bigint) is null or batch = :batch)
      and enqueued_at >= :since and enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select min(enqueued_at) from looked) as last_at,
           (select min(id) from looked) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by id desc limit (select cast(:count as bigint))) h on true
order by h.id desc;

-- name: jobs_due
-- Of those that wait for their time, the soonest first; after (`place`, `id`).
with looked as materialized (
    select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at, tags, unique_key, error_class,
           batch
    from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= cast(:place as bigint)
      and (run_at, id) > (cast(:place as bigint), cast(:id as bigint))
    order by run_at, id limit (select cast(:look as bigint))
), hits as materialized (
    select id, task, queue, priority, state, attempt, max_attempts, run_at, enqueued_at,
           cast(null as bigint) as attempted_at, cast(null as bigint) as finished_at, error_class,
           penstock.tags_as_json() as tags, unique_key is not null as keyed,
           cast(null as text) as worker,
           cast(null as double precision) as percent, run_at as place
    from looked
    where state = :state
      and (cast(:task as text) is null or task = :task)
      and (cast(:queue as text) is null or queue = :queue)
      and (cast(:error_class as text) is null or error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and (cast(:batch as bigint) is null or batch = :batch)
      and enqueued_at >= :since and enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select max(run_at) from looked) as last_at,
           (select id from looked order by run_at desc, id desc limit 1) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by place, id limit (select cast(:count as bigint))) h on true
order by h.place, h.id;

-- name: jobs_executing
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way
-- Of those that are under way, the one that was claimed the longest ago first; after (`place`, `id`).
with looked as materialized (
    select l.id as place, l.worker_id, l.claimed_at, j.id, j.task, j.queue, j.priority, j.attempt + 1 as attempt,
           j.max_attempts, j.run_at, j.enqueued_at, j.tags, j.unique_key, j.error_class, j.batch
    from penstock.leases l cross join unnest(l.job_ids) as e (id) cross join lateral (
        select * from penstock.live_jobs where id = e.id and lease < l.id and state = 'available' limit (select 1)
    ) j
    where l.id >= cast(:place as bigint) and (l.id, e.id) > (cast(:place as bigint), cast(:id as bigint))
    order by l.id, e.id limit (select cast(:look as bigint))
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, 'executing' as state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.claimed_at as attempted_at, cast(null as bigint) as finished_at, j.error_class,
           penstock.tags_as_json() as tags, j.unique_key is not null as keyed,
           (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           (select p.percent from penstock.progress p where p.job_id = j.id) as percent, j.place
    from looked j
    where (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and (cast(:batch as bigint) is null or j.batch = :batch)
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select max(place) from looked) as last_at,
           (select id from looked order by place desc, id desc limit 1) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by place, id limit (select cast(:count as bigint))) h on true
order by h.place, h.id;

-- name: jobs_executing
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
-- Of those that are under way, the one that was claimed the longest ago first; after (`place`, `id`).
with looked as materialized (
    select l.id as place, l.worker_id, l.claimed_at, j.id, j.task, j.queue, j.priority, j.attempt + 1 as attempt,
           j.max_attempts, j.run_at, j.enqueued_at, j.tags, j.unique_key, j.error_class, j.batch
    from penstock.leases l cross join json_each(l.job_ids) e
    cross join penstock.live_jobs j on j.id = e.value and j.lease < l.id and j.state = 'available'
    where l.id >= cast(:place as bigint) and (l.id, e.value) > (cast(:place as bigint), cast(:id as bigint))
    order by l.id, e.value limit (select cast(:look as bigint))
), hits as materialized (
    select j.id, j.task, j.queue, j.priority, 'executing' as state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
           j.claimed_at as attempted_at, cast(null as bigint) as finished_at, j.error_class, penstock.tags_as_json() as tags,
           j.unique_key is not null as keyed, (select w.name from penstock.workers w where w.id = j.worker_id) as worker,
           (select p.percent from penstock.progress p where p.job_id = j.id) as percent, j.place
    from looked j
    where (cast(:task as text) is null or j.task = :task)
      and (cast(:queue as text) is null or j.queue = :queue)
      and (cast(:error_class as text) is null or j.error_class = :error_class)
      and (cast(:tag as text) is null or penstock.is_tagged())
      and (cast(:batch as bigint) is null or j.batch = :batch)
      and j.enqueued_at >= :since and j.enqueued_at < :until
)
select s.looked, s.last_at, s.last_id, s.hits, h.id, h.task, h.queue, h.priority, h.state, h.attempt, h.max_attempts,
       h.run_at, h.enqueued_at, h.attempted_at, h.finished_at, h.error_class, h.tags, h.keyed, h.worker, h.percent, h.place
from (
    select (select count(*) from looked) as looked, (select max(place) from looked) as last_at,
           (select id from looked order by place desc, id desc limit 1) as last_id,
           (select count(*) from hits) as hits
) s
left join (select * from hits order by place, id limit (select cast(:count as bigint))) h on true
order by h.place, h.id;

-- name: jobs_span
-- The numbers of the oldest and the newest job.
select min(id), max(id) from (
    select * from (select id from penstock.live_jobs order by id limit (select 1)) as a
    union all
    select * from (select id from penstock.live_jobs order by id desc limit (select 1)) as b
    union all
    select * from (select id from penstock.finished_jobs order by id limit (select 1)) as c
    union all
    select * from (select id from penstock.finished_jobs order by id desc limit (select 1)) as d
) as ends;

-- name: jobs_from
-- The first job with this number or a higher one, and when it was enqueued: numbers grow with time.
select id, enqueued_at from (
    select * from (
        select id, enqueued_at from penstock.live_jobs where id >= :id order by id limit (select 1)
    ) as l
    union all
    select * from (
        select id, enqueued_at from penstock.finished_jobs where id >= :id order by id limit (select 1)
    ) as f
) as j
order by id limit 1;
