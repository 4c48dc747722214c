-- Jobs that are settled before they run: how they ended is said afterwards, and until then nobody is told of it who waits.

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
), unkept as (
    delete from penstock.kept_places where job_id in (select id from was) and lease = :lease
    returning line, also
), places as (
    insert into penstock.line_news (line, freed)
    select place, 1 from unkept cross join lateral (values (line), (also)) as p (place) where place is not null
), waited_for as (
    delete from penstock.kept_news where job_id in (select id from was) and lease = :lease
    returning job_id, awaited, batch
), waited as (
    insert into penstock.wait_news (id, batch, what)
    select job_id, false, :state::text from waited_for where awaited
    union all
    select batch, true, :state::text from waited_for where batch is not null
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
insert into penstock.line_news (line, freed)
select place, 1 from (
    select line as place from penstock.kept_places where job_id = :id and lease = :lease
    union all
    select also from penstock.kept_places where job_id = :id and lease = :lease and also is not null
) as p;
delete from penstock.kept_places where job_id = :id and lease = :lease;
insert into penstock.wait_news (id, batch, what)
select job_id, false, :state from penstock.kept_news where job_id = :id and lease = :lease and awaited
union all
select batch, true, :state from penstock.kept_news where job_id = :id and lease = :lease and batch is not null;
delete from penstock.kept_news where job_id = :id and lease = :lease;
update penstock.finished_jobs
set state = :state, finished_at = penstock.now(), attempted_at = penstock.now() - :took_ms,
    prune_at = penstock.now() + :keep_ms, error_class = :error_class, error = :error
where id = :id and lease = :lease and error_class = 'AtMostOnce'
returning id;

-- name: ends_unsaid
select exists (select 1 from penstock.kept_news);

-- name: ends_lost
-- dialect: postgres
-- differs: one statement with several writes
-- The ends of jobs that were settled before they ran, and of which nobody will tell, or has told by now.
with over as (
    delete from penstock.kept_news k
    where not exists (select 1 from penstock.leases l where l.id = k.lease)
       or exists (select 1 from penstock.finished_jobs f where f.id = k.job_id and f.error_class is distinct from 'AtMostOnce')
    returning job_id, awaited, batch
), ended as materialized (
    select o.*, coalesce(f.state, 'discarded') as state
    from over o left join lateral (select state from penstock.finished_jobs where id = o.job_id limit (select 1)) f on true
)
insert into penstock.wait_news (id, batch, what)
select job_id, false, state from ended where awaited
union all
select batch, true, state from ended where batch is not null
returning id;

-- name: ends_lost
-- dialect: sqlite
-- differs: several statements in one transaction
insert into penstock.wait_news (id, batch, what)
select iif(which.batch, k.batch, k.job_id), which.batch, coalesce(f.state, 'discarded')
from penstock.kept_news k cross join (select false as batch union all select true) which
left join penstock.finished_jobs f on f.id = k.job_id
where (not exists (select 1 from penstock.leases l where l.id = k.lease) or f.error_class is not 'AtMostOnce')
  and iif(which.batch, k.batch is not null, k.awaited);
delete from penstock.kept_news
where not exists (select 1 from penstock.leases l where l.id = penstock.kept_news.lease) or not exists (
    select 1 from penstock.finished_jobs f where f.id = penstock.kept_news.job_id and f.error_class = 'AtMostOnce'
)
returning job_id as id;
