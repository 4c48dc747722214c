-- Plans that runs are bound to. A plan is wanted while a run is live, or requested, whose options name it.

-- name: plan_note
insert into penstock.sync_plans (sync, layers, loaded_at) values (:sync, :layers, penstock.now()) returning id;

-- name: plan_declare
update penstock.sync_plans set layers = :layers where id = :plan_id;

-- name: planned_add
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
insert into penstock.planned_changes (plan_id, subject, layer, key, kind, digest, remote_id)
select plan_id, subject, layer, key, kind, digest, remote_id
from unnest(:plan_id::bigint[], :subject::text[], :layer::text[], :key::text[], :kind::text[], :digest::bytea[],
            :remote_id::text[]) as s (plan_id, subject, layer, key, kind, digest, remote_id)
on conflict do nothing;

-- name: planned_add
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
insert into penstock.planned_changes (plan_id, subject, layer, key, kind, digest, remote_id)
values (:plan_id, :subject, :layer, :key, :kind, :digest, :remote_id)
on conflict do nothing;

-- name: plan_layers
select layers from penstock.sync_plans where id = :plan_id and sync = :sync;

-- name: planned_count
select count(*) from penstock.planned_changes where plan_id = :plan_id;

-- name: planned_count_of_subject
select count(*) from penstock.planned_changes where plan_id = :plan_id and subject = :subject;

-- name: planned_any
select exists (
    select 1 from penstock.planned_changes where plan_id = :plan_id and subject = :subject and layer = :layer
);

-- name: planned_named
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, kind, digest, remote_id from penstock.planned_changes
where plan_id = :plan_id and subject = :subject and layer = :layer and key = any (:keys);

-- name: planned_named
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, kind, digest, remote_id from penstock.planned_changes
where plan_id = :plan_id and subject = :subject and layer = :layer and key in (select value from json_each(:keys));

-- name: planned_page
select key, kind, digest, remote_id from penstock.planned_changes
where plan_id = :plan_id and subject = :subject and layer = :layer and key > :after
order by key
limit :count;

-- name: plan_wanted
select exists (select 1 from penstock.sync_requests where options = :options)
    or exists (select 1 from penstock.sync_runs where status in ('pending', 'running') and options = :options);

-- name: plans_left_behind
select p.id from penstock.sync_plans p
where p.loaded_at < penstock.now() - :kept_ms
  and not exists (
      select 1 from penstock.sync_requests r where r.options = '{"plan":' || cast(p.id as text) || '}'
  )
  and not exists (
      select 1 from penstock.sync_runs u
      where u.status in ('pending', 'running') and u.options = '{"plan":' || cast(p.id as text) || '}'
  )
order by p.id;

-- name: planned_remove
delete from penstock.planned_changes
where plan_id = :plan_id and (subject, layer, key) in (
    select subject, layer, key from penstock.planned_changes where plan_id = :plan_id limit :count
);

-- name: plan_remove
delete from penstock.sync_plans where id = :plan_id;
