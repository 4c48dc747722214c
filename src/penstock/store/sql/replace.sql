-- Replace: jobs that were met by an enqueue with their unique keys. It runs after `enqueue_unique` or `enqueue_keyed` has
-- locked the keys, and in the same transaction, so that it sees what every claim before did, and no claim comes in between:
-- * one that waits is made what is wished, and counts as new; its rows elsewhere move with it;
-- * one that executes loses its key to a new job, which waits until it has ended; its own row is left alone, so that whoever
--   settles it waits for nobody;
-- * one that has ended, and keeps its key still, stays as it is.
-- Gives the key, the job and what became of it of all that it knows; what is left out changed while it looked (the job was
-- staged, or cancelled, or the key was not held before), and is to be enqueued once more.

-- name: enqueue_replace
-- dialect: postgres
-- differs: one statement with several writes. The row of a job that waits is locked before it is believed: one that lies
-- elsewhere than it was seen was changed since. A ready row that is really deleted proves that nobody has claimed it. Keys
-- and wishes are looked up one by one, since joins of unknown sizes would compare each with each
with at as materialized (
    select penstock.now() as now
), wish as materialized (
    select w.key, w.met, w.id, w.arguments, coalesce(w.behind, w.arguments) as behind, w.line, w.also, w.terms, w.keep,
           w.task, w.queue, w.priority, w.max_attempts, w.tags, w.keeps, w.batch,
           coalesce(w.run_at, now + w.delay_ms) as run_at, coalesce(w.deadline_at, now + w.deadline_ms) as deadline_at,
           now + w.period_ms as until
    from at, json_to_recordset(:wishes::json) as w (
        key text, met bigint, id bigint, arguments text, behind text, line text, also text, terms text, keep boolean,
        task text, queue text, priority integer, max_attempts integer, run_at bigint, delay_ms bigint, tags text[],
        deadline_at bigint, deadline_ms bigint, keeps text[], period_ms bigint, batch bigint)
    order by w.key
), held as materialized (
    select w.* from wish w cross join lateral (
        select job_id, keeps, until from penstock.unique_keys where key = w.key limit (select 1) for no key update
    ) u
    where u.job_id = w.met and (u.until is null or u.until > (select now from at)) and not exists (
        select 1 from penstock.keys_left l where l.job_id = w.met and not l.state = any (u.keeps)
    )
), seen as materialized (
    select h.*, j.place, j.state, j.was_queue, j.was_rank, j.was_run_at, j.was_line, j.was_also, j.was_terms, j.in_order,
           j.waits, r.place as ready_place
    from held h cross join lateral (
        select ctid as place, state, queue as was_queue, run_at - priority * cast(60000 as bigint) as was_rank,
               run_at as was_run_at, line as was_line, also as was_also, terms as was_terms, in_order, waits
        from penstock.live_jobs where id = h.met limit (select 1)
    ) j
    left join lateral (
        select ctid as place from penstock.ready_jobs
        where j.state = 'available' and queue = j.was_queue and rank = j.was_rank and id = h.met limit (select 1)
    ) r on true
), unready as (
    delete from penstock.ready_jobs
    where ctid = any (array (select ready_place from seen where ready_place is not null))
    returning id
), waiting as materialized (
    select s.*, coalesce(s.waits > 0, false) as is_held, case when s.keep then s.was_run_at else s.run_at end as due_at,
           p.place as pending_place
    from (select * from seen where state <> 'available' or met in (select id from unready) offset 0) s cross join lateral (
        select ctid as place from penstock.live_jobs where id = s.met limit (select 1) for update
    ) l
    left join lateral (
        select ctid as place from penstock.pending_jobs
        where s.state = 'pending' and line = s.was_line and rank = s.was_rank and id = s.met limit (select 1)
    ) p on true
    where s.state = 'available' or l.place = s.place
), moved as (
    update penstock.live_jobs j
    set queue = w.queue, priority = w.priority, arguments = w.arguments, attempt = 0, lost = 0, max_attempts = w.max_attempts,
        state = case when w.is_held then 'pending' when w.due_at > (select now from at) then 'scheduled'
                     when w.line is null then 'available' else 'pending' end,
        run_at = w.due_at, enqueued_at = (select now from at), number = nextval('penstock.job_seq'), tags = w.tags,
        deadline_at = w.deadline_at, error_class = null, error = null, line = w.line, also = w.also,
        in_order = w.line like 'serial:%', terms = w.terms
    from waiting w
    where j.id = any (array (select met from waiting)) and j.id = w.met
    returning j.id, j.queue, j.task, j.state, j.run_at - j.priority * cast(60000 as bigint) as rank, j.unique_key, j.line, j.also,
              j.terms, w.is_held, w.keeps, w.until, w.state as was, w.was_queue, w.was_rank, w.was_line, w.was_also, w.was_terms,
              w.in_order as was_in_order
), behind as materialized (
    select s.*, coalesce(s.id, nextval('penstock.job_seq')) as new_id from seen s
    where s.state = 'available' and s.ready_place is null
), made as (
    insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                    unique_key, deadline_at, line, also, in_order, terms, batch, waits)
    select new_id, task, queue, priority, 'pending', behind, max_attempts, run_at, (select now from at), tags, key, deadline_at,
           line, also, line like 'serial:%', terms, batch, 1
    from behind
), waits as (
    insert into penstock.job_waits (on_id, job_id, anyway) select met, new_id, true from behind
), asked as (
    insert into penstock.wait_news (id, batch, what, n)
    select met, false, 'asked', 1 from behind
    union all
    select batch, true, 'added', count(*) from behind where batch is not null group by batch
), keys as (
    insert into penstock.unique_keys (key, job_id, keeps, until)
    select key, job_id, keeps, case when state = any (keeps) then until else (select now from at) end
    from (
        select unique_key as key, id as job_id, keeps, until, state from moved
        union all
        select key, new_id, keeps, until, 'pending' from behind
        order by 1
    ) as k
    on conflict (key) do update set job_id = excluded.job_id, keeps = excluded.keeps, until = excluded.until
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, rank, id, unique_key from moved where state = 'available'
), unpending as (
    delete from penstock.pending_jobs
    where ctid = any (array (select pending_place from waiting where pending_place is not null))
    returning id
), pending as (
    -- After the old rows are gone, which may be the same.
    insert into penstock.pending_jobs (line, rank, id, queue)
    select line, rank, id, queue from moved
    where state = 'pending' and not is_held and (select count(*) from unpending) >= 0
), told as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select was_line, 0, was_rank, (was_terms::json ->> 'most')::integer, (was_terms::json ->> 'pace_us')::bigint,
           was_terms::json ->> 'gates'
    from moved where was = 'pending' and not is_held
    union all
    select place, 1, null, null, null, null
    from moved cross join lateral (values (was_line), (was_also)) as p (place)
    where place is not null and (was = 'available' or was = 'retryable' and was_in_order)
    union all
    select line, 0, rank, (terms::json ->> 'most')::integer, (terms::json ->> 'pace_us')::bigint, terms::json ->> 'gates'
    from moved where state = 'pending' and not is_held
    union all
    select also, 0, rank, (terms::json ->> 'also')::integer, null, null
    from moved where state = 'pending' and not is_held and also is not null
), forgotten as (
    delete from penstock.cancellations where job_id = any (array (select id from moved))
), begun_anew as (
    delete from penstock.progress where job_id = any (array (select id from moved))
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, 0, sum(n) from (
        select was_queue as queue, task, was as state, -1 as n from moved
        union all
        select queue, task, state, 1 from moved
        union all
        select queue, task, 'pending', 1 from behind
    ) as c
    group by queue, task, state having sum(n) <> 0
)
select unique_key as key, id, 'replaced' as became from moved
union all
select key, new_id, 'behind' from behind
union all
select key, met, 'ended' from held
where not exists (select 1 from penstock.live_jobs j where j.id = held.met);

-- name: enqueue_replace
-- dialect: sqlite
-- differs: several statements in one transaction, and one writer. What the jobs that are put behind others have is the
-- next numbers, so each wish whose number is that of a job was put behind one; the others have theirs as their number. One
-- that waits in its line is shown as scheduled in between, so that what is pending waits for others
update penstock.sequences set value = value + json_array_length(:wishes)
where name = 'job' and json_extract(:wishes, '$[0].id') is null;
with wish as materialized (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
)
insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags,
                                unique_key, deadline_at, line, also, in_order, terms, batch, waits)
select wish.id, w ->> 'task', w ->> 'queue', w ->> 'priority', 'pending', coalesce(w ->> 'behind', w ->> 'arguments'),
       w ->> 'max_attempts', coalesce(w ->> 'run_at', penstock.now() + (w ->> 'delay_ms')), penstock.now(),
       iif(w ->> 'tags' is null, null, w -> 'tags'), w ->> 'key',
       coalesce(w ->> 'deadline_at', penstock.now() + (w ->> 'deadline_ms')), w ->> 'line', w ->> 'also',
       w ->> 'line' like 'serial:%', w ->> 'terms', w ->> 'batch', 1
from wish cross join penstock.live_jobs j on j.id = w ->> 'met'
where j.state = 'available' and not exists (
    select 1 from penstock.ready_jobs r where r.queue = j.queue and r.rank = j.run_at - j.priority * 60000 and r.id = j.id
);
with wish as materialized (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
)
insert into penstock.job_waits (on_id, job_id, anyway)
select w ->> 'met', wish.id, true from wish cross join penstock.live_jobs j on j.id = wish.id;
with wish as materialized (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
)
insert into penstock.wait_news (id, batch, what, n)
select w ->> 'met', false, 'asked', 1 from wish cross join penstock.live_jobs j on j.id = wish.id
union all
select j.batch, true, 'added', count(*) from wish cross join penstock.live_jobs j on j.id = wish.id
where j.batch is not null group by j.batch;
with wish as materialized (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
)
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, j.state, 0, -count(*)
from wish cross join penstock.live_jobs j on j.id = w ->> 'met'
where not exists (select 1 from penstock.live_jobs b where b.id = wish.id)
group by j.queue, j.task, j.state
union all
select j.queue, j.task, 'pending', 0, count(*) from wish cross join penstock.live_jobs j on j.id = wish.id
group by j.queue, j.task;
with moving as materialized (
    select j.* from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met
    where not exists (select 1 from penstock.live_jobs b where b.id = w.id)
)
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select line, 0, run_at - priority * 60000, terms ->> 'most', terms ->> 'pace_us', terms -> 'gates'
from moving where state = 'pending' and coalesce(waits, 0) = 0
union all
select line, 1, null, null, null, null from moving
where line is not null and (state = 'available' or state = 'retryable' and in_order)
union all
select also, 1, null, null, null, null from moving
where also is not null and (state = 'available' or state = 'retryable' and in_order);
delete from penstock.ready_jobs where (queue, rank, id) in (
    select j.queue, j.run_at - j.priority * 60000, j.id
    from json_each(:wishes) w cross join penstock.live_jobs j on j.id = w.value ->> 'met'
    where j.state = 'available'
);
delete from penstock.pending_jobs where (line, rank, id) in (
    select j.line, j.run_at - j.priority * 60000, j.id
    from json_each(:wishes) w cross join penstock.live_jobs j on j.id = w.value ->> 'met'
    where j.state = 'pending' and coalesce(j.waits, 0) = 0
);
with wish as materialized (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w, w.value ->> 'met' as met
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
)
update penstock.live_jobs as j
set queue = w ->> 'queue', priority = w ->> 'priority', arguments = w ->> 'arguments', attempt = 0, lost = 0,
    max_attempts = w ->> 'max_attempts',
    state = case when j.waits > 0 then 'pending'
                 when iif(w ->> 'keep', j.run_at, coalesce(w ->> 'run_at', penstock.now() + (w ->> 'delay_ms'))) > penstock.now()
                 then 'scheduled'
                 when w ->> 'line' is null then 'available' else 'pending' end,
    run_at = iif(w ->> 'keep', j.run_at, coalesce(w ->> 'run_at', penstock.now() + (w ->> 'delay_ms'))),
    enqueued_at = penstock.now(), number = wish.id, tags = iif(w ->> 'tags' is null, null, w -> 'tags'),
    deadline_at = coalesce(w ->> 'deadline_at', penstock.now() + (w ->> 'deadline_ms')), error_class = null, error = null,
    line = w ->> 'line', also = w ->> 'also', in_order = w ->> 'line' like 'serial:%', terms = w ->> 'terms'
from wish
where j.id = wish.met and not exists (select 1 from penstock.live_jobs b where b.id = wish.id);
with moved as materialized (
    select j.* from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
)
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from moved where state = 'available';
with moved as materialized (
    select j.* from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
)
insert into penstock.pending_jobs (line, rank, id, queue)
select line, run_at - priority * 60000, id, queue from moved where state = 'pending' and coalesce(waits, 0) = 0;
with moved as materialized (
    select j.* from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
)
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select line, 0, run_at - priority * 60000, terms ->> 'most', terms ->> 'pace_us', terms -> 'gates'
from moved where state = 'pending' and coalesce(waits, 0) = 0
union all
select also, 0, run_at - priority * 60000, terms ->> 'also', null, null
from moved where state = 'pending' and coalesce(waits, 0) = 0 and also is not null;
with moved as materialized (
    select j.* from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
)
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, count(*) from moved group by queue, task, state;
delete from penstock.cancellations where job_id in (
    select j.id from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
);
delete from penstock.progress where job_id in (
    select j.id from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value ->> 'met' as met
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.met and j.number = w.id
);
with became as materialized (
    select w.w ->> 'key' as key, w.w -> 'keeps' as keeps, penstock.now() + (w.w ->> 'period_ms') as until, j.id, j.state
    from (
        select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
        from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
    ) w cross join penstock.live_jobs j on j.id = w.id or j.id = w.w ->> 'met' and j.number = w.id
)
insert into penstock.unique_keys (key, job_id, keeps, until)
select key, id, keeps, iif(exists (select 1 from json_each(keeps) k where k.value = state), until, penstock.now())
from became where true
on conflict (key) do update set job_id = excluded.job_id, keeps = excluded.keeps, until = excluded.until;
select w.w ->> 'key' as key, iif(b.id is not null, b.id, w.w ->> 'met') as id,
       case when b.id is not null then 'behind' when j.id is null then 'ended' else 'replaced' end as became
from (
    select s.value - json_array_length(:wishes) + w.key + 1 as id, w.value as w
    from penstock.sequences s cross join json_each(:wishes) w where s.name = 'job'
) w
left join penstock.live_jobs b on b.id = w.id
left join penstock.live_jobs j on j.id = w.w ->> 'met';
