-- Enqueue: a waiting job has a row in `live_jobs`, and one in `ready_jobs` while it is available.
-- `rank` is the time at which it became due, less a minute for each point of priority: the order of claims.
-- On PostgreSQL a ready row stands for `jobs` jobs of one rank with consecutive ids, of which `id` is the first: as many as
-- a hundred where they were enqueued in bulk. So each costs little to make ready and to claim; a claim or a cancellation
-- that takes some of them cuts the row.

-- name: enqueue_one
-- dialect: postgres
-- differs: one statement with several writes; SQLite takes them one after the other
with due as materialized (
    select at, coalesce(:run_at::bigint, at + :delay_ms::bigint) as run_at,
           coalesce(:deadline_at::bigint, at + :deadline_ms::bigint) as deadline_at
    from (select penstock.now() as at) as clock
), made as (
    insert into penstock.live_jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    deadline_at)
    select :task, :queue, :priority::integer, case when run_at > at then 'scheduled' else 'available' end, :arguments,
           :max_attempts::integer, run_at, at, :tags::text[], deadline_at
    from due
    returning id, queue, task, priority, state, run_at
), made_ready as (
    insert into penstock.ready_jobs (queue, rank, id)
    select queue, run_at - priority * cast(60000 as bigint), id from made where state = 'available'
), counted as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, 1 from made
)
select id from made where not :tell::boolean or pg_notify('penstock', '') is not null;

-- name: enqueue_one
-- dialect: sqlite
-- differs: several statements in one transaction; the new job has the number that the first of them reserves. Whoever
-- listens looks at the file, so nobody is told.
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
select value from penstock.sequences where name = 'job' and :tell is not null;

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

-- name: job_range
-- dialect: postgres
-- differs: SQLite has no COPY, and needs no numbers beforehand. What lies between is ours where nobody else drew one.
select min(id), max(id), penstock.now()
from (select nextval('penstock.job_seq') as id from generate_series(1, :count) offset 0) as drawn;

-- name: job_range
-- dialect: sqlite
-- differs: SQLite has no COPY, and needs no numbers beforehand
select 1;

-- name: job_numbers
-- dialect: postgres
-- differs: SQLite has no sequences of its own
select nextval('penstock.job_seq') as id from generate_series(1, :count);

-- name: job_numbers
-- dialect: sqlite
-- differs: SQLite has no sequences of its own
update penstock.sequences set value = value + :count where name = 'job';
with recursive drawn (id, last) as (
    select value - :count + 1, value from penstock.sequences where name = 'job'
    union all
    select id + 1, last from drawn where id < last
)
select id from drawn;

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
-- differs: see above; a key that has outlived its period goes first. Cross joins keep their order: in another one a list is
-- read once for each of another's
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
cross join job on job.key = a.key
cross join shape s on s.place = job.place
cross join wanted w on w.key = a.key
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
