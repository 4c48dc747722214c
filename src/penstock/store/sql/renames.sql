-- The tables of layers as the store knows them; and what is done where a layer, a sync or the fields of a key have another
-- name. `keys` are the fields of a layer's key and `keys_were` those before. A row of `layers` with the version -1 says where
-- the state went that this table had. Rows whose key begins with the character 2 are known by what their key was, those with
-- the character 1 were only observed.

-- name: layers_noted
select layer_table, version, sync, layer, created_at, keys, keys_were, first_table from penstock.layers;

-- name: layers_with_versions
select layer_table, version, sync, layer, created_at from penstock.layers;

-- name: layers_registered
select layer_table, 1 as version, sync, layer, created_at from penstock.layers;

-- name: layer_register
insert into penstock.layers (layer_table, sync, layer, created_at, version, keys, keys_were)
values (:layer_table, :sync, :layer, penstock.now(), :version, :keys, :keys_were)
on conflict (layer_table) do update set version = excluded.version;

-- name: layer_unregister
delete from penstock.layers where layer_table = :layer_table;

-- name: layer_note_keys
update penstock.layers set keys = :keys, keys_were = :keys_were where layer_table = :layer_table;

-- name: layer_brought
insert into penstock.layers (layer_table, sync, layer, created_at, version, keys, keys_were, first_table)
select cast(:layer_table as text), cast(:sync as text), cast(:layer as text), created_at, cast(:version as integer), keys,
       keys_were, coalesce(first_table, layer_table)
from penstock.layers where layer_table = :was;

-- name: layer_gone
update penstock.layers set version = :gone, sync = :sync, layer = :layer where layer_table = :layer_table;

-- name: layers_gone_follow
update penstock.layers set sync = :sync, layer = :layer
where version = :gone and sync = :was_sync and layer = :was_layer;

-- name: layer_has_rows
select exists (select 1 from penstock.layer);

-- name: layer_drop
drop table penstock.slot;

-- name: layer_bring
-- dialect: postgres
-- differs: the numbers of an identity column go on after the highest
insert into penstock.layer (id, scope, key, parent_key, remote_id, version, digest, fields, answered, status, error_class, error, attempts,
       retry_at, tried, changed_at, run_id, unclaimed_at)
select id, scope, key, parent_key, remote_id, version, digest, fields, answered, status, error_class, error, attempts,
       retry_at, tried, changed_at, run_id, unclaimed_at
from penstock.former;
select setval(pg_get_serial_sequence(min(tableoid)::regclass::text, 'id'), max(id)) from penstock.layer having count(*) > 0;

-- name: layer_bring
-- dialect: sqlite
-- differs: the numbers go on by themselves
insert into penstock.layer (id, scope, key, parent_key, remote_id, version, digest, fields, answered, status, error_class, error, attempts,
       retry_at, tried, changed_at, run_id, unclaimed_at)
select id, scope, key, parent_key, remote_id, version, digest, fields, answered, status, error_class, error, attempts,
       retry_at, tried, changed_at, run_id, unclaimed_at
from penstock.former;

-- name: claims_bring
insert into penstock.layer_claims (row_id, subject) select row_id, subject from penstock.former_claims;

-- name: layer_rows_remove
delete from penstock.slot where layer_table = :layer_table;

-- name: layer_rows_rename
update penstock.slot set layer_table = :layer_table where layer_table = :was;

-- name: approvals_rename
update penstock.approvals set sync = :sync, layer = :layer where layer_table = :layer_table;

-- Runs at work lose their lease, so that nothing is sent or saved any more on behalf of what they read, and begin again.

-- name: runs_put_back
update penstock.sync_runs
set status = 'pending', delayed = true, job_id = null, run_at = penstock.now(), attempt = case when lease is null then attempt else attempt - 1 end,
    lease = null
where sync = :sync and status = 'running';

-- name: requests_rename
update penstock.sync_requests set sync = :sync where sync = :was;

-- name: runs_request_again
insert into penstock.sync_requests (sync, subject, account, priority, reason, requested_at, options)
select cast(:sync as text), o.subject, o.account, o.priority, 'its sync was renamed', o.requested_at, o.options
from penstock.sync_runs o
where o.sync = :was and o.status = 'pending' and exists (
    select 1 from penstock.sync_runs n
    where n.sync = :sync and n.subject = o.subject and n.status in ('pending', 'running')
);

-- name: runs_supersede
update penstock.sync_runs
set status = 'cancelled', finished_at = penstock.now(), error_class = 'SyncRenamed',
    error = 'a run of this subject was under way under the new name of the sync; it was requested again'
where sync = :was and status = 'pending' and exists (
    select 1 from penstock.sync_runs n
    where n.sync = :sync and n.subject = penstock.sync_runs.subject and n.status in ('pending', 'running')
);

-- name: runs_rename
-- What is pending joins its new line with what has become due.
update penstock.sync_runs set sync = :sync, delayed = status = 'pending' where sync = :was and status <> 'running';

-- name: layer_keys_were
-- dialect: postgres
-- differs: each dialect writes a character by its number in its own way
update penstock.layer set key = chr(2) || key where key < chr(1) or key >= chr(3);

-- name: layer_keys_were
-- dialect: sqlite
-- differs: each dialect writes a character by its number in its own way
update penstock.layer set key = char(2) || key where key < char(1) or key >= char(3);

-- name: approvals_keys_were
-- dialect: postgres
-- differs: each dialect writes a character by its number in its own way
update penstock.approval_keys set key = chr(2) || key
where (key < chr(1) or key >= chr(3))
      and approval_id in (select id from penstock.approvals where layer_table = :layer_table);

-- name: approvals_keys_were
-- dialect: sqlite
-- differs: each dialect writes a character by its number in its own way
update penstock.approval_keys set key = char(2) || key
where (key < char(1) or key >= char(3))
      and approval_id in (select id from penstock.approvals where layer_table = :layer_table);

-- name: intents_keys_were
-- dialect: postgres
-- differs: each dialect opens a JSON array in its own way
update penstock.intents
set entries = (
    select coalesce(jsonb_agg(jsonb_set(entry, '{0}', to_jsonb(chr(2) || (entry ->> 0))))::text, '[]')
    from jsonb_array_elements(entries::jsonb) as e (entry)
)
where layer_table = :layer_table;

-- name: intents_keys_were
-- dialect: sqlite
-- differs: each dialect opens a JSON array in its own way
update penstock.intents
set entries = (
    select json_group_array(json_set(value, '$[0]', char(2) || (value ->> 0))) from json_each(entries)
)
where layer_table = :layer_table;

-- name: keys_were_any
-- dialect: postgres
-- differs: each dialect writes a character by its number in its own way
select exists (select 1 from penstock.layer where scope = :scope and key >= chr(2) and key < chr(3));

-- name: keys_were_any
-- dialect: sqlite
-- differs: each dialect writes a character by its number in its own way
select exists (select 1 from penstock.layer where scope = :scope and key >= char(2) and key < char(3));

-- name: rows_rekey
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
update penstock.layer as held set key = m.key
from unnest(:scope::text[], :was::text[], :key::text[]) as m (scope, was, key)
where held.scope = m.scope and held.key = m.was;

-- name: rows_rekey
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
update penstock.layer set key = :key where scope = :scope and key = :was;

-- name: rows_parent
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
update penstock.layer as held set parent_key = m.parent_key
from unnest(:scope::text[], :key::text[], :parent_key::text[]) as m (scope, key, parent_key)
where held.scope = m.scope and held.key = m.key and held.parent_key is distinct from m.parent_key;

-- name: rows_parent
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
update penstock.layer set parent_key = :parent_key
where scope = :scope and key = :key and parent_key is not :parent_key;
