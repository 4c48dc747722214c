-- Admitting keyed jobs: what the policy chose becomes available, and their lines move on.
-- A job takes the time of its turn for that at which it is due, so that claims take it in that order, and what is made
-- ready or cancelled later finds its row by the same rule as that of any job.

-- name: jobs_admit
-- dialect: postgres
-- differs: one statement with several writes. Whoever cancels a job in a transaction that stays open keeps its row locked:
-- its line waits a while and tries again, for a dispatcher waits for nobody.
with chosen as materialized (
    select * from unnest(:lines::text[], :ranks::bigint[], :ids::bigint[], :turns::bigint[], :paced_us::bigint[])
        as c (line, rank, id, turn, paced_us)
), waiting as materialized (
    select c.line, c.rank, c.id, c.turn, p.place
    from chosen c cross join lateral (
        select ctid as place from penstock.pending_jobs
        where line = c.line and rank = c.rank and id = c.id limit (select 1)
    ) p
), free as materialized (
    select id from penstock.live_jobs
    where id = any (array (select id from waiting)) and state = 'pending'
    for update skip locked
), gone as (
    delete from penstock.pending_jobs
    where ctid = any (array (select place from waiting where id in (select id from free)))
    returning id
), moved as (
    update penstock.live_jobs j set state = 'available', run_at = w.turn + j.priority * cast(60000 as bigint)
    from waiting w
    where j.id = any (array (select id from gone)) and j.id = w.id
    returning j.id, j.queue, j.task, j.run_at, j.priority, j.unique_key, j.also, j.terms, w.line
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from moved
), keyed as materialized (
    select m.id, m.unique_key as key, u.job_id is not null as free, u.job_id = m.id and not 'available' = any (u.keeps) as over
    from moved m left join lateral (
        select job_id, keeps from penstock.unique_keys where key = m.unique_key limit (select 1) for update skip locked
    ) u on true
    where m.unique_key is not null
), freed as (
    delete from penstock.unique_keys where key = any (array (select key from keyed where over))
), left_over as (
    insert into penstock.keys_left (job_id, key, state)
    select id, key, 'available' from keyed where not free
    on conflict do nothing
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, 'pending', 0, -count(*) from moved group by queue, task
    union all
    select queue, task, 'available', 0, count(*) from moved group by queue, task
), counted as (
    insert into penstock.lines (line, kind, room, most, running)
    select also, 'key', '', max((terms::json ->> 'also')::integer), count(*) from moved where also is not null group by also
    on conflict (line) do update set running = penstock.lines.running + excluded.running
), stuck as materialized (
    select distinct on (line) line, rank, id from waiting where id not in (select id from free) order by line, rank, id
), passed as materialized (
    select c.line, max(array[c.rank, c.id]) as last, max(c.paced_us) as paced_us,
           count(m.id) as jobs, max(m.id) as served_id
    from chosen c left join moved m on m.id = c.id
    group by c.line
), next as materialized (
    select p.line, p.jobs, p.served_id, p.paced_us, s.id is not null as busy, coalesce(s.rank, h.rank) as rank,
           coalesce(s.id, h.id) as id, h.queue
    from passed p left join stuck s on s.line = p.line
    left join lateral (
        select rank, id, queue from penstock.pending_jobs
        where line = case when s.id is null then p.line end and (rank, id) > (p.last[1], p.last[2])
        order by rank, id limit (select 1)
    ) h on true
), headed as materialized (
    select n.*, e.place, j.priority, j.also, j.also_most
    from next n
    cross join lateral (select ctid as place from penstock.lines where line = n.line limit (select 1)) e
    left join lateral (
        select priority, also, case when also is not null then (terms::json ->> 'also')::integer end as also_most
        from penstock.live_jobs where id = n.id limit (select 1)
    ) j on true
), moved_on as (
    update penstock.lines l
    set running = l.running + h.jobs, served_at = case when h.jobs > 0 then penstock.now() else l.served_at end,
        served_id = coalesce(h.served_id, l.served_id), paced_us = coalesce(h.paced_us, l.paced_us), room = coalesce(h.queue, l.room),
        head_rank = h.rank, head_id = h.id, head_priority = h.priority, head_also = h.also,
        head_also_most = h.also_most, held = case when h.busy then 'busy' end,
        until_at = case when h.busy then penstock.now() + 500 end,
        turn = case when h.id is not null and (l.most is null or l.running + h.jobs < l.most)
                    then greatest(h.rank, case when h.jobs > 0 then penstock.now()
                                               else least(coalesce(l.served_at, 0), penstock.now()) end
                                          - h.priority * cast(60000 as bigint)) end
    from headed h
    where l.ctid = h.place
)
select id from moved;

-- name: jobs_admit
-- dialect: sqlite
-- columns: lines ranks ids turns paced_us
-- differs: several statements in one transaction, about those of the chosen that still wait: what was cancelled is passed
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select p.queue, c.value ->> 3, p.id, j.unique_key
from json_each(:rows) c
cross join penstock.pending_jobs p on p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
cross join penstock.live_jobs j on j.id = p.id;
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, s.state, 0, s.sign * count(*)
from json_each(:rows) c
cross join penstock.pending_jobs p on p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
cross join penstock.live_jobs j on j.id = p.id
cross join (select 'pending' as state, -1 as sign union all select 'available', 1) s
group by j.queue, j.task, s.state;
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select j.unique_key, j.id from json_each(:rows) c
    cross join penstock.pending_jobs p on p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
    cross join penstock.live_jobs j on j.id = p.id
    where j.unique_key is not null
) and not exists (select 1 from json_each(keeps) where value = 'available');
insert into penstock.lines (line, kind, room, most, running)
select j.also, 'key', '', max(j.terms ->> 'also'), count(*)
from json_each(:rows) c
cross join penstock.pending_jobs p on p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
cross join penstock.live_jobs j on j.id = p.id
where j.also is not null
group by j.also
on conflict (line) do update set running = penstock.lines.running + excluded.running;
update penstock.live_jobs as j set state = 'available', run_at = (c.value ->> 3) + j.priority * 60000
from json_each(:rows) c
where j.id = c.value ->> 2 and exists (
    select 1 from penstock.pending_jobs p
    where p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
);
update penstock.lines as l
set running = l.running + n.jobs, served_at = case when n.jobs > 0 then penstock.now() else l.served_at end,
    served_id = coalesce(n.served_id, l.served_id), paced_us = coalesce(n.paced_us, l.paced_us), held = null, until_at = null
from (
    select c.value ->> 0 as line, count(p.id) as jobs, max(p.id) as served_id, max(c.value ->> 4) as paced_us
    from json_each(:rows) c
    left join penstock.pending_jobs p on p.line = c.value ->> 0 and p.rank = c.value ->> 1 and p.id = c.value ->> 2
    group by c.value ->> 0
) n
where l.line = n.line;
delete from penstock.pending_jobs
where (line, rank, id) in (select value ->> 0, value ->> 1, value ->> 2 from json_each(:rows));
update penstock.lines as l
set head_rank = h.rank, head_id = h.id, head_priority = h.priority, head_also = h.also, head_also_most = h.also_most,
    room = coalesce(h.queue, l.room),
    turn = case when h.id is not null and (l.most is null or l.running < l.most)
                then max(h.rank, min(coalesce(l.served_at, 0), penstock.now()) - h.priority * 60000) end
from (
    select n.line, j.run_at - j.priority * 60000 as rank, j.id, j.queue, j.priority, j.also,
           iif(j.also is null, null, j.terms ->> 'also') as also_most
    from (
        select e.line, (
            select p.id from penstock.pending_jobs p
            where p.line = e.line and p.rank >= e.rank order by p.rank, p.id limit 1
        ) as id
        from (select value ->> 0 as line, min(value ->> 1) as rank from json_each(:rows) group by value ->> 0) e
    ) n left join penstock.live_jobs j on j.id = n.id
) h
where l.line = h.line;
select value ->> 2 as id from json_each(:rows);

-- name: ready_front
-- The lowest rank that is ready: what is admitted goes no further to the front, where claims have passed already.
select rank from penstock.ready_jobs where queue = :queue and rank >= :after order by rank, id limit (select 1);

-- name: ready_left
-- dialect: postgres
-- differs: each dialect takes rows in its own way
-- Which of those that were admitted nobody has claimed yet.
select e.id
from unnest(:ranks::bigint[], :ids::bigint[]) as e (rank, id)
cross join lateral (
    select id from penstock.ready_jobs where queue = :queue and rank = e.rank and id = e.id limit (select 1)
) r;

-- name: ready_left
-- dialect: sqlite
-- columns: ranks ids
-- differs: each dialect takes rows in its own way
select r.id
from json_each(:rows) e
cross join penstock.ready_jobs r on r.queue = :queue and r.rank = e.value ->> 0 and r.id = e.value ->> 1;
