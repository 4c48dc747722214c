-- Batches, as others see them: news of one, how far it is, and its end. What it comes to is counted in waits.sql.

-- name: batch_told
insert into penstock.wait_news (id, batch, what, n) values (:batch, true, :what, :jobs) returning id;

-- name: batch_status
-- dialect: postgres
-- differs: begins where the last fold did
-- What is counted, and what is not yet; of a batch that is forgotten the end of a job says nothing.
select bool_or(closed) as closed, coalesce(sum(total), 0) as total, coalesce(sum(completed), 0) as completed,
       coalesce(sum(cancelled), 0) as cancelled, coalesce(sum(discarded), 0) as discarded, max(finished_at) as finished_at,
       min(made_at) as made_at
from (
    select true as known, closed, total, completed, cancelled, discarded, finished_at, made_at from penstock.batches
    where id = :id
    union all
    select what in ('opened', 'closed', 'added'), what = 'closed', case what when 'added' then n end, case what when 'completed' then n end,
           case what when 'cancelled' then n end, case what when 'discarded' then n end, null, null
    from (
        select id, batch, what, n from penstock.wait_news
        where xact >= (
            select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end from penstock.wait_folds
        )
        order by xact limit (select 1000000000)
    ) as news
    where batch and id = :id
) as told
having bool_or(known);

-- name: batch_status
-- dialect: sqlite
-- differs: no dead row is in the way
select max(closed) as closed, coalesce(sum(total), 0) as total, coalesce(sum(completed), 0) as completed,
       coalesce(sum(cancelled), 0) as cancelled, coalesce(sum(discarded), 0) as discarded, max(finished_at) as finished_at,
       min(made_at) as made_at
from (
    select true as known, closed, total, completed, cancelled, discarded, finished_at, made_at from penstock.batches
    where id = :id
    union all
    select what in ('opened', 'closed', 'added'), what = 'closed', iif(what = 'added', n, 0), iif(what = 'completed', n, 0), iif(what = 'cancelled', n, 0),
           iif(what = 'discarded', n, 0), null, null
    from penstock.wait_news where batch and id = :id
) as told
having max(known);

-- name: batches_listed
-- As they are counted, the newest first.
select id, closed, total, completed, cancelled, discarded, finished_at, made_at from penstock.batches
where id < :below order by id desc limit (select :count);

-- name: batch_firsts
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- The tasks of these jobs, with their batches.
select batch, task from penstock.live_jobs where id = any (:ids) and batch is not null
union all
select batch, task from penstock.finished_jobs where id = any (:ids) and batch is not null;

-- name: batch_firsts
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select batch, task from penstock.live_jobs where id in (select value from json_each(:ids)) and batch is not null
union all
select batch, task from penstock.finished_jobs where id in (select value from json_each(:ids)) and batch is not null;

-- name: batches_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading every batch
delete from penstock.batches
where id = any (array (
    select id from penstock.batches where prune_at <= (select penstock.now()) order by prune_at limit (select :count)
));

-- name: batches_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.batches
where id in (
    select id from penstock.batches where prune_at <= (select penstock.now()) order by prune_at limit (select :count)
);

-- name: batches_ended
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id, total, completed, cancelled, discarded from penstock.batches where id = any (:ids);

-- name: batches_ended
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id, total, completed, cancelled, discarded from penstock.batches where id in (select value from json_each(:ids));
