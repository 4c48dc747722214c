-- What keeps the tables small: counters, marks, keys, progress, results, and jobs past their time.

-- What ended is added to the rates of its minute and its hour as well: a fold comes a few seconds after what it counts. As
-- many were enqueued (or put back) as there are more that wait and run, with those that ended in the meantime.

-- name: counts_fold
-- dialect: postgres
-- differs: one statement with several writes. What was folded stays as dead rows for as long as somebody's snapshot may
-- need it, so a fold begins at the oldest transaction that was open during the one before: what others had committed was
-- folded then. A number that is yet to come is that of another server, whose dump this database was made from.
with since as materialized (
    select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end as xact
    from penstock.count_folds
), found as materialized (
    select ctid as place from penstock.count_deltas where xact >= (select xact from since)
    order by xact limit (select 100000)
), gone as (
    delete from penstock.count_deltas where ctid = any (array (select place from found))
    returning queue, task, state, slot, n
), summed as materialized (
    select queue, task, state, slot, sum(n) as n, sum(n) filter (where n > 0) as came from gone
    group by queue, task, state, slot
), noted as (
    update penstock.count_folds set xact = pg_snapshot_xmin(pg_current_snapshot())
    where (select count(*) from found) < 100000
), rates as (
    insert into penstock.job_rates (span, at, queue, task, state, n)
    select span, at, queue, task, what, sum(n)
    from (
        select queue, task, state as what, came as n from summed
        where state in ('completed', 'cancelled', 'discarded', 'retryable')
        union all
        select queue, task, 'enqueued', case when state in ('completed', 'cancelled', 'discarded') then came else n end
        from summed
    ) as s cross join (
        values ('minute', penstock.now() / 60000 * 60000), ('hour', penstock.now() / 3600000 * 3600000)
    ) as at (span, at)
    group by span, at, queue, task, what
    having sum(n) <> 0
    order by 1, 2, 3, 4, 5
    on conflict (span, at, queue, task, state) do update set n = penstock.job_rates.n + excluded.n
)
insert into penstock.counts (queue, task, state, slot, n)
select queue, task, state, slot, n from summed order by 1, 2, 3, 4
on conflict (queue, task, state, slot) do update set n = penstock.counts.n + excluded.n;

-- name: counts_fold
-- dialect: sqlite
-- differs: several statements in one transaction
insert into penstock.job_rates (span, at, queue, task, state, n)
select span, at, queue, task, what, sum(n)
from (
    select queue, task, state as what, sum(n) as n from penstock.count_deltas
    where n > 0 and state in ('completed', 'cancelled', 'discarded', 'retryable') group by queue, task, state
    union all
    select queue, task, 'enqueued', sum(n) from penstock.count_deltas
    where n > 0 or state not in ('completed', 'cancelled', 'discarded') group by queue, task
) as s cross join (
    select 'minute' as span, penstock.now() / 60000 * 60000 as at
    union all
    select 'hour', penstock.now() / 3600000 * 3600000
) as t
where true
group by span, at, queue, task, what
having sum(n) <> 0
on conflict (span, at, queue, task, state) do update set n = penstock.job_rates.n + excluded.n;
insert into penstock.counts (queue, task, state, slot, n)
select queue, task, state, slot, sum(n) from penstock.count_deltas where true group by queue, task, state, slot
on conflict (queue, task, state, slot) do update set n = penstock.counts.n + excluded.n;
delete from penstock.count_deltas;

-- name: counts_waiting
-- dialect: postgres
-- differs: begins where the last fold did
select exists (
    select xact from penstock.count_deltas
    where xact >= (
        select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end from penstock.count_folds
    )
    order by xact limit (select 1)
);

-- name: counts_waiting
-- dialect: sqlite
-- differs: no dead row is in the way
select exists (select 1 from penstock.count_deltas);

-- name: counts
-- dialect: postgres
-- differs: begins where the last fold did
select queue, task, state, sum(n) from (
    select queue, task, state, n from penstock.counts
    union all
    select queue, task, state, n from (
        select queue, task, state, n from penstock.count_deltas
        where xact >= (
            select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end
            from penstock.count_folds
        )
        order by xact limit (select 1000000000)
    ) as d
) as c
group by queue, task, state
having sum(n) <> 0
order by queue, task, state;

-- name: counts
-- dialect: sqlite
-- differs: no dead row is in the way
select queue, task, state, sum(n) from (
    select queue, task, state, n from penstock.counts
    union all
    select queue, task, state, n from penstock.count_deltas
) as c
group by queue, task, state
having sum(n) <> 0
order by queue, task, state;

-- name: executing_counts
-- dialect: postgres
-- differs: each dialect keeps the ids of a lease in its own way
select j.queue, j.task, count(*)
from penstock.leases l cross join unnest(l.job_ids) as e (id) cross join lateral (
    select queue, task from penstock.live_jobs
    where id = e.id and lease < l.id and state = 'available' limit (select 1)
) j
group by j.queue, j.task;

-- name: executing_counts
-- dialect: sqlite
-- differs: each dialect keeps the ids of a lease in its own way
select j.queue, j.task, count(*)
from penstock.leases l cross join json_each(l.job_ids) e
join penstock.live_jobs j on j.id = e.value and j.lease < l.id and j.state = 'available'
group by j.queue, j.task;

-- name: marks_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading every mark
-- A mark says nothing any more once every live job is younger; a requeued job may be marked under its old number.
-- One that was just made is kept for a while, for the transactions that overlap it.
delete from penstock.tag_marks
where number = any (array (
    select number from penstock.tag_marks
    where number <= coalesce((select min(id) from penstock.live_jobs), number) and marked_at < penstock.now() - 60000
    order by number
    limit (select :count)
));

-- name: marks_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.tag_marks
where number in (
    select number from penstock.tag_marks
    where number <= coalesce((select min(id) from penstock.live_jobs), number) and marked_at < penstock.now() - 60000
    order by number
    limit (select :count)
);

-- name: keys_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading every key
delete from penstock.unique_keys
where key = any (array (
    select key from penstock.unique_keys where until <= (select penstock.now()) order by until limit (select :count)
));

-- name: keys_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.unique_keys
where key in (
    select key from penstock.unique_keys where until <= (select penstock.now()) order by until limit (select :count)
);

-- name: keys_release
-- dialect: postgres
-- differs: on SQLite nobody holds a key while another one writes
with held as materialized (
    select u.key, u.job_id from penstock.keys_left l
    join penstock.unique_keys u on u.key = l.key and u.job_id = l.job_id
    limit (select 1000)
    for update of u skip locked
), freed as (
    delete from penstock.unique_keys u using penstock.keys_left l
    where u.key = any (array (select key from held)) and u.key = l.key and u.job_id = l.job_id
      and not l.state = any (u.keeps)
), bounded as (
    update penstock.unique_keys u set until = l.until from penstock.keys_left l
    where u.key = any (array (select key from held)) and u.key = l.key and u.job_id = l.job_id
      and l.state = any (u.keeps) and u.until is null and l.until is not null
)
delete from penstock.keys_left l
where l.job_id = any (array (select job_id from held))
   or not exists (select 1 from penstock.unique_keys u where u.key = l.key and u.job_id = l.job_id)
returning key;

-- name: keys_release
-- dialect: sqlite
-- differs: on SQLite nobody holds a key while another one writes
select 1;

-- name: progress_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading more than it has to
delete from penstock.progress
where job_id = any (array (
    select p.job_id from penstock.progress p
    where p.told_at < (select penstock.now()) - 3600000
      and not exists (select 1 from penstock.live_jobs j where j.id = p.job_id)
    limit (select :count)
));

-- name: progress_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.progress
where job_id in (
    select p.job_id from penstock.progress p
    where p.told_at < (select penstock.now()) - 3600000
      and not exists (select 1 from penstock.live_jobs j where j.id = p.job_id)
    limit (select :count)
);

-- name: attempt_errors_prune
-- dialect: postgres
-- differs: finished jobs go by whole parts, which tell of no ids; on SQLite `finished_prune` takes the errors along
-- Each is looked at when its job is to be pruned. One whose job lives, or stays on in its part, is looked at the more rarely
-- the older it is, so that nothing is looked at often.
with due as materialized (
    select job_id, lease, failed_at from penstock.attempt_errors
    where look_at <= (select penstock.now()) order by look_at limit (select :count) for update skip locked
), judged as materialized (
    select d.job_id, d.lease, case
        when l.id is null and f.prune_at is null then null
        when l.id is null and f.prune_at > now then f.prune_at
        else now + greatest(3600000, (now - d.failed_at) / 8) end as again
    from due d cross join (select penstock.now() as now offset 0) as clock
    left join lateral (select id from penstock.live_jobs where id = d.job_id limit (select 1)) l on true
    left join lateral (select prune_at from penstock.finished_jobs where id = d.job_id limit (select 1)) f on true
), gone as (
    delete from penstock.attempt_errors e using judged j
    where e.job_id = any (array (select job_id from judged)) and e.job_id = j.job_id and e.lease = j.lease and j.again is null
), later as (
    update penstock.attempt_errors e set look_at = j.again from judged j
    where e.job_id = any (array (select job_id from judged)) and e.job_id = j.job_id and e.lease = j.lease
      and j.again is not null
)
select again is null as gone from judged;

-- name: attempt_errors_prune
-- dialect: sqlite
-- differs: see above
select false as gone where :count < 0;

-- name: results_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading every result
delete from penstock.job_results
where job_id = any (array (
    select job_id from penstock.job_results where prune_at <= (select penstock.now()) order by prune_at limit (select :count)
));

-- name: results_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.job_results
where job_id in (
    select job_id from penstock.job_results where prune_at <= (select penstock.now()) order by prune_at limit (select :count)
);

-- name: cancellations_prune
delete from penstock.cancellations
where not exists (select 1 from penstock.live_jobs j where j.id = penstock.cancellations.job_id);

-- name: stacks_prune
delete from penstock.worker_stacks
where asked_at < penstock.now() - 600000
   or not exists (select 1 from penstock.workers w where w.id = penstock.worker_stacks.worker_id);

-- name: impatient
-- dialect: postgres
-- differs: SQLite has one writer, who waits for nobody
-- To empty a table takes a lock that everybody else would queue behind.
select set_config('lock_timeout', '100ms', true);

-- name: impatient
-- dialect: sqlite
-- differs: SQLite has one writer, who waits for nobody
select true;

-- name: slots_used
-- dialect: postgres
-- differs: see slot_expired
-- The catalogue tells which of these tables have any rows: none of those that have not is asked by itself.
select relname::text as slot from pg_catalog.pg_class
where relnamespace = 'penstock'::regnamespace and relname = any (:slots::text[]) and pg_catalog.pg_relation_size(oid) > 0
order by relname;

-- name: slots_used
-- dialect: sqlite
-- differs: see slot_expired
select value as slot from json_each(:slots) where false;

-- name: slot_expired
-- dialect: postgres
-- differs: SQLite has no partitions: there rows go in small batches
select exists (select 1 from penstock.slot)
   and not exists (select 1 from penstock.slot where prune_at > (select penstock.now()));

-- name: slot_expired
-- dialect: sqlite
-- differs: SQLite has no partitions: there rows go in small batches
select true;

-- name: slot_empty
-- dialect: postgres
-- differs: see slot_expired
truncate penstock.slot;

-- name: slot_empty
-- dialect: sqlite
-- differs: see slot_expired
select 1;

-- name: slot_unfold
-- Before `slot_uncount`, and a statement of its own: where somebody is folding these, it waits, and the next one sees what
-- became of them.
delete from penstock.count_deltas where slot = :slot and state in ('completed', 'cancelled', 'discarded');

-- name: slot_uncount
delete from penstock.counts where slot = :slot and state in ('completed', 'cancelled', 'discarded');

-- name: finished_prune
-- dialect: postgres
-- differs: only what is kept for longer than the slots reach goes row by row
with gone as (
    delete from penstock.finished_jobs
    where slot = 20 and id = any (array (
        select id from penstock.finished_jobs where slot = 20 and prune_at <= (select penstock.now()) limit (select :count)
    ))
    returning id, queue, task, state, slot
), failures as (
    delete from penstock.attempt_errors where job_id = any (array (select id from gone))
), counts as (
    insert into penstock.count_deltas (queue, task, state, slot, n)
    select queue, task, state, slot, -count(*) from gone group by queue, task, state, slot
)
select id from gone;

-- name: finished_prune
-- dialect: sqlite
-- differs: several statements in one transaction, each about the same rows: those past their time when the first of them
-- noted it
insert into penstock.sequences (name, value) values ('prune', penstock.now())
on conflict (name) do update set value = excluded.value;
insert into penstock.count_deltas (queue, task, state, slot, n)
select queue, task, state, slot, -count(*) from (
    select queue, task, state, slot from penstock.finished_jobs
    where prune_at <= (select value from penstock.sequences where name = 'prune') order by prune_at, id limit (select :count)
) group by queue, task, state, slot;
delete from penstock.attempt_errors
where job_id in (
    select id from penstock.finished_jobs
    where prune_at <= (select value from penstock.sequences where name = 'prune') order by prune_at, id limit (select :count)
);
delete from penstock.finished_jobs
where id in (
    select id from penstock.finished_jobs
    where prune_at <= (select value from penstock.sequences where name = 'prune') order by prune_at, id limit (select :count)
)
returning id;
