-- What a dispatcher looks at in one step: whether there is anything to do, and the heads of lines by their turns.

-- name: lock_dispatch
-- dialect: postgres
-- differs: a lock of the transaction, which a pooler cannot strand; the number is 'dispatch' in ASCII. Whoever is cut off
-- within the transaction that holds it loses it after so long. Its commit waits for no disk: a step that a crash of the
-- server loses has not been, and whatever follows from one is written behind it in the same log
select pg_try_advisory_xact_lock(7235441155545719656) as locked, penstock.now() as now,
       set_config('idle_in_transaction_session_timeout', :idle_ms::text, true)
       || set_config('synchronous_commit', 'off', true) as settings;

-- name: lock_dispatch
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already, and a writer that is cut off has ended with its machine
select true as locked, penstock.now() as now, :idle_ms as settings;

-- name: dispatch_wanted
-- dialect: postgres
-- differs: begins where the last fold did, since dead rows linger
-- Whether a step has anything to do: news; a line with a turn or behind a gate, one whose time has come, a run that is due;
-- requests.
select exists (
    select xact from penstock.line_news
    where xact >= (
        select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end from penstock.line_folds
    )
    order by xact limit (select 1)
  ) as news,
  exists (select 1 from penstock.lines where turn is not null and held is null) as turns,
  exists (select 1 from penstock.lines where held >= 'gate:' and held < 'gate;') as behind_gates,
  exists (select 1 from penstock.lines where until_at <= (select penstock.now())) as passed,
  exists (
    select 1 from penstock.sync_runs where status = 'pending' and delayed and run_at <= (select penstock.now())
  ) as due,
  exists (select 1 from penstock.sync_requests) as requested,
  exists (
    select xact from penstock.wait_news
    where xact >= (
        select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end from penstock.wait_folds
    )
    order by xact limit (select 1)
  ) as waits;

-- name: dispatch_wanted
-- dialect: sqlite
-- differs: no dead row is in the way
select exists (select 1 from penstock.line_news) as news,
  exists (select 1 from penstock.lines where turn is not null and held is null) as turns,
  exists (select 1 from penstock.lines where held >= 'gate:' and held < 'gate;') as behind_gates,
  exists (select 1 from penstock.lines where until_at <= (select penstock.now())) as passed,
  exists (
    select 1 from penstock.sync_runs where status = 'pending' and delayed and run_at <= (select penstock.now())
  ) as due,
  exists (select 1 from penstock.sync_requests) as requested,
  exists (select 1 from penstock.wait_news) as waits;

-- name: dispatch_view
-- What a step admits by, few rows. What bars work from its turn: gates that are not open, and what is paused, as `pauses`
-- has it. The rooms in which any line has a turn, each found by its name beyond that of the one before; and how many runs of
-- a sync run.
with recursive room (kind, name) as (
    select k.kind, (select min(l.room) from penstock.lines l
                    where l.kind = k.kind and l.turn is not null and l.held is null)
    from (select 'run' as kind union all select 'job') k
    union all
    select room.kind, (select min(l.room) from penstock.lines l
                       where l.kind = room.kind and l.room > room.name and l.turn is not null and l.held is null)
    from room where name is not null
)
select 'gate' as kind, key as name, until_at, reason, 0 as running from penstock.gates where state <> 'open'
union all
select 'pause', what, null, null, 0 from penstock.pauses
union all
select 'pause', 'queue:' || queue, null, null, 0 from penstock.queues where paused_at is not null
union all
select kind, name, null, null, case when kind = 'run' then (
           select count(*) from penstock.sync_runs where status = 'running' and sync = room.name
       ) else 0 end
from room where name is not null;

-- name: lines_turns
select line, account, running, most, served_at, gates, pace_us, paced_us, head_rank, head_id, head_priority, head_also,
       head_also_most
from penstock.lines
where kind = :kind and room = :room and turn is not null and held is null
order by turn
limit (select :count);

-- name: lines_pieces
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- What waits behind the heads of lines with more places than one.
select e.line, p.rank, p.id, j.priority, j.also, j.also_most
from rows from (unnest(:lines::text[]), unnest(:ranks::bigint[]), unnest(:ids::bigint[])) as e (line, rank, id)
cross join lateral (
    select rank, id from penstock.pending_jobs where line = e.line and (rank, id) > (e.rank, e.id)
    order by rank, id limit (select :count)
) p
cross join lateral (
    select priority, also, case when also is not null then (terms::json ->> 'also')::integer end as also_most
    from penstock.live_jobs where id = p.id limit (select 1)
) j
order by p.rank, p.id;

-- name: lines_pieces
-- dialect: sqlite
-- differs: SQLite has no lateral joins: a correlated list of ids takes their place
select p.line, p.rank, p.id, j.priority, j.also, iif(j.also is null, null, j.terms ->> 'also') as also_most
from json_each(:lines) e
cross join json_each(:ranks) r on r.key = e.key
cross join json_each(:ids) i on i.key = e.key
cross join penstock.pending_jobs p on p.line = e.value and (p.rank, p.id) in (
    select rank, id from penstock.pending_jobs
    where line = e.value and (rank, id) > (r.value, i.value) order by rank, id limit :count
)
cross join penstock.live_jobs j on j.id = p.id
order by p.rank, p.id;

-- name: lines_running
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select line, running from penstock.lines where line = any (:lines);

-- name: lines_running
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select line, running from penstock.lines where line in (select value from json_each(:lines));
