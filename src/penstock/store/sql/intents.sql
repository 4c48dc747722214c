-- Intents: what a call is about to create (see sync/state/intents.py).

-- name: intend
insert into penstock.intents (layer_table, scope, run_id, entries, believed_at)
values (:layer_table, :scope, :run_id, :entries, penstock.now() + :wait_ms)
returning id;

-- name: intent_remove
delete from penstock.intents where id = :id;

-- name: intents_abandoned
-- Of attempts that are over: an earlier one at this run, or at one that nobody serves any more.
select id, entries, believed_at - penstock.now() from penstock.intents i
where i.layer_table = :layer_table and i.scope = :scope and (
    i.run_id = :run_id
    or not exists (select 1 from penstock.sync_runs r where r.id = i.run_id and r.status = 'running')
)
order by id;
