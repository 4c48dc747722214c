-- Keyed jobs: enqueued into their lines, and places that are kept beyond a settle. A job with a line waits as pending, by
-- a row of `pending_jobs`; what happens to a line is inserted as news of it, one row for each line and statement, and the
-- dispatcher folds that into `lines`, which nobody else touches. News with `freed` 0 carries the terms of its line, and the
-- lowest rank that came; news with more says nothing of them.
-- It is the general statement, for whatever jobs are not plain. `ids` are the numbers of jobs that had to be known before,
-- all or none of them.

-- name: enqueue_keyed
-- dialect: postgres
-- differs: as `enqueue_unique`, which it is for jobs of which some have a line
with edge as materialized (
    select * from json_to_recordset(:waits::json) as e (place bigint, on_place bigint, on_id bigint, anyway boolean)
), wanted as materialized (
    select s.*, coalesce(a.id, nextval('penstock.job_seq')) as id, a.arguments, a.key, a.line, a.also, a.terms, a.position
    from unnest(:shape::integer[], :arguments::text[], :keys::text[], :lines::text[], :alsos::text[], :terms::text[],
                :ids::bigint[])
        with ordinality as a (place, arguments, key, line, also, terms, id, position)
    join rows from (
        json_to_recordset(:shapes::json) as (task text, queue text, priority integer, max_attempts integer, run_at bigint,
                                             delay_ms bigint, tags text[], deadline_at bigint, deadline_ms bigint,
                                             keeps text[], period_ms bigint, batch bigint)
    ) with ordinality as s (task, queue, priority, max_attempts, run_at, delay_ms, tags, deadline_at, deadline_ms, keeps,
                            period_ms, batch, place) on s.place = a.place
    order by a.position
), taken as (
    insert into penstock.unique_keys as held (key, job_id, keeps, until)
    select distinct on (key) key, id, keeps,
           case when not case when line is null and position not in (select place from edge) then 'available' else 'pending' end = any (keeps)
                     and coalesce(run_at, penstock.now() + delay_ms) <= penstock.now()
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
), wait as materialized (
    select distinct on (w.id, coalesce(e.on_id, t.job_id, o.id)) w.id as job_id, coalesce(e.on_id, t.job_id, o.id) as on_id,
           e.anyway
    from edge e
    join wanted w on w.position = e.place
    left join wanted o on o.position = e.on_place
    left join taken t on t.key = o.key
    where coalesce(e.on_id, t.job_id, o.id) <> w.id
), held as materialized (
    select job_id, count(*)::integer as waits from wait group by job_id
), made as (
    insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    unique_key, deadline_at, line, also, in_order, terms, batch, awaited, waits)
    select w.id, w.task, w.queue, w.priority,
           case when h.waits > 0 then 'pending'
                when coalesce(w.run_at, penstock.now() + w.delay_ms) > penstock.now() then 'scheduled'
                when w.line is null then 'available' else 'pending' end,
           w.arguments, w.max_attempts, coalesce(w.run_at, penstock.now() + w.delay_ms), penstock.now(), w.tags, w.key,
           coalesce(w.deadline_at, penstock.now() + w.deadline_ms), w.line, w.also, w.line like 'serial:%', w.terms,
           w.batch, case when a.on_id is not null then true end, h.waits
    from wanted w left join taken t on t.key = w.key left join held h on h.job_id = w.id
    left join (select distinct on_id from wait) a on a.on_id = w.id
    where w.key is null or t.job_id = w.id
    returning id, task, queue, priority, state, run_at, unique_key, line, also, terms, batch, waits
), made_ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from made where state = 'available'
), made_pending as (
    insert into penstock.pending_jobs (line, rank, id, queue)
    select line, run_at - priority * cast(60000 as bigint), id, queue from made where state = 'pending' and waits is null
), told as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select line, 0, rank, (terms ->> 'most')::integer, (terms ->> 'pace_us')::bigint, terms ->> 'gates'
    from (
        select distinct on (line) line, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from made
        where state = 'pending' and waits is null order by line, 2
    ) as n
    union all
    select also, 0, rank, (terms ->> 'also')::integer, null, null
    from (
        select distinct on (also) also, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from made
        where state = 'pending' and waits is null and also is not null order by also, 2
    ) as n
), waited as (
    insert into penstock.job_waits (on_id, job_id, anyway)
    select on_id, job_id, anyway from wait where job_id in (select id from made)
), waited_for as (
    insert into penstock.wait_news (id, batch, what, n)
    select distinct on_id, false, 'asked', 1 from wait
    where job_id in (select id from made) and on_id not in (select id from made)
      and on_id not in (select (value ->> 'id')::bigint from json_array_elements(:batches::json))
    union all
    select batch, true, 'added', count(*) from made where batch is not null group by batch
    union all
    select (value ->> 'id')::bigint, true, value ->> 'what', 1 from json_array_elements(:batches::json)
), counted as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, count(*) from made group by queue, task, state
)
select coalesce(t.job_id, w.id), coalesce(t.job_id <> w.id, false)
from wanted w left join taken t on t.key = w.key
order by w.position;

-- name: enqueue_keyed
-- dialect: sqlite
-- differs: see above; a key that has outlived its period goes first. Where `ids` are given, they are what `job_numbers`
-- drew just before in this transaction: nobody can have drawn any since.
update penstock.sequences set value = value + json_array_length(:arguments) where name = 'job' and :ids is null;
delete from penstock.unique_keys where key in (select value from json_each(:keys)) and until <= penstock.now();
with shape as materialized (
    select e.key + 1 as place, e.value -> 'keeps' as keeps,
           coalesce(e.value ->> 'run_at', penstock.now() + (e.value ->> 'delay_ms')) <= penstock.now() as due,
           penstock.now() + (e.value ->> 'period_ms') as until
    from json_each(:shapes) e
), job as materialized (
    select key, value as place from json_each(:shape)
), line as materialized (
    select key, value is not null or key + 1 in (select value ->> 'place' from json_each(:waits)) as there
    from json_each(:lines)
)
insert into penstock.unique_keys (key, job_id, keeps, until)
select k.value, (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1, s.keeps,
       case when s.due and not exists (select 1 from json_each(s.keeps) e where e.value = iif(line.there, 'pending', 'available'))
            then penstock.now() else s.until end
from json_each(:keys) k
join job on job.key = k.key
join shape s on s.place = job.place
join line on line.key = k.key
where k.value is not null
order by k.key
on conflict (key) do nothing;
with first as materialized (
    select value - json_array_length(:arguments) as id from penstock.sequences where name = 'job'
), taken as materialized (
    select k.key + 1 as place, u.job_id from json_each(:keys) k cross join penstock.unique_keys u on u.key = k.value
), wait as materialized (
    select first.id + (e.value ->> 'place') as job_id, t.job_id as taken,
           coalesce(e.value ->> 'on_id', o.job_id, first.id + (e.value ->> 'on_place')) as on_id,
           e.value ->> 'anyway' as anyway
    from first cross join json_each(:waits) e
    left join taken t on t.place = e.value ->> 'place'
    left join taken o on o.place = e.value ->> 'on_place'
)
insert into penstock.job_waits (on_id, job_id, anyway)
select on_id, job_id, anyway from wait where coalesce(taken, job_id) = job_id and on_id <> job_id
on conflict do nothing;
with shape as materialized (
    select key + 1 as place, value ->> 'task' as task, value ->> 'queue' as queue, value ->> 'priority' as priority,
           value ->> 'max_attempts' as max_attempts, value -> 'tags' as tags, value ->> 'batch' as batch,
           coalesce(value ->> 'run_at', penstock.now() + (value ->> 'delay_ms')) as run_at,
           coalesce(value ->> 'deadline_at', penstock.now() + (value ->> 'deadline_ms')) as deadline_at
    from json_each(:shapes)
), job as materialized (
    select key, value as place from json_each(:shape)
), wanted as materialized (
    select key, value as unique_key from json_each(:keys)
), line as materialized (
    select key, value as line from json_each(:lines)
), also as materialized (
    select key, value as also from json_each(:alsos)
), term as materialized (
    select key, value as terms from json_each(:terms)
)
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                unique_key, deadline_at, line, also, in_order, terms, batch)
select (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + a.key + 1,
       s.task, s.queue, s.priority,
       case when s.run_at > penstock.now() then 'scheduled' when line.line is null then 'available' else 'pending' end,
       a.value, s.max_attempts, s.run_at, penstock.now(), s.tags, w.unique_key, s.deadline_at, line.line, also.also,
       line.line like 'serial:%', term.terms, s.batch
from json_each(:arguments) a
join job on job.key = a.key
join shape s on s.place = job.place
join wanted w on w.key = a.key
join line on line.key = a.key
join also on also.key = a.key
join term on term.key = a.key
left join penstock.unique_keys u on u.key = w.unique_key
where w.unique_key is null
   or u.job_id = (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + a.key + 1
order by a.key;
update penstock.live_jobs
set waits = (select count(*) from penstock.job_waits w where w.job_id = penstock.live_jobs.id), state = 'pending'
where id in (
    select job_id from penstock.job_waits
    where job_id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
);
update penstock.live_jobs set awaited = true
where id in (
    select on_id from penstock.job_waits
    where on_id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
);
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, count(*) from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
group by queue, task, state;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'available';
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select line, 0, rank, terms ->> 'most', terms ->> 'pace_us', terms -> 'gates' from (
    select line, terms, min(run_at - priority * 60000) as rank from penstock.live_jobs
    where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'pending'
      and waits is null
    group by line
)
union all
select also, 0, rank, terms ->> 'also', null, null from (
    select also, terms, min(run_at - priority * 60000) as rank from penstock.live_jobs
    where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'pending'
      and waits is null and also is not null
    group by also
);
insert into penstock.pending_jobs (line, rank, id, queue)
select line, run_at - priority * 60000, id, queue from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and state = 'pending'
  and waits is null;
with wait as materialized (
    select on_id from penstock.job_waits
    where job_id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
)
insert into penstock.wait_news (id, batch, what, n)
select distinct on_id, false, 'asked', 1 from wait
where on_id not in (
      select id from penstock.live_jobs
      where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments)
  )
  and on_id not in (select value ->> 'id' from json_each(:batches))
union all
select batch, true, 'added', count(*) from penstock.live_jobs
where id > (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) and batch is not null
group by batch
union all
select value ->> 'id', true, value ->> 'what', 1 from json_each(:batches);
select coalesce(u.job_id, (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1),
       coalesce(u.job_id <> (select value from penstock.sequences where name = 'job') - json_array_length(:arguments) + k.key + 1, false)
from json_each(:keys) k
left join penstock.unique_keys u on u.key = k.value
order by k.key;

-- name: places_are_kept
select exists (select 1 from penstock.kept_places);

-- name: places_lost
-- dialect: postgres
-- differs: one statement with several writes
-- The places of jobs that were settled before they ran, and of which nobody will say how they ended.
with lost as (
    delete from penstock.kept_places k
    where not exists (select 1 from penstock.leases l where l.id = k.lease)
    returning line, also
)
insert into penstock.line_news (line, freed)
select place, count(*) from (
    select line as place from lost
    union all
    select also from lost where also is not null
) as p
group by place
returning line;

-- name: places_lost
-- dialect: sqlite
-- differs: several statements in one transaction
insert into penstock.line_news (line, freed)
select place, count(*) from (
    select line as place, lease from penstock.kept_places
    union all
    select also, lease from penstock.kept_places where also is not null
) as p
where not exists (select 1 from penstock.leases l where l.id = p.lease)
group by place;
delete from penstock.kept_places
where not exists (select 1 from penstock.leases l where l.id = penstock.kept_places.lease)
returning line;
