-- Runs that wait: folded from requests, and admitted by the dispatcher. A run whose time has not come is `delayed`, and out
-- of the way of its line until then; the rank of the others is when they were asked for, less a minute for each point of
-- priority.
-- On PostgreSQL, who looks for runs by their ids writes `status || ''`: the planner would else read all that wait.

-- name: runs_pending
-- dialect: postgres
-- differs: each dialect takes rows in its own way
-- The pending runs of these subjects, at most one of each.
select u.id, u.sync, u.subject, u.account, u.priority, u.reasons, u.options
from unnest(:syncs::text[], :subjects::text[]) as e (sync, subject)
cross join lateral (
    select id, sync, subject, account, priority, reasons, options from penstock.sync_runs
    where sync = e.sync and subject = e.subject and status = 'pending' and status in ('pending', 'running')
    limit (select 1)
) u;

-- name: runs_pending
-- dialect: sqlite
-- columns: syncs subjects
-- differs: each dialect takes rows in its own way
select u.id, u.sync, u.subject, u.account, u.priority, u.reasons, u.options
from json_each(:rows) e
cross join penstock.sync_runs u on u.sync = e.value ->> 0 and u.subject = e.value ->> 1
where u.status = 'pending' and u.status in ('pending', 'running');

-- name: runs_create
-- dialect: postgres
-- differs: each dialect takes rows in its own way
insert into penstock.sync_runs (sync, subject, account, size, status, priority, reasons, requested_at, run_at, options)
select sync, subject, account, size, 'pending', priority, reasons, requested_at, penstock.now(), options
from unnest(:syncs::text[], :subjects::text[], :accounts::text[], :sizes::bigint[], :priorities::integer[], :reasons::text[],
            :requested_ats::bigint[], :options::text[])
    as e (sync, subject, account, size, priority, reasons, requested_at, options)
returning id;

-- name: runs_create
-- dialect: sqlite
-- columns: syncs subjects accounts sizes priorities reasons requested_ats options
-- differs: each dialect takes rows in its own way
insert into penstock.sync_runs (sync, subject, account, size, status, priority, reasons, requested_at, run_at, options)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'pending', value ->> 4, value ->> 5, value ->> 6, penstock.now(),
       value ->> 7
from json_each(:rows)
where true
returning id;

-- name: run_refuse
insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at, run_at,
                                finished_at, error_class, error, options)
values (:sync, :subject, '', 'failed', :priority, :reasons, :requested_at, penstock.now(), penstock.now(),
        :error_class, :error, :options)
returning id;

-- name: runs_fold
-- dialect: postgres
-- differs: each dialect takes rows in its own way
update penstock.sync_runs u set priority = e.priority, reasons = e.reasons
from unnest(:ids::bigint[], :priorities::integer[], :reasons::text[]) as e (id, priority, reasons)
where u.id = any (:ids::bigint[]) and u.id = e.id and u.status || '' = 'pending'
returning u.sync, u.account, u.delayed, u.requested_at - u.priority * cast(60000 as bigint) as rank;

-- name: runs_fold
-- dialect: sqlite
-- columns: ids priorities reasons
-- differs: each dialect takes rows in its own way
update penstock.sync_runs as u set priority = e.value ->> 1, reasons = e.value ->> 2
from json_each(:rows) e
where u.id = e.value ->> 0 and u.status = 'pending'
returning sync, account, delayed, requested_at - priority * cast(60000 as bigint) as rank;

-- name: runs_due
-- dialect: postgres
-- differs: an array keeps the planner from reading every run
-- Runs whose time has come join their lines.
update penstock.sync_runs set delayed = false where status || '' = 'pending' and id = any (array (
    select id from penstock.sync_runs where status = 'pending' and delayed and run_at <= (select penstock.now())
    order by run_at limit (select :count)
))
returning sync, account, requested_at - priority * cast(60000 as bigint) as rank;

-- name: runs_due
-- dialect: sqlite
-- differs: see above
update penstock.sync_runs set delayed = false where status = 'pending' and id in (
    select id from penstock.sync_runs where status = 'pending' and delayed and run_at <= (select penstock.now())
    order by run_at limit (select :count)
)
returning sync, account, requested_at - priority * cast(60000 as bigint) as rank;

-- name: runs_next_due
select min(run_at) - penstock.now() from penstock.sync_runs where status = 'pending' and delayed;

-- name: runs_running
select count(*) from penstock.sync_runs where status = 'running' and sync = :sync;

-- name: runs_behind
-- What waits behind the head of an account's line.
select id, subject, priority, requested_at - priority * cast(60000 as bigint) as rank
from penstock.sync_runs
where sync = :sync and account = :account and status = 'pending' and not delayed
  and (requested_at - priority * cast(60000 as bigint), id) > (:rank, :id)
order by requested_at - priority * cast(60000 as bigint), id
limit (select :count);

-- name: runs_lines
-- dialect: postgres
-- differs: one statement with several writes
-- Admits runs, each as the job that serves it, and brings the lines of accounts up to date: what runs is counted, and the
-- head looked for from the lowest rank that may have come (null: none came). A line goes once nothing waits in it and nothing
-- runs. Gives the runs that are admitted.
with e as materialized (
    select * from unnest(:lines::text[], :syncs::text[], :accounts::text[], :mosts::integer[], :gates::text[],
                         :lows::bigint[])
        as e (line, sync, account, most, gates, low)
), admitted as (
    update penstock.sync_runs u set status = 'running', job_id = a.job_id
    from unnest(:ids::bigint[], :job_ids::bigint[]) as a (id, job_id)
    where u.id = any (:ids::bigint[]) and u.id = a.id and u.status || '' = 'pending'
    returning u.id, u.sync, u.subject, u.account
), begun as materialized (
    select sync, account, count(*)::integer as runs from admitted group by sync, account
), known as materialized (
    select e.line, e.sync, e.account, coalesce(e.most, l.most) as most, coalesce(e.gates, l.gates) as gates, e.low,
           l.line is not null as is_there, l.held,
           case when b.runs > 0 then (select penstock.now()) else l.served_at end as served_at,
           l.head_rank, l.head_id, l.head_priority, coalesce(b.runs, 0) + (
               select count(*) from penstock.sync_runs
               where status = 'running' and sync = e.sync and account = e.account
           )::integer as running,
           case when l.head_id is null or e.low <= l.head_rank then e.low
                when (select id from penstock.sync_runs
                      where id = l.head_id and status || '' = 'pending' and not delayed limit (select 1)) is null
                then l.head_rank end as look
    from e left join lateral (select * from penstock.lines where line = e.line limit (select 1)) l on true
    left join begun b on b.sync = e.sync and b.account = e.account
), headed as materialized (
    select k.line, k.sync, k.account, k.most, k.gates, k.is_there, k.held, k.served_at, k.running,
           case when k.look is null then k.head_rank else h.rank end as head_rank,
           case when k.look is null then k.head_id else h.id end as head_id,
           case when k.look is null then k.head_priority else h.priority end as head_priority
    from known k left join lateral (
        select id, priority, requested_at - priority * cast(60000 as bigint) as rank from penstock.sync_runs
        where k.look is not null and sync = k.sync and account = k.account and status = 'pending' and not delayed
          and requested_at - priority * cast(60000 as bigint) >= k.look and id <> all (:ids::bigint[])
        order by requested_at - priority * cast(60000 as bigint), id
        limit (select 1)
    ) h on true
), went as (
    delete from penstock.lines
    where line = any (array (select line from headed where is_there and head_id is null and running = 0))
), written as (
    insert into penstock.lines (line, kind, room, account, most, gates, running, served_at, turn, held, head_rank, head_id,
                                head_priority)
    select line, 'run', sync, account, most, gates, running, served_at,
           case when head_id is not null and (most is null or running < most)
                then greatest(head_rank, least(coalesce(served_at, 0), (select penstock.now()))
                                         - head_priority * cast(60000 as bigint)) end,
           case when exists (select 1 from penstock.pauses where what = 'account:' || substr(line, 5)) then 'pause'
                when held like 'gate:%' then held end,
           head_rank, head_id, head_priority
    from headed where head_id is not null or running > 0
    on conflict (line) do update
    set most = excluded.most, gates = excluded.gates, running = excluded.running, served_at = excluded.served_at,
        turn = excluded.turn, held = excluded.held, until_at = null, head_rank = excluded.head_rank,
        head_id = excluded.head_id, head_priority = excluded.head_priority
)
select id, sync, subject from admitted;

-- name: runs_lines
-- dialect: sqlite
-- columns: lines syncs accounts mosts gates lows
-- differs: several statements in one transaction
update penstock.sync_runs as u set status = 'running', job_id = j.value
from json_each(:ids) i join json_each(:job_ids) j on j.key = i.key
where u.id = i.value and u.status = 'pending';
with e as materialized (
    select value ->> 0 as line, value ->> 1 as sync, value ->> 2 as account, value ->> 3 as most, value ->> 4 as gates,
           value ->> 5 as low
    from json_each(:rows)
), known as materialized (
    select e.line, e.sync, e.account, coalesce(e.most, l.most) as most, coalesce(e.gates, l.gates) as gates, l.held,
           iif(exists (
               select 1 from json_each(:ids) i cross join penstock.sync_runs u on u.id = i.value
               where u.status = 'running' and u.sync = e.sync and u.account = e.account
           ), penstock.now(), l.served_at) as served_at, (
               select count(*) from penstock.sync_runs u
               where u.status = 'running' and u.sync = e.sync and u.account = e.account
           ) as running,
           case when l.head_id is null or e.low <= l.head_rank then e.low
                when not exists (select 1 from penstock.sync_runs u
                                 where u.id = l.head_id and u.status = 'pending' and not u.delayed) then l.head_rank end
           as look, l.head_id as head_before
    from e left join penstock.lines l on l.line = e.line
), headed as materialized (
    select k.*, iif(k.look is null, k.head_before, (
               select u.id from penstock.sync_runs u
               where u.sync = k.sync and u.account = k.account and u.status = 'pending' and not u.delayed
                 and u.requested_at - u.priority * cast(60000 as bigint) >= k.look
               order by u.requested_at - u.priority * cast(60000 as bigint), u.id
               limit 1
           )) as head_id
    from known k
)
insert into penstock.lines (line, kind, room, account, most, gates, running, served_at, turn, held, head_rank, head_id,
                            head_priority)
select k.line, 'run', k.sync, k.account, k.most, k.gates, k.running, k.served_at,
       case when u.id is not null and (k.most is null or k.running < k.most)
            then max(u.requested_at - u.priority * 60000,
                     min(coalesce(k.served_at, 0), penstock.now()) - u.priority * 60000) end,
       case when exists (select 1 from penstock.pauses where what = 'account:' || substr(k.line, 5)) then 'pause'
            when k.held like 'gate:%' then k.held end,
       u.requested_at - u.priority * 60000, u.id, u.priority
from headed k left join penstock.sync_runs u on u.id = k.head_id
where true
on conflict (line) do update
set most = excluded.most, gates = excluded.gates, running = excluded.running, served_at = excluded.served_at,
    turn = excluded.turn, held = excluded.held, until_at = null, head_rank = excluded.head_rank,
    head_id = excluded.head_id, head_priority = excluded.head_priority;
delete from penstock.lines
where line in (select value ->> 0 from json_each(:rows)) and head_id is null and running = 0;
select u.id, u.sync, u.subject
from json_each(:ids) i join json_each(:job_ids) j on j.key = i.key
cross join penstock.sync_runs u on u.id = i.value and u.job_id = j.value;
