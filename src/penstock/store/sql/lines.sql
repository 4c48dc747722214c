-- Lines: what the dispatcher folds, looks at and admits, always under the lock of dispatch. See docs/adr/015 and
-- docs/admission.md. `lines` is the dispatcher's own; others insert news of them.

-- name: lines_fold
-- dialect: postgres
-- differs: one statement with several writes. As counts_fold does, it begins at the oldest transaction that was open during
-- the fold before it; that is noted once a second, since each note leaves a dead row that the next fold meets.
-- News without `freed` bring the terms of their line, the newest wins. A line is looked at again from the lowest rank that
-- came (all of it where that is not told), and goes once nothing waits in it and nothing runs. Gives what else is to be
-- looked at: lines of runs, and lines whose places others await. Lines are found again by where they lie, which nobody else
-- changes: by their names, a plan made for any number of them compares each with each.
with since as materialized (
    select case when xact <= pg_snapshot_xmin(pg_current_snapshot()) then xact else '0' end as xact
    from penstock.line_folds
), found as materialized (
    select ctid as place from penstock.line_news where xact >= (select xact from since)
    order by xact limit (select :count::integer)
), gone as (
    delete from penstock.line_news where ctid = any (array (select place from found))
    returning line, freed, most, pace_us, gates, rank, xact
), noted as (
    update penstock.line_folds set xact = pg_snapshot_xmin(pg_current_snapshot())
    where :note::boolean and (select count(*) from found) < :count::integer
), news as materialized (
    select line, sum(freed)::integer as freed, bool_or(freed = 0) as told,
           bool_or(freed = 0 or rank is not null) as came,
           case when bool_or(freed = 0 and rank is null) then -4611686018427387904 else min(rank) end as low,
           (array_agg(most order by xact desc) filter (where freed = 0))[1] as most,
           (array_agg(pace_us order by xact desc) filter (where freed = 0))[1] as pace_us,
           (array_agg(gates order by xact desc) filter (where freed = 0))[1] as gates
    from gone group by line
), known as materialized (
    select n.line, n.freed, n.told, l.line is not null as is_there, l.place, coalesce(l.room, '') as room,
           case when n.told then n.most else l.most end as most,
           case when n.told then n.pace_us else l.pace_us end as pace_us,
           case when n.told then n.gates else l.gates end as gates,
           greatest(coalesce(l.running, 0) - n.freed, 0) as running, l.served_at, l.held, l.until_at, l.paced_us,
           coalesce(l.awaited, false) as awaited, l.head_rank, l.head_id, l.head_priority, l.head_also, l.head_also_most,
           case when n.came and (l.head_id is null or n.low <= l.head_rank) then n.line end as look, n.low
    from news n
    left join lateral (select *, ctid as place from penstock.lines where line = n.line limit (select 1)) l on true
    where n.line not like 'run:%'
), headed as materialized (
    select k.line, k.is_there, k.place, case when k.look is null then k.room else coalesce(h.queue, k.room) end as room,
           k.most, k.pace_us, k.gates, k.running, k.served_at, k.held, k.until_at, k.paced_us, k.awaited,
           case when k.look is null then k.head_rank else h.rank end as head_rank,
           case when k.look is null then k.head_id else h.id end as head_id,
           case when k.look is null then k.head_priority else j.priority end as head_priority,
           case when k.look is null then k.head_also else j.also end as head_also,
           case when k.look is null then k.head_also_most else j.also_most end as head_also_most,
           k.head_id as head_before
    from known k
    left join lateral (
        select rank, id, queue from penstock.pending_jobs where line = k.look and rank >= k.low
        order by rank, id limit (select 1)
    ) h on true
    left join lateral (
        select priority, also, case when also is not null then (terms::json ->> 'also')::integer end as also_most
        from penstock.live_jobs where id = h.id limit (select 1)
    ) j on true
), final as materialized (
    select h.*,
           case when head_id is not null and (most is null or running < most)
                then greatest(head_rank, least(coalesce(served_at, 0), (select penstock.now()))
                                         - head_priority * cast(60000 as bigint))
           end as turn,
           case when exists (select 1 from penstock.pauses where what = 'key:' || h.line) then 'pause'
                when held like 'gate:%' or held in ('pace', 'busy') or (held like 'also:%' and head_id = head_before)
                then held
           end as held_on
    from headed h
), went as (
    delete from penstock.lines
    where ctid = any (array (select place from final where is_there and head_id is null and running = 0 and not awaited))
), changed as (
    update penstock.lines l
    set kind = 'job', room = f.room, most = f.most, pace_us = f.pace_us, gates = f.gates, running = f.running, turn = f.turn,
        held = f.held_on, until_at = case when f.held_on in ('pace', 'busy') then f.until_at end, head_rank = f.head_rank,
        head_id = f.head_id, head_priority = f.head_priority, head_also = f.head_also, head_also_most = f.head_also_most
    from final f
    where l.ctid = f.place and (f.head_id is not null or f.running > 0 or f.awaited)
), begun as (
    insert into penstock.lines (line, kind, room, most, pace_us, gates, running, served_at, turn, held, until_at, paced_us,
                                awaited, head_rank, head_id, head_priority, head_also, head_also_most)
    select line, 'job', room, most, pace_us, gates, running, served_at, turn, held_on,
           case when held_on in ('pace', 'busy') then until_at end, paced_us, awaited, head_rank, head_id, head_priority,
           head_also, head_also_most
    from final where not is_there and (head_id is not null or running > 0)
)
select line, true as awaited, cast(null as bigint) as rank from final where awaited
union all
select line, false, case when came then low end from news where line like 'run:%';

-- name: lines_fold
-- dialect: sqlite
-- differs: several statements in one transaction, about the news up to the number that the first of them notes
insert into penstock.sequences (name, value)
select 'fold', max(id) from (select id from penstock.line_news order by id limit :count) having max(id) is not null
on conflict (name) do update set value = excluded.value;
with news as materialized (
    select line, sum(freed) as freed, max(case when freed = 0 then id end) as told,
           max(freed = 0 or rank is not null) as came,
           case when max(freed = 0 and rank is null) then -4611686018427387904 else min(rank) end as low
    from penstock.line_news
    where id <= (select value from penstock.sequences where name = 'fold') and line not like 'run:%' and :note is not null
    group by line
), known as materialized (
    select n.line, coalesce(l.room, '') as room, iif(n.told is null, l.most, t.most) as most,
           iif(n.told is null, l.pace_us, t.pace_us) as pace_us, iif(n.told is null, l.gates, t.gates) as gates,
           max(coalesce(l.running, 0) - n.freed, 0) as running, l.served_at, l.held, l.until_at, l.paced_us,
           coalesce(l.awaited, false) as awaited, l.head_rank, l.head_id, l.head_priority, l.head_also, l.head_also_most,
           n.came and (l.head_id is null or n.low <= l.head_rank) as look,
           iif(n.came and (l.head_id is null or n.low <= l.head_rank), (
               select p.id from penstock.pending_jobs p where p.line = n.line and p.rank >= n.low order by p.rank, p.id limit 1
           ), l.head_id) as id
    from news n left join penstock.lines l on l.line = n.line left join penstock.line_news t on t.id = n.told
), headed as materialized (
    select k.line, iif(k.look, coalesce(j.queue, k.room), k.room) as room, k.most, k.pace_us, k.gates, k.running,
           k.served_at, k.held, k.until_at, k.paced_us, k.awaited, k.head_id as head_before,
           iif(k.look, j.run_at - j.priority * 60000, k.head_rank) as head_rank, iif(k.look, j.id, k.head_id) as head_id,
           iif(k.look, j.priority, k.head_priority) as head_priority, iif(k.look, j.also, k.head_also) as head_also,
           iif(k.look, iif(j.also is null, null, j.terms ->> 'also'), k.head_also_most) as head_also_most
    from known k left join penstock.live_jobs j on j.id = k.id
), final as materialized (
    select h.*,
           case when head_id is not null and (most is null or running < most)
                then max(head_rank, min(coalesce(served_at, 0), penstock.now()) - head_priority * 60000) end as turn,
           case when exists (select 1 from penstock.pauses where what = 'key:' || h.line) then 'pause'
                when held like 'gate:%' or held in ('pace', 'busy') or (held like 'also:%' and head_id = head_before)
                then held
           end as held_on
    from headed h
)
insert into penstock.lines (line, kind, room, most, pace_us, gates, running, served_at, turn, held, until_at, paced_us,
                            awaited, head_rank, head_id, head_priority, head_also, head_also_most)
select line, 'job', room, most, pace_us, gates, running, served_at, turn, held_on,
       case when held_on in ('pace', 'busy') then until_at end, paced_us, awaited, head_rank, head_id, head_priority,
       head_also, head_also_most
from final where true
on conflict (line) do update
set kind = excluded.kind, room = excluded.room, most = excluded.most, pace_us = excluded.pace_us, gates = excluded.gates,
    running = excluded.running, turn = excluded.turn, held = excluded.held, until_at = excluded.until_at,
    head_rank = excluded.head_rank, head_id = excluded.head_id, head_priority = excluded.head_priority,
    head_also = excluded.head_also, head_also_most = excluded.head_also_most;
delete from penstock.lines
where head_id is null and running = 0 and not awaited and kind = 'job' and line in (
    select line from penstock.line_news where id <= (select value from penstock.sequences where name = 'fold')
);
delete from penstock.line_news
where id <= (select value from penstock.sequences where name = 'fold') and line not like 'run:%'
  and not exists (select 1 from penstock.lines l where l.line = penstock.line_news.line and l.awaited);
delete from penstock.line_news
where id <= (select value from penstock.sequences where name = 'fold')
returning line, line not like 'run:%' as awaited, rank;

-- name: lines_release_awaiting
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- As many lines as there are places now of a key that their heads count against too, in the order of their turns.
update penstock.lines set held = null where line = any (array (
    select w.line
    from unnest(:lines::text[]) as e (line)
    cross join lateral (select line, running, most from penstock.lines where line = e.line limit (select 1)) k
    cross join lateral (
        select line from penstock.lines where held = 'also:' || k.line order by turn
        limit (select greatest(coalesce(k.most, 1000) - k.running, 0))
    ) w
));

-- name: lines_release_awaiting
-- dialect: sqlite
-- differs: SQLite has no lateral joins; places are counted for each line that waits
update penstock.lines set held = null where line in (
    select line from (
        select w.line, row_number() over (partition by k.line order by w.turn) as place,
               coalesce(k.most, 1000) - k.running as places
        from json_each(:lines) e cross join penstock.lines k on k.line = e.value
        cross join penstock.lines w on w.held = 'also:' || k.line
    ) where place <= places
);

-- name: lines_unawaited
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.lines k set awaited = false
where line = any (:lines) and not exists (select 1 from penstock.lines w where w.held = 'also:' || k.line)
returning line;

-- name: lines_unawaited
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.lines as k set awaited = false
where line in (select value from json_each(:lines))
  and not exists (select 1 from penstock.lines w where w.held = 'also:' || k.line)
returning line;

-- name: lines_remove_idle
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.lines where line = any (:lines) and head_id is null and running = 0 and not awaited;

-- name: lines_remove_idle
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.lines
where line in (select value from json_each(:lines)) and head_id is null and running = 0 and not awaited;

-- name: lines_release_due
-- dialect: postgres
-- differs: an array keeps the planner from reading every line
update penstock.lines set held = null, until_at = null where line = any (array (
    select line from penstock.lines where until_at <= (select penstock.now()) order by until_at limit (select :count)
));

-- name: lines_release_due
-- dialect: sqlite
-- differs: see above
update penstock.lines set held = null, until_at = null where line in (
    select line from penstock.lines where until_at <= (select penstock.now()) order by until_at limit (select :count)
);

-- name: lines_release_all_due
-- After a clock that jumped back: what is held until a time that was near then.
update penstock.lines set until_at = penstock.now() where until_at > penstock.now();

-- name: lines_next_until
select min(until_at) - penstock.now() from penstock.lines where until_at is not null;

-- name: lines_release_held
-- dialect: postgres
-- differs: an array keeps the planner from reading every line
update penstock.lines set held = null where line = any (array (
    select line from penstock.lines where held = :held order by turn limit (select :count)
));

-- name: lines_release_held
-- dialect: sqlite
-- differs: see above
update penstock.lines set held = null where line in (
    select line from penstock.lines where held = :held order by turn limit (select :count)
);

-- name: lines_gates
-- The gates that hold any line: each is found by its key beyond that of the one before.
with recursive gate (held) as (
    select (select min(held) from penstock.lines where held >= 'gate:' and held < 'gate;')
    union all
    select (select min(l.held) from penstock.lines l where l.held > gate.held and l.held < 'gate;')
    from gate where held is not null
)
select held from gate where held is not null;

-- name: lines_hold
-- dialect: postgres
-- differs: each dialect takes rows in its own way
with e as materialized (
    select * from unnest(:lines::text[], :helds::text[], :until_ats::bigint[]) as e (line, held, until_at)
), awaited as (
    insert into penstock.lines (line, kind, room, awaited)
    select distinct substr(held, 6), 'key', '', true from e where held like 'also:%'
    on conflict (line) do update set awaited = true
)
update penstock.lines l set held = e.held, until_at = e.until_at from e
where l.line = any (array (select line from e)) and l.line = e.line
returning l.line;

-- name: lines_hold
-- dialect: sqlite
-- columns: lines helds until_ats
-- differs: several statements in one transaction
insert into penstock.lines (line, kind, room, awaited)
select distinct substr(value ->> 1, 6), 'key', '', true from json_each(:rows) where value ->> 1 like 'also:%'
on conflict (line) do update set awaited = true;
update penstock.lines as l set held = e.value ->> 1, until_at = e.value ->> 2
from json_each(:rows) e where l.line = e.value ->> 0
returning line;

-- name: lines_forget_sync
delete from penstock.lines where kind = 'run' and room = :was;

-- name: line_look
-- News that has a line looked at again, and says nothing else of it.
insert into penstock.line_news (line, freed) values (:line, 1), (:line, -1);
