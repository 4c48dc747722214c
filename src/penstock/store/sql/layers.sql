-- The state of a layer: one row per record, no payloads. `digest` is what the destination surely has.

-- name: create_layer
-- dialect: postgres
-- differs: types and identity columns
create table if not exists penstock.layer (
    id           bigint generated always as identity primary key,
    scope        text collate "C" not null,
    key          text collate "C" not null,
    parent_key   text,
    remote_id    text,
    version      text,
    digest       bytea,
    status       text not null,
    error_class  text,
    error        text,
    changed_at   bigint not null,
    run_id       bigint,
    unique (scope, key)
);

-- name: create_layer
-- dialect: sqlite
-- differs: types and identity columns
create table if not exists penstock.layer (
    id           integer primary key autoincrement,
    scope        text not null,
    key          text not null,
    parent_key   text,
    remote_id    text,
    version      text,
    digest       blob,
    status       text not null,
    error_class  text,
    error        text,
    changed_at   integer not null,
    run_id       integer,
    unique (scope, key)
);

-- name: layer_register
insert into penstock.layers (layer_table, sync, layer, created_at) values (:layer_table, :sync, :layer, penstock.now());

-- name: layers_registered
select layer_table from penstock.layers order by layer_table;

-- name: state_lookup
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, remote_id, status, version
from penstock.layer where scope = :scope and key = any (:keys);

-- name: state_lookup
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, remote_id, status, version
from penstock.layer where scope = :scope and key in (select value from json_each(:keys));

-- name: state_digests
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, id, case when status = 'synced' then digest end
from penstock.layer where scope = :scope and key = any (:keys);

-- name: state_digests
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, id, case when status = 'synced' then digest end
from penstock.layer where scope = :scope and key in (select value from json_each(:keys));

-- name: state_digests_between
select key, id, case when status = 'synced' then digest end
from penstock.layer where scope = :scope and key between :first and :last
order by key
limit :count;

-- name: state_remote_ids
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, remote_id, status from penstock.layer where scope = :scope and key = any (:keys);

-- name: state_remote_ids
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, remote_id, status from penstock.layer
where scope = :scope and key in (select value from json_each(:keys));

-- name: state_taken
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select remote_id, scope, key from penstock.layer where remote_id = any (:remote_ids);

-- name: state_taken
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select remote_id, scope, key from penstock.layer where remote_id in (select value from json_each(:remote_ids));

-- name: state_count
select count(*) from penstock.layer where scope = :scope;

-- name: state_page
select id, key, parent_key, remote_id, version, status
from penstock.layer where scope = :scope and id > :after order by id limit :count;

-- name: state_settle
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
insert into penstock.layer as held (scope, key, parent_key, remote_id, version, digest, status, error_class, error,
                                    changed_at, run_id)
select scope, key, parent_key, remote_id, version, digest, status, error_class, error, penstock.now(), run_id
from unnest(:scope::text[], :key::text[], :parent_key::text[], :remote_id::text[], :version::text[],
            :digest::bytea[], :status::text[], :error_class::text[], :error::text[], :run_id::bigint[])
     as s (scope, key, parent_key, remote_id, version, digest, status, error_class, error, run_id)
on conflict (scope, key) do update
set parent_key = coalesce(excluded.parent_key, held.parent_key),
    remote_id = coalesce(excluded.remote_id, held.remote_id),
    version = case when excluded.status = 'synced' then excluded.version else held.version end,
    digest = case when excluded.status in ('blocked', 'failed') then held.digest else excluded.digest end,
    status = excluded.status, error_class = excluded.error_class, error = excluded.error,
    changed_at = excluded.changed_at, run_id = excluded.run_id;

-- name: state_settle
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
insert into penstock.layer as held (scope, key, parent_key, remote_id, version, digest, status, error_class, error,
                                    changed_at, run_id)
values (:scope, :key, :parent_key, :remote_id, :version, :digest, :status, :error_class, :error, penstock.now(),
        :run_id)
on conflict (scope, key) do update
set parent_key = coalesce(excluded.parent_key, held.parent_key),
    remote_id = coalesce(excluded.remote_id, held.remote_id),
    version = case when excluded.status = 'synced' then excluded.version else held.version end,
    digest = case when excluded.status in ('blocked', 'failed') then held.digest else excluded.digest end,
    status = excluded.status, error_class = excluded.error_class, error = excluded.error,
    changed_at = excluded.changed_at, run_id = excluded.run_id;

-- name: state_remove
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.layer where scope = :scope and key = any (:keys);

-- name: state_remove
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.layer where scope = :scope and key in (select value from json_each(:keys));

-- name: state_by_status
select status, count(*) from penstock.layer group by status order by status;
