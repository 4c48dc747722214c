-- Jobs: enqueue, stage, look after. A waiting job has a row in `live_jobs`, and one in `ready_jobs` while it is available.
-- `rank` is the time at which it became due, less a minute for each point of priority: the order of claims.

-- name: enqueue_one
-- dialect: postgres
-- differs: one statement with several writes; SQLite takes them one after the other
with made as (
    insert into penstock.live_jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    deadline_at)
    values (:task, :queue, :priority,
            case when :run_at::bigint > penstock.now() or :delay_ms > 0 then 'scheduled' else 'available' end, :arguments,
            :max_attempts, coalesce(:run_at::bigint, penstock.now() + :delay_ms), penstock.now(), :tags,
            coalesce(:deadline_at::bigint, penstock.now() + :deadline_ms::bigint))
    returning id, queue, priority, state, run_at
), made_ready as (
    insert into penstock.ready_jobs (queue, rank, id)
    select queue, run_at - priority * cast(60000 as bigint), id from made where state = 'available'
), counted as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select :queue, :task, state, 0, 1 from made
)
select id, told
from made cross join lateral (select case when :tell then pg_notify('penstock', '') end as told) as n;

-- name: enqueue_one
-- dialect: sqlite
-- differs: several statements in one transaction; the new job has the number that the first of them reserves
update penstock.sequences set value = value + 1 where name = 'job';
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                deadline_at)
select value, :task, :queue, :priority,
       case when :run_at > penstock.now() or :delay_ms > 0 then 'scheduled' else 'available' end, :arguments,
       :max_attempts, coalesce(:run_at, penstock.now() + :delay_ms), penstock.now(), :tags,
       coalesce(:deadline_at, penstock.now() + :deadline_ms)
from penstock.sequences where name = 'job';
insert into penstock.ready_jobs (queue, rank, id)
select j.queue, j.run_at - j.priority * 60000, j.id
from penstock.sequences s join penstock.live_jobs j on j.id = s.value
where s.name = 'job' and j.state = 'available';
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, j.state, 0, 1
from penstock.sequences s join penstock.live_jobs j on j.id = s.value where s.name = 'job';
select value as id, :tell as told from penstock.sequences where name = 'job';

-- name: enqueue
-- dialect: postgres
-- differs: one statement with several writes; SQLite takes them one after the other
with shape as materialized (
    select * from rows from (
        json_to_recordset(:shapes::json) as (task text, queue text, priority integer, max_attempts integer, run_at bigint,
                                             delay_ms bigint, tags text[], deadline_at bigint, deadline_ms bigint)
    ) with ordinality as s (task, queue, priority, max_attempts, run_at, delay_ms, tags, deadline_at, deadline_ms, place)
), made as (
    insert into penstock.live_jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    deadline_at)
    select s.task, s.queue, s.priority,
           case when coalesce(s.run_at, penstock.now() + s.delay_ms) > penstock.now() then 'scheduled'
                else 'available' end,
           a.arguments, s.max_attempts, coalesce(s.run_at, penstock.now() + s.delay_ms), penstock.now(), s.tags,
           coalesce(s.deadline_at, penstock.now() + s.deadline_ms)
    from unnest(:shape::integer[], :arguments::text[]) with ordinality as a (place, arguments, position)
    join shape s on s.place = a.place
    order by a.position
    returning id, task, queue, priority, state, run_at
), made_ready as (
    insert into penstock.ready_jobs (queue, rank, id)
    select queue, run_at - priority * cast(60000 as bigint), id from made where state = 'available'
), counted as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, count(*) from made group by queue, task, state
)
select id from made;

-- name: enqueue
-- dialect: sqlite
-- differs: several statements in one transaction; the new jobs have the numbers that the first of them reserves
update penstock.sequences set value = value + json_array_length(:arguments) where name = 'job';
with shape as materialized (
    select key + 1 as place, value ->> 'task' as task, value ->> 'queue' as queue, value ->> 'priority' as priority,
           value ->> 'max_attempts' as max_attempts, value -> 'tags' as tags,
           coalesce(value ->> 'run_at', penstock.now() + (value ->> 'delay_ms')) as run_at,
           coalesce(value ->> 'deadline_at', penstock.now() + (value ->> 'deadline_ms')) as deadline_at
    from json_each(:shapes)
), job as materialized (
    select key, value as place from json_each(:shape)
)
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                deadline_at)
select (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + a.key + 1,
       s.task, s.queue, s.priority, case when s.run_at > penstock.now() then 'scheduled' else 'available' end,
       a.value, s.max_attempts, s.run_at, penstock.now(), s.tags, s.deadline_at
from json_each(:arguments) a
join job on job.key = a.key
join shape s on s.place = job.place
order by a.key;
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, count(*) from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
group by queue, task, state;
insert into penstock.ready_jobs (queue, rank, id)
select queue, run_at - priority * 60000, id from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'available';
select id from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments);

-- name: job_numbers
-- dialect: postgres
-- differs: SQLite has no COPY, and needs no numbers beforehand
select array_agg(nextval('penstock.job_seq') order by n), penstock.now() from generate_series(1, :count) as n;

-- name: job_numbers
-- dialect: sqlite
-- differs: SQLite has no COPY, and needs no numbers beforehand
select 1;

-- name: count_jobs
insert into penstock.count_deltas (queue, task, state, slot, n) values (:queue, :task, :state, 0, :jobs);

-- name: enqueue_unique
-- dialect: postgres
-- differs: the conflict clause locks the key that was met, until the caller's transaction ends, so that the job behind
-- it cannot begin before; SQLite's one writer does as much by itself
with wanted as materialized (
    select s.*, nextval('penstock.job_seq') as id, a.arguments, a.key, a.position
    from unnest(:shape::integer[], :arguments::text[], :keys::text[]) with ordinality as a (place, arguments, key, position)
    join rows from (
        json_to_recordset(:shapes::json) as (task text, queue text, priority integer, max_attempts integer, run_at bigint,
                                             delay_ms bigint, tags text[], deadline_at bigint, deadline_ms bigint,
                                             keeps text[], period_ms bigint)
    ) with ordinality as s (task, queue, priority, max_attempts, run_at, delay_ms, tags, deadline_at, deadline_ms, keeps,
                            period_ms, place) on s.place = a.place
    order by a.position
), taken as (
    insert into penstock.unique_keys as held (key, job_id, keeps, until)
    select distinct on (key) key, id, keeps,
           case when not 'available' = any (keeps) and coalesce(run_at, penstock.now() + delay_ms) <= penstock.now()
                then penstock.now() else penstock.now() + period_ms end
    from wanted where key is not null order by key, id
    on conflict (key) do update
    set (job_id, keeps, until) = (
        select case when over then excluded.job_id else held.job_id end,
               case when over then excluded.keeps else held.keeps end,
               case when over then excluded.until else held.until end
        from (
            select coalesce(held.until <= penstock.now(), false) or exists (
                select 1 from penstock.keys_left l where l.job_id = held.job_id and not l.state = any (held.keeps)
            ) as over
        ) as o
    )
    returning key, job_id
), made as (
    insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    unique_key, deadline_at)
    select w.id, w.task, w.queue, w.priority,
           case when coalesce(w.run_at, penstock.now() + w.delay_ms) > penstock.now() then 'scheduled'
                else 'available' end,
           w.arguments, w.max_attempts, coalesce(w.run_at, penstock.now() + w.delay_ms), penstock.now(), w.tags, w.key,
           coalesce(w.deadline_at, penstock.now() + w.deadline_ms)
    from wanted w left join taken t on t.key = w.key
    where w.key is null or t.job_id = w.id
    returning id, task, queue, priority, state, run_at, unique_key
), made_ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from made where state = 'available'
), counted as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, count(*) from made group by queue, task, state
)
select coalesce(t.job_id, w.id), coalesce(t.job_id <> w.id, false)
from wanted w left join taken t on t.key = w.key
order by w.position;

-- name: enqueue_unique
-- dialect: sqlite
-- differs: see above; a key that has outlived its period goes first
update penstock.sequences set value = value + json_array_length(:arguments) where name = 'job';
delete from penstock.unique_keys where key in (select value from json_each(:keys)) and until <= penstock.now();
with shape as materialized (
    select e.key + 1 as place, e.value -> 'keeps' as keeps,
           case when not exists (select 1 from json_each(e.value -> 'keeps') k where k.value = 'available')
                     and coalesce(e.value ->> 'run_at', penstock.now() + (e.value ->> 'delay_ms')) <= penstock.now()
                then penstock.now() else penstock.now() + (e.value ->> 'period_ms') end as until
    from json_each(:shapes) e
), job as materialized (
    select key, value as place from json_each(:shape)
)
insert into penstock.unique_keys (key, job_id, keeps, until)
select k.value, (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1, s.keeps,
       s.until
from json_each(:keys) k
join job on job.key = k.key
join shape s on s.place = job.place
where k.value is not null
order by k.key
on conflict (key) do nothing;
with shape as materialized (
    select key + 1 as place, value ->> 'task' as task, value ->> 'queue' as queue, value ->> 'priority' as priority,
           value ->> 'max_attempts' as max_attempts, value -> 'tags' as tags,
           coalesce(value ->> 'run_at', penstock.now() + (value ->> 'delay_ms')) as run_at,
           coalesce(value ->> 'deadline_at', penstock.now() + (value ->> 'deadline_ms')) as deadline_at
    from json_each(:shapes)
), job as materialized (
    select key, value as place from json_each(:shape)
), wanted as materialized (
    select key, value as unique_key from json_each(:keys)
)
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                unique_key, deadline_at)
select (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + a.key + 1,
       s.task, s.queue, s.priority, case when s.run_at > penstock.now() then 'scheduled' else 'available' end,
       a.value, s.max_attempts, s.run_at, penstock.now(), s.tags, w.unique_key, s.deadline_at
from json_each(:arguments) a
join job on job.key = a.key
join shape s on s.place = job.place
join wanted w on w.key = a.key
left join penstock.unique_keys u on u.key = w.unique_key
where w.unique_key is null
   or u.job_id = (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + a.key + 1
order by a.key;
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, count(*) from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
group by queue, task, state;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'available';
select coalesce(u.job_id, (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1),
       coalesce(u.job_id <> (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1, false)
from json_each(:keys) k
left join penstock.unique_keys u on u.key = k.value
order by k.key;

-- name: stage
-- dialect: postgres
-- differs: rows that another stager has locked are skipped, and so is what lies below `after`: dead rows
-- `(select penstock.now())` is asked once, so that the index can be entered with it; a function that may change with every
-- row would be held against every row.
with due as materialized (
    select id, state as was from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after and run_at <= (select penstock.now())
    order by run_at
    limit (select :count)
    for update skip locked
), staged as (
    update penstock.live_jobs j set state = 'available' from due
    where j.id = any (array (select id from due)) and j.id = due.id
    returning j.id, j.queue, j.task, j.run_at, j.priority, j.unique_key, due.was
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from staged
), keyed as materialized (
    select id, unique_key as key, 'available' as state, cast(null as bigint) as until from staged where unique_key is not null
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
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, was, 0, -count(*) from staged group by queue, task, was
    union all
    select queue, task, 'available', 0, count(*) from staged group by queue, task
)
select queue from staged;

-- name: stage
-- dialect: sqlite
-- differs: several statements in one transaction, each about the same rows: those due when the first of them noted the
-- time, which goes on from one to the next
insert into penstock.sequences (name, value) values ('stage', penstock.now())
on conflict (name) do update set value = excluded.value;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from penstock.live_jobs
where state in ('scheduled', 'retryable') and run_at >= :after
  and run_at <= (select value from penstock.sequences where name = 'stage')
order by run_at, id
limit (select :count);
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, -count(*) from (
    select queue, task, state from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) group by queue, task, state
union all
select queue, task, 'available', 0, count(*) from (
    select queue, task from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) group by queue, task;
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and job_id in (
    select id from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) and not exists (select 1 from json_each(keeps) where value = 'available');
update penstock.live_jobs set state = 'available'
where id in (
    select id from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
)
returning queue;

-- name: next_due
-- When the first job is due of those not due before `after`, and the time now. What was staged lies below `after`.
select min(run_at), (select penstock.now()) from penstock.live_jobs
where state in ('scheduled', 'retryable') and run_at >= :after;

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
with job as materialized (
    select * from penstock.live_jobs where id = :id for update
), unready as (
    delete from penstock.ready_jobs r using job
    where r.queue = job.queue and r.rank = job.run_at - job.priority * cast(60000 as bigint) and r.id = job.id
    returning r.id
), gone as (
    delete from penstock.live_jobs j
    where j.id = :id and (j.state <> 'available' or exists (select 1 from unready))
    returning *
), kept as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error)
    select id, case when :keep_ms::bigint <= 86400000 then (penstock.now() + :keep_ms::bigint) / 10800000 % 10
                    when :keep_ms::bigint <= 2764800000 then 10 + (penstock.now() + :keep_ms::bigint) / 345600000 % 10
                    else 20 end,
           task, queue, priority, 'cancelled', arguments, attempt, max_attempts, run_at, enqueued_at, penstock.now(),
           penstock.now() + :keep_ms::bigint, lease, tags, unique_key, 'cancelled', :reason::text
    from gone
    returning id, queue, task, slot
), freed as (
    delete from penstock.unique_keys u using gone
    where gone.unique_key is not null and u.key = gone.unique_key and u.job_id = gone.id
      and not 'cancelled' = any (u.keeps)
), bounded as (
    update penstock.unique_keys u set until = penstock.now() + :keep_ms::bigint from gone
    where gone.unique_key is not null and u.key = gone.unique_key and u.job_id = gone.id
      and 'cancelled' = any (u.keeps) and u.until is null
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, -1 from gone
    union all
    select queue, task, 'cancelled', slot, 1 from kept
), asked as (
    insert into penstock.cancellations (job_id, asked_at)
    select job.id, penstock.now() from job where job.state = 'available' and not exists (select 1 from unready)
    on conflict do nothing
)
select case when exists (select 1 from gone) then 'cancelled' else 'executing' end from job;

-- name: cancel
-- dialect: sqlite
-- differs: several statements in one transaction. A job that is both live and finished is the one that is cancelled here;
-- what is live after that, runs.
insert into penstock.cancellations (job_id, asked_at)
select j.id, penstock.now() from penstock.live_jobs j
where j.id = :id and j.state = 'available' and not exists (
    select 1 from penstock.ready_jobs r
    where r.queue = j.queue and r.rank = j.run_at - j.priority * 60000 and r.id = j.id
)
on conflict do nothing;
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error)
select id, 0, task, queue, priority, 'cancelled', arguments, attempt, max_attempts, run_at, enqueued_at, penstock.now(),
       penstock.now() + :keep_ms, lease, tags, unique_key, 'cancelled', :reason
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
) and not exists (select 1 from json_each(keeps) k where k.value = 'cancelled');
delete from penstock.ready_jobs
where (queue, rank, id) in (
    select j.queue, j.run_at - j.priority * 60000, j.id
    from penstock.live_jobs j join penstock.finished_jobs f on f.id = j.id where j.id = :id
);
delete from penstock.live_jobs
where id = :id and exists (select 1 from penstock.finished_jobs f where f.id = :id);
select case when changes() > 0 then 'cancelled' else 'executing' end
where changes() > 0 or exists (select 1 from penstock.live_jobs where id = :id);

-- name: cancellations
select job_id from penstock.cancellations;

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
), forgotten as (
    delete from penstock.cancellations where job_id in (select id from gone)
), made as (
    insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, lease,
                                    number, tags, unique_key)
    select id, task, queue, priority, 'available', arguments, max_attempts, penstock.now(), enqueued_at, lease, number,
           tags, unique_key
    from gone, fresh
    returning id, queue, task, priority, run_at, unique_key
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from made
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, slot, -1 from gone
    union all
    select queue, task, 'available', 0, 1 from made
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
                                number, tags, unique_key)
select f.id, f.task, f.queue, f.priority, 'available', f.arguments, f.max_attempts, penstock.now(), f.enqueued_at, f.lease,
       (select value from penstock.sequences where name = 'job'), f.tags, f.unique_key
from penstock.finished_jobs f left join penstock.unique_keys u on u.key = f.unique_key
where f.id = :id and (f.unique_key is null or u.job_id = f.id);
insert into penstock.count_deltas (queue, task, state, slot, n)
select f.queue, f.task, f.state, 0, -1
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id
union all
select j.queue, j.task, 'available', 0, 1
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select j.queue, j.run_at - j.priority * 60000, j.id, j.unique_key
from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id;
delete from penstock.cancellations
where job_id in (select f.id from penstock.finished_jobs f join penstock.live_jobs j on j.id = f.id where f.id = :id);
delete from penstock.finished_jobs
where id = :id and exists (select 1 from penstock.live_jobs j where j.id = :id)
returning id;

-- name: at_most_once_end
-- dialect: postgres
-- differs: one statement with several writes; the job moves to the slot of what it came to
-- Only what has not been told yet: `AtMostOnce` is what a job says that has begun.
with was as materialized (
    select id, slot, queue, task, state from penstock.finished_jobs
    where id = :id and lease = :lease and error_class = 'AtMostOnce'
    for update
), told as (
    update penstock.finished_jobs f
    set state = :state, finished_at = penstock.now(), attempted_at = penstock.now() - :took_ms::bigint,
        prune_at = penstock.now() + :keep_ms::bigint, error_class = :error_class, error = :error,
        slot = case when :keep_ms::bigint <= 86400000 then (penstock.now() + :keep_ms::bigint) / 10800000 % 10
                    when :keep_ms::bigint <= 2764800000 then 10 + (penstock.now() + :keep_ms::bigint) / 345600000 % 10
                    else 20 end
    from was
    where f.id = was.id and f.slot = was.slot
    returning f.id, f.slot, f.queue, f.task, f.state
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, slot, -1 from was
    union all
    select queue, task, state, slot, 1 from told
)
select id from told;

-- name: at_most_once_end
-- dialect: sqlite
-- differs: several statements in one transaction
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, -1 from penstock.finished_jobs
where id = :id and lease = :lease and error_class = 'AtMostOnce'
union all
select queue, task, :state, 0, 1 from penstock.finished_jobs
where id = :id and lease = :lease and error_class = 'AtMostOnce';
update penstock.finished_jobs
set state = :state, finished_at = penstock.now(), attempted_at = penstock.now() - :took_ms,
    prune_at = penstock.now() + :keep_ms, error_class = :error_class, error = :error
where id = :id and lease = :lease and error_class = 'AtMostOnce'
returning id;

-- name: progress_save
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
insert into penstock.progress (job_id, percent, note, told_at)
select id, percent, note, penstock.now() from unnest(:ids::bigint[], :percents::double precision[], :notes::text[])
    as p (id, percent, note)
on conflict (job_id) do update
set percent = excluded.percent, note = excluded.note, told_at = excluded.told_at
returning job_id;

-- name: progress_save
-- dialect: sqlite
-- columns: ids percents notes
-- differs: each dialect takes many rows in its own way
insert into penstock.progress (job_id, percent, note, told_at)
select value ->> 0, value ->> 1, value ->> 2, penstock.now() from json_each(:rows) where true
on conflict (job_id) do update
set percent = excluded.percent, note = excluded.note, told_at = excluded.told_at
returning job_id;

-- name: queue_pause
insert into penstock.queues (queue, paused_at) values (:queue, penstock.now())
on conflict (queue) do update set paused_at = coalesce(penstock.queues.paused_at, excluded.paused_at);

-- name: queue_resume
update penstock.queues set paused_at = null where queue = :queue;

-- name: queues_paused
select queue from penstock.queues where paused_at is not null order by queue;

-- name: job
select j.id, j.task, j.queue, j.priority, j.state, j.arguments, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
       j.attempted_at, j.finished_at, j.error_class, j.error, p.percent, p.note
from penstock.jobs j left join penstock.progress p on p.job_id = j.id
where j.id = :id;
