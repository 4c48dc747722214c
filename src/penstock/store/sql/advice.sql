-- What was advised: plans by the fingerprint of their statement, so that another one is noticed.

-- name: explained_plans
-- The last seen first.
select shape, first_seen_at, last_seen_at, seen, flags, plan from penstock.plans
where fingerprint = :fingerprint and database = :database order by last_seen_at desc, shape limit :count;

-- name: explained_plan_put
insert into penstock.plans as p (fingerprint, database, shape, first_seen_at, last_seen_at, seen, flags, plan)
values (:fingerprint, :database, :shape, penstock.now(), penstock.now(), 1, :flags, :plan)
on conflict (fingerprint, database, shape) do update
set last_seen_at = excluded.last_seen_at, seen = p.seen + 1, flags = excluded.flags, plan = excluded.plan;

-- name: advice_put
-- What was decided about one candidate; made again, it keeps the time at which it was made first, and what became of it.
insert into penstock.advice as a (
    id, fingerprint, database, name, candidate, verdict, state, before, after, content, made_at, changed_at
)
values (
    :id, :fingerprint, :database, :name, :candidate, :verdict, 'proposed', :before, null, :content, penstock.now(),
    penstock.now()
)
on conflict (id) do update
set verdict = excluded.verdict, content = excluded.content,
    before = case when a.state = 'proposed' then excluded.before else a.before end,
    changed_at = case when a.state = 'proposed' then excluded.changed_at else a.changed_at end;

-- name: advice_of
-- The newest first; of all names where none is given.
select id, fingerprint, database, name, candidate, verdict, state, before, after, content, made_at, changed_at
from penstock.advice
where cast(:name as text) is null or name = :name
order by changed_at desc, id limit :count;

-- name: advice_one
select id, fingerprint, database, name, candidate, verdict, state, before, after, content, made_at, changed_at
from penstock.advice
where id = :id;

-- name: advice_becomes
update penstock.advice set state = :state, after = :after, changed_at = :changed_at where id = :id;
