-- What the guard counts, and what people are asked to approve. In a layer of subjects a scope is one subject, in one of
-- accounts an account. `removals` has a row for each run that deleted something within 24 hours; the guard itself bounds
-- how many that can be. Of a run that is under way, what it is `about_to` delete counts as well.

-- name: guard_lock
-- dialect: postgres
-- differs: runs of one layer decide one after the other
select layer_table from penstock.layers where layer_table = any (:tables) order by layer_table for update;

-- name: guard_lock
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already
select true;

-- name: removals_sums
select cast(coalesce(sum(case when run_id = :run_id then removed end), 0) as bigint) as own,
       cast(coalesce(sum(case when account = :account then removed end), 0) as bigint) as account_removed,
       cast(coalesce(sum(case when account = :account then about_to end), 0) as bigint) as account_about_to,
       cast(coalesce(sum(removed), 0) as bigint) as layer_removed,
       cast(coalesce(sum(about_to), 0) as bigint) as layer_about_to
from (
    select r.run_id, r.account,
           case when r.removed_at > penstock.now() - 86400000 then r.removed else 0 end as removed,
           case when u.id is null or r.run_id = :run_id then 0 else r.about_to end as about_to
    from penstock.removals r
    left join penstock.sync_runs u on u.id = r.run_id and u.status = 'running' and u.lease = r.lease
    where r.layer_table = :layer_table
) as counted;

-- name: removal_reserve
insert into penstock.removals (layer_table, run_id, account, lease, removed, about_to, removed_at)
values (:layer_table, :run_id, :account, :lease, 0, :about_to, penstock.now())
on conflict (layer_table, run_id) do update set lease = excluded.lease, about_to = excluded.about_to;

-- name: removal_count
update penstock.removals set removed = removed + :count, about_to = about_to - :count, removed_at = penstock.now()
where layer_table = :layer_table and run_id = :run_id;

-- name: removals_prune
delete from penstock.removals
where layer_table = :layer_table and run_id <> :run_id
      and (removed_at <= penstock.now() - 86400000 or removed = 0)
      and not exists (
          select 1 from penstock.sync_runs u where u.id = penstock.removals.run_id and u.status = 'running'
      );

-- name: rows_live
select count(*) from (
    select 1 from penstock.layer
    where scope = :scope and status not in ('disabled', 'observed') and (remote_id is not null or status = 'in_doubt')
    limit :count
) as counted;

-- name: rows_live_all
select count(*) from (
    select 1 from penstock.layer
    where status not in ('disabled', 'observed') and (remote_id is not null or status = 'in_doubt')
    limit :count
) as counted;

-- name: rows_live_of
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select count(*) from (
    select 1 from penstock.layer
    where scope = any (:scopes) and status not in ('disabled', 'observed')
          and (remote_id is not null or status = 'in_doubt')
    limit :count
) as counted;

-- name: rows_live_of
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select count(*) from (
    select 1 from penstock.layer
    where scope in (select value from json_each(:scopes)) and status not in ('disabled', 'observed')
          and (remote_id is not null or status = 'in_doubt')
    limit :count
) as counted;

-- name: managed_before
select exists (
    select 1 from penstock.layer where scope = :scope and status <> 'observed' and (run_id is null or run_id <> :run_id)
);

-- name: rows_still_unclaimed
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key from penstock.layer
where scope = :scope and key = any (:keys) and (unclaimed_at <= :at or (unclaimed_at is null and status = 'observed'))
      and not exists (select 1 from penstock.layer_claims where row_id = penstock.layer.id);

-- name: rows_still_unclaimed
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key from penstock.layer
where scope = :scope and key in (select value from json_each(:keys))
      and (unclaimed_at <= :at or (unclaimed_at is null and status = 'observed'))
      and not exists (select 1 from penstock.layer_claims where row_id = penstock.layer.id);

-- name: approvals_of_scope
select id, status, records, asked_at, case when expires_at <= penstock.now() then 1 else 0 end as expired
from penstock.approvals
where layer_table = :layer_table and scope = :scope and status <> 'noted'
order by id;

-- name: approvals_abandoned
select id from penstock.approvals
where layer_table = :layer_table and scope = :scope and status = 'noted' and (run_id = :run_id or not exists (
    select 1 from penstock.sync_runs u where u.id = penstock.approvals.run_id and u.status = 'running'
));

-- name: approvals_old
select id from penstock.approvals where expires_at <= penstock.now() - :kept_ms order by id limit :count;

-- name: approval_keys_named
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, approval_id from penstock.approval_keys where approval_id = any (:ids) and key = any (:keys);

-- name: approval_keys_named
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, approval_id from penstock.approval_keys
where approval_id in (select value from json_each(:ids)) and key in (select value from json_each(:keys));

-- name: approval_keys_page
select key from penstock.approval_keys where approval_id = :id and key > :after order by key limit :count;

-- name: approval_note
insert into penstock.approvals (layer_table, scope, sync, layer, subject, account, status, reason, records, run_id,
                                asked_at, expires_at)
values (:layer_table, :scope, :sync, :layer, :subject, :account, 'noted', :reason, 0, :run_id, penstock.now(),
        penstock.now())
returning id;

-- name: approval_keys_add
-- dialect: postgres
-- differs: each dialect takes an array in its own way
insert into penstock.approval_keys (approval_id, key) select :id, unnest(:keys::text[]) on conflict do nothing;

-- name: approval_keys_add
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
insert into penstock.approval_keys (approval_id, key) select :id, value from json_each(:keys) where true
on conflict do nothing;

-- name: approval_keys_move
-- dialect: postgres
-- differs: each dialect takes an array in its own way
insert into penstock.approval_keys (approval_id, key)
select :id, key from penstock.approval_keys where approval_id = any (:ids)
on conflict do nothing;

-- name: approval_keys_move
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
insert into penstock.approval_keys (approval_id, key)
select :id, key from penstock.approval_keys where approval_id in (select value from json_each(:ids))
on conflict do nothing;

-- name: approval_keys_remove
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.approval_keys where approval_id = any (:ids) and key = any (:keys);

-- name: approval_keys_remove
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.approval_keys
where approval_id in (select value from json_each(:ids)) and key in (select value from json_each(:keys));

-- name: approvals_recount
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.approvals
set records = (select count(*) from penstock.approval_keys where approval_id = penstock.approvals.id)
where id = any (:ids);

-- name: approvals_recount
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.approvals
set records = (select count(*) from penstock.approval_keys where approval_id = penstock.approvals.id)
where id in (select value from json_each(:ids));

-- name: approvals_carried_out
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.approvals where id = any (:ids) and records = 0;

-- name: approvals_carried_out
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.approvals where id in (select value from json_each(:ids)) and records = 0;

-- name: approvals_forget
-- dialect: postgres
-- differs: one statement with two writes
with keys as (delete from penstock.approval_keys where approval_id = any (:ids))
delete from penstock.approvals where id = any (:ids);

-- name: approvals_forget
-- dialect: sqlite
-- differs: two statements, one after the other
delete from penstock.approval_keys where approval_id in (select value from json_each(:ids));
delete from penstock.approvals where id in (select value from json_each(:ids));

-- name: approval_ask
update penstock.approvals
set status = 'asked', records = (select count(*) from penstock.approval_keys where approval_id = penstock.approvals.id),
    asked_at = penstock.now(), expires_at = penstock.now() + :expires_ms
where id = :id;

-- name: approvals_listed
select id, sync, layer, subject, account, status, records, reason, asked_at, expires_at, decided_at, decided_by
from penstock.approvals
where sync = :sync and status <> 'noted' and expires_at > penstock.now()
order by id;

-- name: approvals_decide
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.approvals
set status = :status, decided_at = penstock.now(), decided_by = :decided_by,
    expires_at = penstock.now() + expires_at - asked_at
where id = any (:ids) and sync = :sync and status = 'asked' and expires_at > penstock.now()
returning id;

-- name: approvals_decide
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.approvals
set status = :status, decided_at = penstock.now(), decided_by = :decided_by,
    expires_at = penstock.now() + expires_at - asked_at
where id in (select value from json_each(:ids)) and sync = :sync and status = 'asked' and expires_at > penstock.now()
returning id;
