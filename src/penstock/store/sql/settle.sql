-- Settle, and rescue: what an attempt came to, guarded by its lease (see claims.sql).
-- A caller whose open transaction has met a unique key has locked it, for as long as that takes. Nobody waits for it: what
-- is to become of that key is noted in `keys_left`, and done by upkeep (`keys_release`).
-- A keyed job that ends, or waits without its place, frees its places by news (see keyed.sql). Where one has a place there is
-- a row of its line in `lines`, so where that is empty SQLite need not look for such jobs.

-- name: settle_completed
-- dialect: postgres
-- differs: as `settle_finished`, for what went well and is kept equally long: with three arrays instead of eight, and one
-- time and one slot for all. One statement for both costs half a microsecond more per job, even where the other arrays are
-- left empty.
with s as materialized (
    select * from unnest(:ids::bigint[], :leases::bigint[], :took_ms::integer[]) as s (id, lease, took_ms)
), held as materialized (
    select id from penstock.leases where id = any (array (select distinct lease from s))
), gone as (
    delete from penstock.live_jobs j using s
    where j.id = any (array (select id from s)) and j.id = s.id and j.lease < s.lease
      and s.lease in (select id from held)
    returning j.id, j.task, j.queue, j.priority, j.arguments, j.attempt + 1 as attempt, j.max_attempts, j.run_at,
              j.enqueued_at, j.tags, j.unique_key, j.state as was, s.lease, s.took_ms, j.line, j.also, j.terms
), at as materialized (
    select penstock.now() as now,
           case when :keep_ms::bigint <= 86400000 then (penstock.now() + :keep_ms::bigint) / 10800000 % 10
                when :keep_ms::bigint <= 2764800000 then 10 + (penstock.now() + :keep_ms::bigint) / 345600000 % 10
                else 20 end as slot
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                        line, also, terms)
    select id, at.slot, task, queue, priority, 'completed', arguments, attempt, max_attempts, run_at, enqueued_at,
           at.now - took_ms, at.now, at.now + :keep_ms::bigint, lease, tags, unique_key, line, also, terms
    from gone, at
), keyed as materialized (
    select id, unique_key as key, 'completed' as state, penstock.now() + :keep_ms::bigint as until from gone where unique_key is not null
), free as materialized (
    select key from penstock.unique_keys where key = any (array (select key from keyed)) for update skip locked
), freed as (
    delete from penstock.unique_keys u using keyed
    where u.key = any (array (select key from free)) and u.key = keyed.key and u.job_id = keyed.id
      and not keyed.state = any (u.keeps)
), bounded as (
    update penstock.unique_keys u set until = keyed.until from keyed
    where u.key = any (array (select key from free)) and u.key = keyed.key and u.job_id = keyed.id
      and keyed.state = any (u.keeps) and u.until is null and keyed.until is not null
), left_over as (
    insert into penstock.keys_left (job_id, key, state, until)
    select id, key, state, until from keyed where key <> all (array (select key from free))
    on conflict do nothing
), places as (
    insert into penstock.line_news (line, freed)
    select place, count(*) from gone cross join lateral (values (line), (also)) as p (place)
    where line is not null and place is not null
    group by place
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, was, 0, -count(*) from gone group by queue, task, was
    union all
    select queue, task, 'completed', at.slot, count(*) from gone, at group by queue, task, at.slot
), ended as (
    delete from penstock.leases where id = any (:ended::bigint[])
)
select id from gone;

-- name: settle_completed
-- dialect: sqlite
-- columns: ids leases took_ms
-- differs: as `settle_finished`, for what went well and is kept equally long
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as took_ms from json_each(:rows)
)
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                    line, also, terms)
select j.id, 0, j.task, j.queue, j.priority, 'completed', j.arguments, j.attempt + 1, j.max_attempts, j.run_at,
       j.enqueued_at, penstock.now() - s.took_ms, penstock.now(), penstock.now() + :keep_ms, s.lease, j.tags,
       j.unique_key, j.line, j.also, j.terms
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease and s.lease in (select id from penstock.leases);
with n as materialized (
    select f.queue, f.task, j.state as was, f.state, count(*) as jobs
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    group by f.queue, f.task, j.state, f.state
)
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, was, 0, -jobs from n union all select queue, task, state, 0, jobs from n;
insert into penstock.line_news (line, freed)
select place, count(*) from (
    select j.line as place, e.value as id
    from (select 1 from penstock.lines limit 1) cross join json_each(:ids) e
    cross join penstock.live_jobs j on j.id = e.value
    where j.line is not null
    union all
    select j.also, e.value
    from (select 1 from penstock.lines limit 1) cross join json_each(:ids) e
    cross join penstock.live_jobs j on j.id = e.value
    where j.also is not null
) as p
cross join penstock.finished_jobs f on f.id = p.id
group by place;
update penstock.unique_keys set until = coalesce(until, (
    select f.prune_at from penstock.finished_jobs f where f.id = job_id
))
where exists (select 1 from penstock.unique_keys) and key in (
    select f.unique_key
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and job_id in (select value from json_each(:ids));
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and key in (
    select f.unique_key
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null and f.id = job_id
      and not exists (select 1 from json_each(keeps) k where k.value = f.state)
);
delete from penstock.leases where id in (select value from json_each(:ended));
delete from penstock.live_jobs
where id in (select f.id from json_each(:ids) e cross join penstock.finished_jobs f on f.id = e.value)
returning id;

-- name: settle_finished
-- dialect: postgres
-- differs: one statement with several writes; a slot is the part of `finished_jobs` that is emptied when all in it is
-- past its time: ten of three hours, ten of four days, and one for what is kept for longer
with s as materialized (
    select s.*, at, at + keep_ms as prune_at
    from unnest(:ids::bigint[], :leases::bigint[], :states::text[], :counted::integer[], :took_ms::bigint[],
                :keep_ms::bigint[], :error_classes::text[], :errors::text[])
        as s (id, lease, state, counted, took_ms, keep_ms, error_class, error)
    cross join (select penstock.now() as at offset 0) as clock
), held as materialized (
    select id from penstock.leases where id = any (array (select distinct lease from s))
), gone as (
    delete from penstock.live_jobs j using s
    where j.id = any (array (select id from s)) and j.id = s.id and j.lease < s.lease
      and s.lease in (select id from held)
    returning j.id, j.task, j.queue, j.priority, j.arguments, j.attempt + s.counted as attempt, j.max_attempts, j.run_at,
              j.enqueued_at, j.tags, j.unique_key, j.state as was, s.state, s.lease, s.at - s.took_ms as attempted_at,
              s.at as finished_at, s.prune_at, s.error_class, s.error, j.line, j.also, j.terms,
              case when s.keep_ms <= 86400000 then s.prune_at / 10800000 % 10
                   when s.keep_ms <= 2764800000 then 10 + s.prune_at / 345600000 % 10
                   else 20 end as slot
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                        error_class, error, line, also, terms)
    select id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at,
           attempted_at, finished_at, prune_at, lease, tags, unique_key, error_class, error, line, also, terms
    from gone
), keyed as materialized (
    select id, unique_key as key, state, prune_at as until from gone where unique_key is not null
), free as materialized (
    select key from penstock.unique_keys where key = any (array (select key from keyed)) for update skip locked
), freed as (
    delete from penstock.unique_keys u using keyed
    where u.key = any (array (select key from free)) and u.key = keyed.key and u.job_id = keyed.id
      and not keyed.state = any (u.keeps)
), bounded as (
    update penstock.unique_keys u set until = keyed.until from keyed
    where u.key = any (array (select key from free)) and u.key = keyed.key and u.job_id = keyed.id
      and keyed.state = any (u.keeps) and u.until is null and keyed.until is not null
), left_over as (
    insert into penstock.keys_left (job_id, key, state, until)
    select id, key, state, until from keyed where key <> all (array (select key from free))
    on conflict do nothing
), kept_on as (
    insert into penstock.kept_places (job_id, lease, line, also)
    select id, lease, line, also from gone where line is not null and error_class = 'AtMostOnce'
), places as (
    insert into penstock.line_news (line, freed)
    select place, count(*) from (
        select line as place from gone where line is not null and error_class is distinct from 'AtMostOnce'
        union all
        select also from gone where also is not null and error_class is distinct from 'AtMostOnce'
    ) as p
    group by place
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, was, 0, -count(*) from gone group by queue, task, was
    union all
    select queue, task, state, slot, count(*) from gone group by queue, task, state, slot
), ended as (
    delete from penstock.leases where id = any (:ended::bigint[])
)
select id from gone;

-- name: settle_finished
-- dialect: sqlite
-- columns: ids leases states counted took_ms keep_ms error_classes errors
-- differs: several statements in one transaction; there are no partitions, so there is one slot. A job that is both live
-- and finished is one that is being settled here.
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as state, value ->> 3 as counted, value ->> 4 as took_ms,
           value ->> 5 as keep_ms, value ->> 6 as error_class, value ->> 7 as error
    from json_each(:rows)
)
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                    error_class, error, line, also, terms)
select j.id, 0, j.task, j.queue, j.priority, s.state, j.arguments, j.attempt + s.counted, j.max_attempts, j.run_at,
       j.enqueued_at, penstock.now() - s.took_ms, penstock.now(), penstock.now() + s.keep_ms, s.lease, j.tags,
       j.unique_key, s.error_class, s.error, j.line, j.also, j.terms
from s cross join penstock.live_jobs j on j.id = s.id
where j.lease < s.lease and s.lease in (select id from penstock.leases);
with n as materialized (
    select f.queue, f.task, j.state as was, f.state, count(*) as jobs
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    group by f.queue, f.task, j.state, f.state
)
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, was, 0, -jobs from n union all select queue, task, state, 0, jobs from n;
insert into penstock.line_news (line, freed)
select place, count(*) from (
    select j.line as place, e.value as id
    from (select 1 from penstock.lines limit 1) cross join json_each(:ids) e
    cross join penstock.live_jobs j on j.id = e.value
    where j.line is not null
    union all
    select j.also, e.value
    from (select 1 from penstock.lines limit 1) cross join json_each(:ids) e
    cross join penstock.live_jobs j on j.id = e.value
    where j.also is not null
) as p
cross join penstock.finished_jobs f on f.id = p.id
where f.error_class is not 'AtMostOnce'
group by place;
insert into penstock.kept_places (job_id, lease, line, also)
select f.id, f.lease, f.line, f.also
from (select 1 from penstock.lines limit 1) cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where j.line is not null and f.error_class = 'AtMostOnce';
update penstock.unique_keys set until = coalesce(until, (
    select f.prune_at from penstock.finished_jobs f where f.id = job_id
))
where exists (select 1 from penstock.unique_keys) and key in (
    select f.unique_key
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and job_id in (select value from json_each(:ids));
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and key in (
    select f.unique_key
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null and f.id = job_id
      and not exists (select 1 from json_each(keeps) k where k.value = f.state)
);
delete from penstock.leases where id in (select value from json_each(:ended));
delete from penstock.live_jobs
where id in (select f.id from json_each(:ids) e cross join penstock.finished_jobs f on f.id = e.value)
returning id;

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
    returning j.id, j.queue, j.task, j.state, j.run_at, j.priority, j.unique_key, j.line, j.also, j.in_order
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
