-- Settle: what attempts that ended their jobs came to, guarded by the lease (see claims.sql).
-- A caller whose open transaction has met a unique key has locked it, for as long as that takes. Nobody waits for it: what
-- is to become of that key is noted in `keys_left`, and done by upkeep (`keys_release`). What is said of a key that is locked
-- here holds for its newest row. That may lie beyond what the statement sees, and is not found by its place then: where most
-- keys are freed at once, such a key is left to upkeep too; elsewhere each is looked up, and found, by itself. (A join of
-- arrays would compare each with each.)
-- A keyed job that ends, or waits without its place, frees its places by news (see keyed.sql). Where one has a place there is
-- a row of its line in `lines`, so where that is empty SQLite need not look for such jobs.
-- A job that others wait for, or one of a batch, inserts news of its end (see waits.sql), and says so by giving its id as a
-- negative number. One that runs at most once tells when it has said how it ended: until then `kept_news` remembers that.

-- name: settle_completed
-- dialect: postgres
-- differs: as `settle_finished`, for what went well and is kept equally long: with three arrays instead of eight, and one
-- time and one slot for all. One statement for both costs half a microsecond more per job, even where the other arrays are
-- left empty. Jobs of one lease that took equally long are looked up together: there are few such groups where there are
-- many jobs, since short ones take no millisecond, and to join job by job takes a fifth longer.
with s as materialized (
    select lease, took_ms, array_agg(id) as ids
    from unnest(:ids::bigint[], :leases::bigint[], :took_ms::integer[]) as s (id, lease, took_ms)
    group by lease, took_ms
), held as materialized (
    select id from penstock.leases where id = any (array (select distinct lease from s))
), gone as (
    delete from penstock.live_jobs j using s
    where j.id = any (s.ids) and j.lease < s.lease and s.lease in (select id from held)
    returning j.id, j.task, j.queue, j.priority, j.arguments, j.attempt + 1 as attempt, j.max_attempts, j.run_at,
              j.enqueued_at, j.tags, j.unique_key, j.state as was, s.lease, s.took_ms, j.line, j.also, j.terms,
              j.batch, j.awaited
), at as materialized (
    select penstock.now() as now,
           case when :keep_ms::bigint <= 86400000 then (penstock.now() + :keep_ms::bigint) / 10800000 % 10
                when :keep_ms::bigint <= 2764800000 then 10 + (penstock.now() + :keep_ms::bigint) / 345600000 % 10
                else 20 end as slot
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                        line, also, terms, batch)
    select id, (select slot from at), task, queue, priority, 'completed', arguments, attempt, max_attempts, run_at,
           enqueued_at, (select now from at) - took_ms, (select now from at), (select now from at) + :keep_ms::bigint,
           lease, tags, unique_key, line, also, terms, batch
    from gone
), keyed as materialized (
    select id, unique_key as key from gone where unique_key is not null
), open as materialized (
    select ctid as place, key, case when job_id not in (select id from keyed) then 'lost'
                                    when not 'completed' = any (keeps) then 'over'
                                    when until is null then 'stays' else 'bounded' end as becomes
    from penstock.unique_keys where key = any (array (select key from keyed)) for update skip locked
), freed as (
    delete from penstock.unique_keys where ctid = any (array (select place from open where becomes = 'over'))
    returning key
), bounded as (
    update penstock.unique_keys set until = (select now from at) + :keep_ms::bigint
    where ctid = any (array (select place from open where becomes = 'stays'))
    returning key
), left_over as (
    insert into penstock.keys_left (job_id, key, state, until)
    select id, key, 'completed', (select now from at) + :keep_ms::bigint from keyed
    where (select count(*) from freed) < (select count(*) from keyed) and key not in (
        select key from freed union all select key from bounded
        union all select key from open where becomes in ('lost', 'bounded')
    )
    on conflict do nothing
), places as (
    insert into penstock.line_news (line, freed)
    select place, count(*) from gone cross join lateral (values (line), (also)) as p (place)
    where line is not null and place is not null
    group by place
), counted as materialized (
    select queue, task, was, count(*) as n from gone group by queue, task, was
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, was, 0, -n from counted
    union all
    select queue, task, 'completed', at.slot, sum(n) from counted, at group by queue, task, at.slot
), told as (
    insert into penstock.wait_news (id, batch, what, n)
    select id, false, 'completed', 1 from gone where awaited
    union all
    select batch, true, 'completed', count(*) from gone where batch is not null group by batch
), ended as (
    delete from penstock.leases where id = any (:ended::bigint[])
)
select case when awaited or batch is not null then -id else id end from gone;

-- name: settle_completed
-- dialect: sqlite
-- columns: ids leases took_ms
-- differs: as `settle_finished`, for what went well and is kept equally long
with s as materialized (
    select value ->> 0 as id, value ->> 1 as lease, value ->> 2 as took_ms from json_each(:rows)
)
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                    line, also, terms, batch)
select j.id, 0, j.task, j.queue, j.priority, 'completed', j.arguments, j.attempt + 1, j.max_attempts, j.run_at,
       j.enqueued_at, penstock.now() - s.took_ms, penstock.now(), penstock.now() + :keep_ms, s.lease, j.tags,
       j.unique_key, j.line, j.also, j.terms, j.batch
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
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select f.unique_key, f.id
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and not exists (
    select 1 from json_each(keeps) k where k.value = (
        select f.state from penstock.finished_jobs f where f.id = penstock.unique_keys.job_id
    )
);
update penstock.unique_keys set until = (select f.prune_at from penstock.finished_jobs f where f.id = job_id)
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select f.unique_key, f.id
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and until is null;
insert into penstock.wait_news (id, batch, what, n)
select j.id, false, f.state, 1
from (select 1 where exists (select 1 from penstock.job_waits)) cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where j.awaited
union all
select j.batch, true, f.state, count(*)
from (select 1 where exists (select 1 from penstock.batches) or exists (select 1 from penstock.wait_news))
cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where j.batch is not null
group by j.batch, f.state;
delete from penstock.leases where id in (select value from json_each(:ended));
delete from penstock.live_jobs
where id in (select f.id from json_each(:ids) e cross join penstock.finished_jobs f on f.id = e.value)
returning iif(awaited or batch is not null, -id, id);

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
              s.at as finished_at, s.prune_at, s.error_class, s.error, j.line, j.also, j.terms, j.batch, j.awaited,
              case when s.keep_ms <= 86400000 then s.prune_at / 10800000 % 10
                   when s.keep_ms <= 2764800000 then 10 + s.prune_at / 345600000 % 10
                   else 20 end as slot
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, attempted_at, finished_at, prune_at, lease, tags, unique_key,
                                        error_class, error, line, also, terms, batch)
    select id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at,
           attempted_at, finished_at, prune_at, lease, tags, unique_key, error_class, error, line, also, terms,
           batch
    from gone
), keyed as materialized (
    select g.id, g.unique_key as key, g.state, g.prune_at as until, u.job_id is not null as free,
           u.job_id = g.id and not g.state = any (u.keeps) as over,
           u.job_id = g.id and g.state = any (u.keeps) and u.until is null as stays
    from gone g left join lateral (
        select job_id, keeps, until from penstock.unique_keys where key = g.unique_key
        limit (select 1) for update skip locked
    ) u on true
    where g.unique_key is not null
), freed as (
    delete from penstock.unique_keys where key = any (array (select key from keyed where over))
), bounded as (
    update penstock.unique_keys set until = ((select jsonb_object_agg(key, until) from keyed where stays) ->> key)::bigint
    where key = any (array (select key from keyed where stays))
), left_over as (
    insert into penstock.keys_left (job_id, key, state, until)
    select id, key, state, until from keyed where not free
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
), told as (
    insert into penstock.wait_news (id, batch, what, n)
    select id, false, state, 1 from gone where awaited and error_class is distinct from 'AtMostOnce'
    union all
    select batch, true, state, count(*) from gone
    where batch is not null and error_class is distinct from 'AtMostOnce' group by batch, state
), told_later as (
    insert into penstock.kept_news (job_id, lease, awaited, batch)
    select id, lease, coalesce(awaited, false), batch from gone
    where (awaited or batch is not null) and error_class = 'AtMostOnce'
), ended as (
    delete from penstock.leases where id = any (:ended::bigint[])
)
select case when awaited or batch is not null then -id else id end from gone;

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
                                    error_class, error, line, also, terms, batch)
select j.id, 0, j.task, j.queue, j.priority, s.state, j.arguments, j.attempt + s.counted, j.max_attempts, j.run_at,
       j.enqueued_at, penstock.now() - s.took_ms, penstock.now(), penstock.now() + s.keep_ms, s.lease, j.tags,
       j.unique_key, s.error_class, s.error, j.line, j.also, j.terms, j.batch
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
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select f.unique_key, f.id
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and not exists (
    select 1 from json_each(keeps) k where k.value = (
        select f.state from penstock.finished_jobs f where f.id = penstock.unique_keys.job_id
    )
);
update penstock.unique_keys set until = (select f.prune_at from penstock.finished_jobs f where f.id = job_id)
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select f.unique_key, f.id
    from json_each(:ids) e cross join penstock.live_jobs j on j.id = e.value
    cross join penstock.finished_jobs f on f.id = e.value
    where f.unique_key is not null
) and until is null;
insert into penstock.wait_news (id, batch, what, n)
select j.id, false, f.state, 1
from (select 1 where exists (select 1 from penstock.job_waits)) cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where j.awaited and f.error_class is not 'AtMostOnce'
union all
select j.batch, true, f.state, count(*)
from (select 1 where exists (select 1 from penstock.batches) or exists (select 1 from penstock.wait_news))
cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where j.batch is not null and f.error_class is not 'AtMostOnce'
group by j.batch, f.state;
insert into penstock.kept_news (job_id, lease, awaited, batch)
select f.id, f.lease, coalesce(j.awaited, false), j.batch
from (select 1 where exists (select 1 from penstock.job_waits) or exists (select 1 from penstock.batches)
                  or exists (select 1 from penstock.wait_news))
cross join json_each(:ids) e
cross join penstock.live_jobs j on j.id = e.value
cross join penstock.finished_jobs f on f.id = e.value
where (j.awaited or j.batch is not null) and f.error_class = 'AtMostOnce';
delete from penstock.leases where id in (select value from json_each(:ended));
delete from penstock.live_jobs
where id in (select f.id from json_each(:ids) e cross join penstock.finished_jobs f on f.id = e.value)
returning iif(awaited or batch is not null, -id, id);
