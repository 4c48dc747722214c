-- Stage: what has become due is made available, or waits in its line from now on; and when the next job is due.

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
    update penstock.live_jobs j
    set state = case when j.line is null or j.in_order and due.was = 'retryable' then 'available' else 'pending' end
    from due
    where j.id = any (array (select id from due)) and j.id = due.id
    returning j.id, j.queue, j.task, j.state, j.run_at, j.priority, j.unique_key, j.line, j.also, j.terms, due.was
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from staged where state = 'available'
), pending as (
    insert into penstock.pending_jobs (line, rank, id, queue)
    select line, run_at - priority * cast(60000 as bigint), id, queue from staged where state = 'pending'
), told as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select line, 0, rank, (terms ->> 'most')::integer, (terms ->> 'pace_us')::bigint, terms ->> 'gates'
    from (
        select distinct on (line) line, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from staged
        where state = 'pending' order by line, 2
    ) as n
    union all
    select also, 0, rank, (terms ->> 'also')::integer, null, null
    from (
        select distinct on (also) also, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from staged
        where state = 'pending' and also is not null order by also, 2
    ) as n
), keyed as materialized (
    select s.id, s.unique_key as key, s.state, u.job_id is not null as free,
           u.job_id = s.id and not s.state = any (u.keeps) as over
    from staged s left join lateral (
        select job_id, keeps from penstock.unique_keys where key = s.unique_key limit (select 1) for update skip locked
    ) u on true
    where s.unique_key is not null
), freed as (
    delete from penstock.unique_keys where key = any (array (select key from keyed where over))
), left_over as (
    insert into penstock.keys_left (job_id, key, state)
    select id, key, state from keyed where not free
    on conflict do nothing
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, was, 0, -count(*) from staged group by queue, task, was
    union all
    select queue, task, state, 0, count(*) from staged group by queue, task, state
)
select queue from staged;

-- name: stage
-- dialect: sqlite
-- differs: several statements in one transaction, each about the same rows: those due when the first of them noted the
-- time, which goes on from one to the next
insert into penstock.sequences (name, value) values ('stage', penstock.now())
on conflict (name) do update set value = excluded.value;
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from (
    select * from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) where line is null or in_order and state = 'retryable';
insert into penstock.pending_jobs (line, rank, id, queue)
select line, run_at - priority * 60000, id, queue from (
    select * from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) where line is not null and not (in_order and state = 'retryable');
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select line, 0, rank, terms ->> 'most', terms ->> 'pace_us', terms -> 'gates' from (
    select line, terms, min(run_at - priority * 60000) as rank from (
    select * from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
    ) where line is not null and not (in_order and state = 'retryable') group by line
)
union all
select also, 0, rank, terms ->> 'also', null, null from (
    select also, terms, min(run_at - priority * 60000) as rank from (
    select * from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
    ) where also is not null and not (in_order and state = 'retryable') group by also
);
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, 0, -count(*) from (
    select queue, task, state from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) group by queue, task, state
union all
select queue, task, becomes, 0, count(*) from (
    select queue, task,
           case when line is null or in_order and state = 'retryable' then 'available' else 'pending' end as becomes
    from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) group by queue, task, becomes;
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and job_id in (
    select id from penstock.live_jobs
    where state in ('scheduled', 'retryable') and run_at >= :after
      and run_at <= (select value from penstock.sequences where name = 'stage')
    order by run_at, id
    limit (select :count)
) and not exists (
    select 1 from json_each(keeps) k
    where k.value = (
        select case when j.line is null or j.in_order and j.state = 'retryable' then 'available' else 'pending' end
        from penstock.live_jobs j where j.id = penstock.unique_keys.job_id
    )
);
update penstock.live_jobs
set state = case when line is null or in_order and state = 'retryable' then 'available' else 'pending' end
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
