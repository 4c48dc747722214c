-- Jobs that wait, run or have ended, looked after: invalidate, cancel, requeue, progress, pause.

-- name: invalidate
-- dialect: postgres
-- differs: the sequence of jobs gives the number
insert into penstock.tag_marks (tag, number, marked_at)
select tag, nextval('penstock.job_seq'), penstock.now() from (select distinct unnest(:tags::text[]) as tag order by 1) as t
on conflict (tag) do update set number = greatest(excluded.number, penstock.tag_marks.number), marked_at = excluded.marked_at
returning tag;

-- name: invalidate
-- dialect: sqlite
-- differs: a row tells the number, and the one writer need not take it: the next job may have the same
insert into penstock.tag_marks (tag, number, marked_at)
select distinct t.value, (select value + 1 from penstock.sequences where name = 'job'), penstock.now()
from json_each(:tags) t where true
on conflict (tag) do update set number = excluded.number, marked_at = excluded.marked_at
returning tag;

-- name: cancel
-- dialect: postgres
-- differs: one statement with several writes; a claim that has locked the ready row is waited for, and then it runs
-- A ready row stands for at most a hundred jobs (see enqueue.sql), so it begins less than a hundred below; what it stands
-- for besides this job stays ready.
-- Whoever replaces a job locks its key first, so a cancellation does too. A job that lies elsewhere now than this statement
-- sees has changed while it was waited for, with rows that it does not see: then nothing is done, and it is to be asked again.
-- What waits ends as cancelled, or as discarded (`state`); what runs is asked to end if it is to be cancelled.
with met as materialized (
    select key from penstock.unique_keys where key = (select unique_key from penstock.live_jobs where id = :id) for update
), job as materialized (
    select *, ctid as place from penstock.live_jobs where id = :id and (select count(*) from met) >= 0 for update
), here as materialized (
    select id from job where place = (select ctid from penstock.live_jobs where id = :id)
), unready as (
    delete from penstock.ready_jobs r using job
    where exists (select 1 from here) and r.queue = job.queue and r.rank = job.run_at - job.priority * cast(60000 as bigint)
      and r.id > job.id - 100 and r.id <= job.id and r.id + r.jobs > job.id
    returning r.queue, r.rank, r.id, r.jobs
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, jobs)
    select queue, rank, id, :id - id from unready where id < :id
    union all
    select queue, rank, :id + 1, id + jobs - 1 - :id from unready where id + jobs - 1 > :id
), gone as (
    delete from penstock.live_jobs j
    where j.id = :id and exists (select 1 from here) and (j.state <> 'available' or exists (select 1 from unready))
    returning *
), unpending as (
    delete from penstock.pending_jobs p using gone
    where gone.state = 'pending' and p.line = gone.line
      and p.rank = gone.run_at - gone.priority * cast(60000 as bigint) and p.id = gone.id
), told as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select line, 0, run_at - priority * cast(60000 as bigint), (terms::json ->> 'most')::integer,
           (terms::json ->> 'pace_us')::bigint, terms::json ->> 'gates'
    from gone where state = 'pending' and coalesce(waits, 0) = 0
    union all
    select place, 1, null, null, null, null
    from gone cross join lateral (values (line), (also)) as p (place)
    where place is not null and (state = 'available' or state = 'retryable' and in_order)
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error,
                                        line, also, terms, batch)
    select id, case when :keep_ms::bigint <= 86400000 then (penstock.now() + :keep_ms::bigint) / 10800000 % 10
                    when :keep_ms::bigint <= 2764800000 then 10 + (penstock.now() + :keep_ms::bigint) / 345600000 % 10
                    else 20 end,
           task, queue, priority, :state::text, arguments, attempt, max_attempts, run_at, enqueued_at, penstock.now(),
           penstock.now() + :keep_ms::bigint, lease, tags, unique_key,
           case when :state::text = 'cancelled' then 'cancelled' else coalesce(error_class, 'discarded') end,
           case when :state::text = 'cancelled' then :reason::text
                else :reason::text || coalesce(chr(10) || error, '') end, line, also, terms,
           batch
    from gone
    returning id, queue, task, slot
), freed as (
    delete from penstock.unique_keys u using gone
    where gone.unique_key is not null and u.key = gone.unique_key and u.job_id = gone.id
      and not :state::text = any (u.keeps)
), bounded as (
    update penstock.unique_keys u set until = penstock.now() + :keep_ms::bigint from gone
    where gone.unique_key is not null and u.key = gone.unique_key and u.job_id = gone.id
      and :state::text = any (u.keeps) and u.until is null
), waited_for as (
    insert into penstock.wait_news (id, batch, what)
    select id, false, :state::text from gone where awaited
    union all
    select batch, true, :state::text from gone where batch is not null
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, -1 from gone
    union all
    select queue, task, :state::text, slot, 1 from kept
), asked as (
    insert into penstock.cancellations (job_id, asked_at)
    select job.id, penstock.now() from job
    where :state::text = 'cancelled' and exists (select 1 from here) and job.state = 'available' and not exists (select 1 from unready)
    on conflict do nothing
)
select case when not exists (select 1 from here) then 'again' when exists (select 1 from gone) then :state::text
            else 'executing' end
from job;

-- name: cancel
-- dialect: sqlite
-- differs: several statements in one transaction. A job that is both live and finished is the one that is cancelled here;
-- what is live after that, runs.
insert into penstock.cancellations (job_id, asked_at)
select j.id, penstock.now() from penstock.live_jobs j
where j.id = :id and :state = 'cancelled' and j.state = 'available' and not exists (
    select 1 from penstock.ready_jobs r
    where r.queue = j.queue and r.rank = j.run_at - j.priority * 60000 and r.id = j.id
)
on conflict do nothing;
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error,
                                    line, also, terms, batch)
select id, 0, task, queue, priority, :state, arguments, attempt, max_attempts, run_at, enqueued_at, penstock.now(),
       penstock.now() + :keep_ms, lease, tags, unique_key,
       case when :state = 'cancelled' then 'cancelled' else coalesce(error_class, 'discarded') end,
       case when :state = 'cancelled' then :reason else :reason || coalesce(char(10) || error, '') end, line, also, terms,
       batch
from penstock.live_jobs j
where j.id = :id and (j.state <> 'available' or exists (
    select 1 from penstock.ready_jobs r
    where r.queue = j.queue and r.rank = j.run_at - j.priority * 60000 and r.id = j.id
));
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, j.state, 0, -1
from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id
union all
select f.queue, f.task, f.state, 0, 1
from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id;
update penstock.unique_keys set until = coalesce(until, penstock.now() + :keep_ms)
where job_id = :id and key = (
    select j.unique_key from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id
);
delete from penstock.unique_keys
where job_id = :id and key = (
    select j.unique_key from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id
) and not exists (select 1 from json_each(keeps) k where k.value = :state);
delete from penstock.ready_jobs
where (queue, rank, id) in (
    select j.queue, j.run_at - j.priority * 60000, j.id
    from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id
);
delete from penstock.pending_jobs
where (line, rank, id) in (
    select j.line, j.run_at - j.priority * 60000, j.id
    from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id and j.state = 'pending'
);
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select j.line, 0, j.run_at - j.priority * 60000, j.terms ->> 'most', j.terms ->> 'pace_us', j.terms -> 'gates'
from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id
where j.id = :id and j.state = 'pending' and coalesce(j.waits, 0) = 0
union all
select j.line, 1, null, null, null, null
from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id
where j.id = :id and j.line is not null and (j.state = 'available' or j.state = 'retryable' and j.in_order)
union all
select j.also, 1, null, null, null, null
from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id
where j.id = :id and j.also is not null and (j.state = 'available' or j.state = 'retryable' and j.in_order);
insert into penstock.wait_news (id, batch, what)
select j.id, false, :state from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id
where j.id = :id and j.awaited
union all
select j.batch, true, :state from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id
where j.id = :id and j.batch is not null;
delete from penstock.live_jobs
where id = :id and exists (select 1 from penstock.finished_jobs f where f.id = :id);
select case when changes() > 0 then :state else 'executing' end
where changes() > 0 or exists (select 1 from penstock.live_jobs where id = :id);

-- name: requeue
-- dialect: postgres
-- differs: one statement with several writes
with fresh as (
    select nextval('penstock.job_seq') as number
), met as (
    insert into penstock.unique_keys as held (key, job_id, keeps)
    select unique_key, id, '{scheduled,pending,available,executing,retryable}'
    from penstock.finished_jobs where id = :id and unique_key is not null
    on conflict (key) do update
    set job_id = case when held.until <= penstock.now() then excluded.job_id else held.job_id end,
        keeps = case when held.until <= penstock.now() or held.job_id = excluded.job_id then excluded.keeps
                     else held.keeps end,
        until = case when held.until <= penstock.now() or held.job_id = excluded.job_id then null else held.until end
    returning job_id
), gone as (
    delete from penstock.finished_jobs
    where id = :id and not exists (select 1 from met where job_id <> :id)
    returning *
), unkept as (
    delete from penstock.kept_news where job_id in (select id from gone) returning awaited
), forgotten as (
    delete from penstock.cancellations where job_id in (select id from gone)
), undone as (
    delete from penstock.progress where job_id in (select id from gone)
), unrecorded as (
    delete from penstock.job_results where job_id in (select id from gone)
), failure as (
    insert into penstock.attempt_errors (job_id, lease, attempt, failed_at, error_class, error, look_at)
    select id, lease, attempt, finished_at, error_class, error, penstock.now() + 3600000 from gone
    where state = 'discarded' and attempted_at is not null and error_class is not null
    on conflict do nothing
), made as (
    insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, lease,
                                    number, tags, unique_key, line, also, in_order, terms, batch, awaited)
    select id, task, queue, priority, case when line is null then 'available' else 'pending' end, arguments, max_attempts,
           penstock.now(), enqueued_at, lease, number, tags, unique_key, line, also, line like 'serial:%', terms,
           batch, (select awaited from unkept)
    from gone, fresh
    returning id, queue, task, priority, state, run_at, unique_key, line, also, terms
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from made where state = 'available'
), pending as (
    insert into penstock.pending_jobs (line, rank, id, queue)
    select line, run_at - priority * cast(60000 as bigint), id, queue from made where state = 'pending'
), told as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select line, 0, run_at - priority * cast(60000 as bigint), (terms::json ->> 'most')::integer,
           (terms::json ->> 'pace_us')::bigint, terms::json ->> 'gates'
    from made where line is not null
    union all
    select also, 0, run_at - priority * cast(60000 as bigint), (terms::json ->> 'also')::integer, null, null
    from made where also is not null
), goes_on as (
    insert into penstock.wait_news (id, batch, what, n) select batch, true, state, -1 from gone
    where batch is not null and not exists (select 1 from unkept)
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, slot, -1 from gone
    union all
    select queue, task, state, 0, 1 from made
)
select id from made;

-- name: requeue
-- dialect: sqlite
-- differs: several statements in one transaction
update penstock.sequences set value = value + 1 where name = 'job';
delete from penstock.unique_keys
where key = (select unique_key from penstock.finished_jobs where id = :id) and (until <= penstock.now() or job_id = :id);
insert into penstock.unique_keys (key, job_id, keeps)
select unique_key, id, '["scheduled","pending","available","executing","retryable"]'
from penstock.finished_jobs where id = :id and unique_key is not null
on conflict (key) do nothing;
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, lease,
                                number, tags, unique_key, line, also, in_order, terms, batch, awaited)
select f.id, f.task, f.queue, f.priority, case when f.line is null then 'available' else 'pending' end, f.arguments,
       f.max_attempts, penstock.now(), f.enqueued_at, f.lease, (select value from penstock.sequences where name = 'job'),
       f.tags, f.unique_key, f.line, f.also, f.line like 'serial:%', f.terms, f.batch,
       (select k.awaited from penstock.kept_news k where k.job_id = f.id)
from penstock.finished_jobs f left join penstock.unique_keys u on u.key = f.unique_key
where f.id = :id and (f.unique_key is null or u.job_id = f.id);
insert into penstock.count_deltas (queue, task, state, slot, n)
select f.queue, f.task, f.state, 0, -1
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id
union all
select j.queue, j.task, j.state, 0, 1
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select j.queue, j.run_at - j.priority * 60000, j.id, j.unique_key
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id and j.state = 'available';
insert into penstock.pending_jobs (line, rank, id, queue)
select j.line, j.run_at - j.priority * 60000, j.id, j.queue
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id and j.state = 'pending';
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select j.line, 0, j.run_at - j.priority * 60000, j.terms ->> 'most', j.terms ->> 'pace_us', j.terms -> 'gates'
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id and j.line is not null
union all
select j.also, 0, j.run_at - j.priority * 60000, j.terms ->> 'also', null, null
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id and j.also is not null;
insert into penstock.wait_news (id, batch, what, n)
select f.batch, true, f.state, -1
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id and f.batch is not null
  and not exists (select 1 from penstock.kept_news k where k.job_id = f.id);
insert into penstock.attempt_errors (job_id, lease, attempt, failed_at, error_class, error)
select f.id, f.lease, f.attempt, f.finished_at, f.error_class, f.error
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id
where f.id = :id and f.state = 'discarded' and f.attempted_at is not null and f.error_class is not null
on conflict do nothing;
delete from penstock.kept_news
where job_id in (select f.id from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id);
delete from penstock.cancellations
where job_id in (select f.id from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id);
delete from penstock.progress
where job_id in (select f.id from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id);
delete from penstock.job_results
where job_id in (select f.id from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id);
delete from penstock.finished_jobs
where id = :id and exists (select 1 from penstock.live_jobs j where j.id = :id)
returning id;

-- name: progress_save
-- dialect: postgres
-- differs: each dialect takes many rows in its own way; the job's row is locked, so that no other attempt begins in between
-- An attempt that is settled, or whose job went on to another, has a lease that is not above the job's, or no row. One that
-- runs at most once is among the finished jobs while it runs.
with told as materialized (
    select * from unnest(:ids::bigint[], :leases::bigint[], :percents::double precision[], :notes::text[], :cursors::text[])
        as p (id, lease, percent, note, cursor)
), live as materialized (
    select id from penstock.live_jobs where id = any (array (select id from told))
), held as materialized (
    select j.id from penstock.live_jobs j join told t on t.id = j.id
    where j.id = any (array (select id from told)) and j.lease < t.lease
    for share of j skip locked
), once as materialized (
    select t.id from told t cross join lateral (
        select 1 from penstock.finished_jobs
        where id = t.id and lease = t.lease and error_class = 'AtMostOnce' limit (select 1)
    ) as f
    where t.id not in (select id from live)
)
insert into penstock.progress as p (job_id, lease, percent, note, cursor, told_at)
select id, lease, percent, note, cursor, penstock.now() from told
where id in (select id from held union all select id from once) order by id
on conflict (job_id) do update
set lease = excluded.lease, percent = coalesce(excluded.percent, p.percent), note = coalesce(excluded.note, p.note),
    cursor = coalesce(excluded.cursor, p.cursor), told_at = excluded.told_at
where p.lease <= excluded.lease
returning job_id;

-- name: progress_save
-- dialect: sqlite
-- columns: ids leases percents notes cursors
-- differs: each dialect takes many rows in its own way
insert into penstock.progress as p (job_id, lease, percent, note, cursor, told_at)
select t.value ->> 0, t.value ->> 1, t.value ->> 2, t.value ->> 3, t.value ->> 4, penstock.now()
from json_each(:rows) t
where exists (select 1 from penstock.live_jobs j where j.id = t.value ->> 0 and j.lease < t.value ->> 1)
   or exists (
       select 1 from penstock.finished_jobs f
       where f.id = t.value ->> 0 and f.lease = t.value ->> 1 and f.error_class = 'AtMostOnce'
   )
on conflict (job_id) do update
set lease = excluded.lease, percent = coalesce(excluded.percent, p.percent), note = coalesce(excluded.note, p.note),
    cursor = coalesce(excluded.cursor, p.cursor), told_at = excluded.told_at
where p.lease <= excluded.lease
returning job_id;

-- name: progress_cursor
select cursor from penstock.progress where job_id = :id;

-- name: queue_pause
insert into penstock.queues (queue, paused_at) values (:queue, penstock.now())
on conflict (queue) do update set paused_at = excluded.paused_at where penstock.queues.paused_at is null;

-- name: queue_resume
update penstock.queues set paused_at = null where queue = :queue and paused_at is not null;

-- name: queues_paused
select queue from penstock.queues where paused_at is not null order by queue;

-- name: job
select j.id, j.task, j.queue, j.priority, j.state, j.arguments, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
       j.attempted_at, j.finished_at, j.error_class, j.error, p.percent, p.note, p.cursor
from penstock.jobs j left join penstock.progress p on p.job_id = j.id
where j.id = :id;
