-- Waits: jobs that wait for others, and batches. Always under the lock of dispatch, for `batches` and `awaited` are the
-- dispatcher's own; everybody else inserts news (`wait_news`), which it folds:
-- `asked`: a job waits for that one (`n`: for the how manieth time it is looked for); `opened`, `added`, `closed`: of a batch;
-- `completed`, `cancelled`, `discarded`: the job has ended so, or so many of the batch have; with `n` 0 it is a batch that
-- has ended, `failed` if not all were completed; `gone`: there is no such job, or batch.
-- Of a batch that is forgotten, the end of a job makes none again; a job that is added does, for as long as one is remembered.
-- Whoever settles a job reads from the row that it deletes whether anybody waits for it. So a fold marks that row before it
-- lets the wait rest, and looks again later where somebody has it locked.

-- name: waits_fold
-- dialect: postgres
-- differs: one statement with several writes. It begins as `lines_fold` does
with since as materialized (
    select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end as xact
    from penstock.wait_folds
), found as materialized (
    select ctid as place from penstock.wait_news where xact >= (select xact from since)
    order by xact limit (select :count::integer)
), gone as (
    delete from penstock.wait_news where ctid = any (array (select place from found))
    returning id, batch, what, n
), noted as (
    update penstock.wait_folds set xact = pg_snapshot_xmin(pg_current_snapshot())
    where :note::boolean and (select count(*) from found) < :count::integer
), sums as materialized (
    select id, bool_or(what = 'closed') as closed, bool_or(what in ('opened', 'closed')) as made,
           coalesce(sum(n) filter (where what = 'added'), 0) as total,
           coalesce(sum(n) filter (where what = 'completed'), 0) as completed,
           coalesce(sum(n) filter (where what = 'cancelled'), 0) as cancelled,
           coalesce(sum(n) filter (where what = 'discarded'), 0) as discarded
    from gone where batch group by id having bool_or(what in ('opened', 'closed', 'added'))
        or exists (select 1 from penstock.batches where id = gone.id)
), before as materialized (
    select b.* from sums s cross join lateral (select * from penstock.batches where id = s.id limit (select 1)) b
), counted as materialized (
    select s.id, s.closed or coalesce(b.closed, false) as closed, s.total + coalesce(b.total, 0) as total,
           s.completed + coalesce(b.completed, 0) as completed, s.cancelled + coalesce(b.cancelled, 0) as cancelled,
           s.discarded + coalesce(b.discarded, 0) as discarded, b.finished_at, penstock.now() as at,
           case when b.id is null and not s.made then penstock.now() + :keep_ms::bigint
                when b.finished_at is not null or not s.made then b.prune_at end as prune_at
    from sums s left join before b on b.id = s.id
), kept as (
    insert into penstock.batches as b (id, closed, total, completed, cancelled, discarded, made_at, finished_at, prune_at)
    select id, closed, total, completed, cancelled, discarded, at,
           case when closed and total = completed + cancelled + discarded then at end,
           case when closed and total = completed + cancelled + discarded then at + :keep_ms::bigint else prune_at end
    from counted
    on conflict (id) do update
    set closed = excluded.closed, total = excluded.total, completed = excluded.completed, cancelled = excluded.cancelled,
        discarded = excluded.discarded, finished_at = coalesce(b.finished_at, excluded.finished_at),
        prune_at = excluded.prune_at
), asked as materialized (
    select id, max(n) as n from gone where what = 'asked' group by id
), there as materialized (
    select id from penstock.live_jobs where id = any (array (select id from asked))
), free as materialized (
    select id from penstock.live_jobs where id = any (array (select id from asked)) for update skip locked
), marked as (
    update penstock.live_jobs set awaited = true where id = any (array (select id from free)) and awaited is not true
), answered as materialized (
    select a.id, a.n, b.id is not null as is_batch, b.finished_at as batch_at,
           case when b.total > b.completed then 'failed' else 'completed' end as batch_state,
           f.state, f.lease, l.id is not null as unsaid
    from asked a
    left join lateral (select * from penstock.batches where id = a.id limit (select 1)) b on true
    left join lateral (
        select state, lease, error_class from penstock.finished_jobs where id = a.id limit (select 1)
    ) f on true
    left join lateral (
        select id from penstock.leases where f.error_class = 'AtMostOnce' and id = f.lease limit (select 1)
    ) l on true
    where a.id not in (select id from there)
), unsaid as (
    insert into penstock.kept_news (job_id, lease, awaited)
    select id, lease, true from answered where unsaid
    on conflict (job_id) do update set awaited = true
), again as (
    insert into penstock.wait_news (id, batch, what, n)
    select id, false, 'asked', 1 from there where id not in (select id from free)
    union all
    select id, false, case when state is not null then state when batch_at is not null then batch_state
                           when n < 2 then 'asked' else 'gone' end, 2
    from answered
    where (not is_batch or batch_at is not null) and not unsaid
      and id not in (select id from counted where finished_at is null)
    union all
    select id, false, case when total > completed then 'failed' else 'completed' end, 0
    from counted where closed and total = completed + cancelled + discarded and finished_at is null
    returning what, n
), locked as materialized (
    select count(*) as jobs from again where what = 'asked' and n = 1
)
select id, what, n from gone where not batch and what <> 'asked'
union all
select 0, 'again', 1 from locked where jobs > 0
union all
select 0, 'taken', 1 from locked where jobs < (select count(*) from found);

-- name: waits_fold
-- dialect: sqlite
-- differs: several statements in one transaction, about the news up to the number that the first of them notes
insert into penstock.sequences (name, value)
select 'waits', max(number) from (select number from penstock.wait_news order by number limit :count)
having max(number) is not null and :note is not null
on conflict (name) do update set value = excluded.value;
insert into penstock.batches (id, closed, total, completed, cancelled, discarded, made_at, prune_at)
select id, max(what = 'closed'), sum(iif(what = 'added', n, 0)), sum(iif(what = 'completed', n, 0)),
       sum(iif(what = 'cancelled', n, 0)), sum(iif(what = 'discarded', n, 0)), penstock.now(),
       iif(max(what in ('opened', 'closed')), null, penstock.now() + :keep_ms)
from penstock.wait_news
where number <= (select value from penstock.sequences where name = 'waits') and batch
group by id having max(what in ('opened', 'closed', 'added')) or id in (select id from penstock.batches)
on conflict (id) do update
set closed = penstock.batches.closed or excluded.closed, total = penstock.batches.total + excluded.total,
    completed = penstock.batches.completed + excluded.completed, cancelled = penstock.batches.cancelled + excluded.cancelled,
    discarded = penstock.batches.discarded + excluded.discarded,
    prune_at = iif(excluded.prune_at is null and penstock.batches.finished_at is null, null, penstock.batches.prune_at);
insert into penstock.wait_news (id, batch, what, n)
select id, false, iif(total > completed, 'failed', 'completed'), 0 from penstock.batches
where finished_at is null and closed and total = completed + cancelled + discarded and id in (
    select id from penstock.wait_news where number <= (select value from penstock.sequences where name = 'waits') and batch
);
update penstock.batches set finished_at = coalesce(finished_at, penstock.now()), prune_at = penstock.now() + :keep_ms
where closed and total = completed + cancelled + discarded and id in (
    select id from penstock.wait_news where number <= (select value from penstock.sequences where name = 'waits') and batch
);
update penstock.live_jobs set awaited = true
where id in (
    select id from penstock.wait_news
    where number <= (select value from penstock.sequences where name = 'waits') and what = 'asked'
);
insert into penstock.kept_news (job_id, lease, awaited)
select distinct f.id, f.lease, true
from penstock.wait_news w cross join penstock.finished_jobs f on f.id = w.id
where w.number <= (select value from penstock.sequences where name = 'waits') and w.what = 'asked'
  and f.error_class = 'AtMostOnce' and f.lease in (select id from penstock.leases)
on conflict (job_id) do update set awaited = true;
insert into penstock.wait_news (id, batch, what, n)
select w.id, false, case when f.id is not null then f.state when b.id is not null then iif(b.total > b.completed, 'failed', 'completed')
                         when w.n < 2 then 'asked' else 'gone' end, 2
from (
    select id, max(n) as n from penstock.wait_news
    where number <= (select value from penstock.sequences where name = 'waits') and what = 'asked'
    group by id
) w
left join penstock.finished_jobs f on f.id = w.id
left join penstock.batches b on b.id = w.id
where not exists (select 1 from penstock.live_jobs j where j.id = w.id)
  and not exists (select 1 from penstock.kept_news k where k.job_id = w.id) and (b.id is null or b.finished_at is not null);
delete from penstock.wait_news
where number <= (select value from penstock.sequences where name = 'waits')
returning id, iif(batch or what = 'asked', 'taken', what) as what, n;

-- name: waits_end
-- dialect: postgres
-- differs: one statement with several writes; whom an open transaction has locked is left for later, as `waits_left` finds
-- These jobs and batches have ended so: what waits for nothing more is released, and what was not to run after this is
-- cancelled, which is news for those that wait for it.
with e as materialized (
    select * from unnest(:ids::bigint[], :states::text[]) as e (id, state)
), edge as materialized (
    select w.place, e.id as on_id, e.state, w.job_id, w.anyway
    from e cross join lateral (
        select ctid as place, job_id, anyway from penstock.job_waits where on_id = e.id limit (select :count::bigint)
    ) w
    limit (select :count::bigint)
), there as materialized (
    select id from penstock.live_jobs where id = any (array (select job_id from edge))
), free as materialized (
    select id from penstock.live_jobs where id = any (array (select job_id from edge)) for update skip locked
), cut as (
    delete from penstock.job_waits where ctid = any (array (
        select place from edge where job_id in (select id from free) or job_id not in (select id from there)
    ))
), judged as materialized (
    select job_id, count(*)::integer as n, min(on_id) filter (where state <> 'completed' and not anyway) as on_id,
           min(state) filter (where state <> 'completed' and not anyway) as state
    from edge where job_id in (select id from free) group by job_id
), gone as (
    delete from penstock.live_jobs j using judged d
    where j.id = d.job_id and d.on_id is not null and j.waits > 0
    returning j.*, case when d.state = 'gone'
                        then 'it was to run after ' || d.on_id || ', which is not there: it was pruned, was never'
                             || ' committed, or was never enqueued. Requeue this job to run it all the same, or enqueue such'
                             || ' jobs with on_failure="run"'
                        when d.state = 'failed'
                        then 'it was to run after batch ' || d.on_id || ', in which not all jobs were completed'
                        else 'it was to run after job ' || d.on_id || ', which ended as ' || d.state end as why,
              coalesce((:keep_ms::json ->> j.task)::bigint, 86400000) as keep_ms, penstock.now() as at
), ended as (
    insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                        enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error,
                                        line, also, terms, batch)
    select id, case when keep_ms <= 86400000 then (at + keep_ms) / 10800000 % 10
                    when keep_ms <= 2764800000 then 10 + (at + keep_ms) / 345600000 % 10
                    else 20 end,
           task, queue, priority, 'cancelled', arguments, attempt, max_attempts, run_at, enqueued_at, at, at + keep_ms, lease,
           tags, unique_key, 'dependency', why, line, also, terms, batch
    from gone
    returning id, queue, task, slot, prune_at
), told as (
    insert into penstock.wait_news (id, batch, what, n)
    select id, false, 'cancelled', 1 from gone where awaited
    union all
    select batch, true, 'cancelled', count(*) from gone where batch is not null group by batch
), released as (
    update penstock.live_jobs j
    set waits = j.waits - d.n,
        run_at = case when j.waits = d.n then greatest(j.run_at, penstock.now()) else j.run_at end,
        state = case when j.waits > d.n then 'pending' when j.run_at > penstock.now() then 'scheduled'
                     when j.line is null then 'available' else 'pending' end
    from judged d
    where j.id = d.job_id and d.on_id is null and j.waits > 0
    returning j.id, j.queue, j.task, j.state, j.run_at, j.priority, j.unique_key, j.line, j.also, j.terms, j.waits
), ready as (
    insert into penstock.ready_jobs (queue, rank, id, unique_key)
    select queue, run_at - priority * cast(60000 as bigint), id, unique_key from released where state = 'available'
), pending as (
    insert into penstock.pending_jobs (line, rank, id, queue)
    select line, run_at - priority * cast(60000 as bigint), id, queue from released where state = 'pending' and waits = 0
), lined_up as (
    insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
    select line, 0, rank, (terms ->> 'most')::integer, (terms ->> 'pace_us')::bigint, terms ->> 'gates'
    from (
        select distinct on (line) line, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from released
        where state = 'pending' and waits = 0 order by line, 2
    ) as n
    union all
    select also, 0, rank, (terms ->> 'also')::integer, null, null
    from (
        select distinct on (also) also, run_at - priority * cast(60000 as bigint) as rank, terms::json as terms from released
        where state = 'pending' and waits = 0 and also is not null order by also, 2
    ) as n
), keyed as materialized (
    select k.id, k.key, k.state, k.until, u.job_id is not null as free,
           u.job_id = k.id and not k.state = any (u.keeps) as over,
           u.job_id = k.id and k.state = any (u.keeps) and u.until is null and k.until is not null as stays
    from (
        select id, unique_key as key, state, cast(null as bigint) as until from released where waits = 0
        union all
        select id, unique_key, 'cancelled', at + keep_ms from gone
    ) k
    left join lateral (
        select job_id, keeps, until from penstock.unique_keys where key = k.key limit (select 1) for update skip locked
    ) u on true
    where k.key is not null
), freed as (
    delete from penstock.unique_keys where key = any (array (select key from keyed where over))
), bounded as (
    update penstock.unique_keys set until = ((select jsonb_object_agg(key, until) from keyed where stays) ->> key)::bigint
    where key = any (array (select key from keyed where stays))
), left_over as (
    insert into penstock.keys_left (job_id, key, state, until)
    select id, key, state, until from keyed where not free
    on conflict do nothing
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, 'pending', 0, -count(*) from released where state <> 'pending' group by queue, task
    union all
    select queue, task, state, 0, count(*) from released where state <> 'pending' group by queue, task, state
    union all
    select queue, task, 'pending', 0, -count(*) from gone group by queue, task
    union all
    select queue, task, 'cancelled', slot, count(*) from ended group by queue, task, slot
)
select d.job_id, d.on_id is null as released, g.task from judged d left join gone g on g.id = d.job_id;

-- name: waits_end
-- dialect: sqlite
-- columns: ids states
-- differs: several statements in one transaction, about the waits that the first of them writes down; those that come to
-- nothing are taken from there, step by step
insert into penstock.waits_ended (on_id, job_id, state, fails)
select w.on_id, w.job_id, e.value ->> 1, e.value ->> 1 <> 'completed' and not w.anyway
from json_each(:rows) e cross join penstock.job_waits w on w.on_id = e.value ->> 0
limit (select :count);
delete from penstock.job_waits where (on_id, job_id) in (select on_id, job_id from penstock.waits_ended);
delete from penstock.waits_ended
where not exists (select 1 from penstock.live_jobs j where j.id = job_id and j.waits > 0);
insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, finished_at, prune_at, lease, tags, unique_key, error_class, error,
                                    line, also, terms, batch)
select j.id, 0, j.task, j.queue, j.priority, 'cancelled', j.arguments, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
       penstock.now(), penstock.now() + coalesce(:keep_ms ->> ('$."' || j.task || '"'), 86400000), j.lease, j.tags,
       j.unique_key, 'dependency',
       case when d.state = 'gone'
            then 'it was to run after ' || d.on_id || ', which is not there: it was pruned, was never'
                 || ' committed, or was never enqueued. Requeue this job to run it all the same, or enqueue such'
                 || ' jobs with on_failure="run"'
            when d.state = 'failed'
            then 'it was to run after batch ' || d.on_id || ', in which not all jobs were completed'
            else 'it was to run after job ' || d.on_id || ', which ended as ' || d.state end,
       j.line, j.also, j.terms, j.batch
from (select job_id, min(on_id) as on_id, state from penstock.waits_ended where fails group by job_id) d
cross join penstock.live_jobs j on j.id = d.job_id;
insert into penstock.count_deltas (queue, task, state, slot, n)
select j.queue, j.task, s.state, 0, s.sign * count(*)
from penstock.live_jobs j cross join (select 'pending' as state, -1 as sign union all select 'cancelled', 1) s
where j.id in (select job_id from penstock.waits_ended group by job_id having max(fails))
group by j.queue, j.task, s.state;
insert into penstock.wait_news (id, batch, what, n)
select id, false, 'cancelled', 1 from penstock.live_jobs where awaited and id in (select job_id from penstock.waits_ended group by job_id having max(fails))
union all
select batch, true, 'cancelled', count(*) from penstock.live_jobs where batch is not null and id in (select job_id from penstock.waits_ended group by job_id having max(fails))
group by batch;
update penstock.unique_keys set until = coalesce(until, (
    select f.prune_at from penstock.finished_jobs f where f.id = job_id
))
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select unique_key, id from penstock.live_jobs where unique_key is not null and id in (select job_id from penstock.waits_ended group by job_id having max(fails))
);
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select unique_key, id from penstock.live_jobs where unique_key is not null and id in (select job_id from penstock.waits_ended group by job_id having max(fails))
) and not exists (select 1 from json_each(keeps) k where k.value = 'cancelled');
delete from penstock.live_jobs where id in (select job_id from penstock.waits_ended group by job_id having max(fails));
update penstock.live_jobs as j
set waits = j.waits - d.n, run_at = iif(j.waits = d.n, max(j.run_at, penstock.now()), j.run_at),
    state = case when j.waits > d.n then 'pending' when j.run_at > penstock.now() then 'scheduled'
                 when j.line is null then 'available' else 'pending' end
from (select job_id, count(*) as n from penstock.waits_ended group by job_id) d
where j.id = d.job_id;
delete from penstock.waits_ended
where not fails and not exists (select 1 from penstock.live_jobs j where j.id = job_id and j.waits = 0);
insert into penstock.ready_jobs (queue, rank, id, unique_key)
select queue, run_at - priority * 60000, id, unique_key from penstock.live_jobs
where id in (select job_id from penstock.waits_ended) and state = 'available';
insert into penstock.pending_jobs (line, rank, id, queue)
select line, run_at - priority * 60000, id, queue from penstock.live_jobs
where id in (select job_id from penstock.waits_ended) and state = 'pending';
insert into penstock.line_news (line, freed, rank, most, pace_us, gates)
select line, 0, rank, terms ->> 'most', terms ->> 'pace_us', terms -> 'gates' from (
    select line, terms, min(run_at - priority * 60000) as rank from penstock.live_jobs
    where id in (select job_id from penstock.waits_ended) and state = 'pending'
    group by line
)
union all
select also, 0, rank, terms ->> 'also', null, null from (
    select also, terms, min(run_at - priority * 60000) as rank from penstock.live_jobs
    where id in (select job_id from penstock.waits_ended) and state = 'pending' and also is not null
    group by also
);
delete from penstock.unique_keys
where exists (select 1 from penstock.unique_keys) and (key, job_id) in (
    select unique_key, id from penstock.live_jobs
    where unique_key is not null and id in (select job_id from penstock.waits_ended)
) and not exists (
    select 1 from json_each(keeps) k
    where k.value = (select j.state from penstock.live_jobs j where j.id = penstock.unique_keys.job_id)
);
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, 'pending', 0, -count(*) from penstock.live_jobs
where id in (select job_id from penstock.waits_ended) and state <> 'pending'
group by queue, task
union all
select queue, task, state, 0, count(*) from penstock.live_jobs
where id in (select job_id from penstock.waits_ended) and state <> 'pending'
group by queue, task, state;
delete from penstock.waits_ended
returning job_id, not fails as released, (select f.task from penstock.finished_jobs f where f.id = job_id) as task;

-- name: waits_left
-- dialect: postgres
-- differs: each dialect takes rows in its own way
-- Of these, for which somebody waits still: they were too many for one step, or a job was locked. Those are given.
insert into penstock.wait_news (id, batch, what)
select e.id, false, e.state from unnest(:ids::bigint[], :states::text[]) as e (id, state)
where exists (select 1 from penstock.job_waits w where w.on_id = e.id)
returning id;

-- name: waits_left
-- dialect: sqlite
-- columns: ids states
-- differs: nobody can have locked one: what is left is the next step's
insert into penstock.wait_news (id, batch, what)
select e.value ->> 0, false, e.value ->> 1 from json_each(:rows) e
where exists (select 1 from penstock.job_waits w where w.on_id = e.value ->> 0);
select null as id where false;
