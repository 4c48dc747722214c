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
    unclaimed_at bigint,
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
    unclaimed_at integer,
    unique (scope, key)
);

-- name: create_claims
-- dialect: postgres
-- differs: types
create table if not exists penstock.layer_claims (
    row_id   bigint not null,
    subject  text not null,
    primary key (subject, row_id)
);
create index if not exists layer_claims_row on penstock.layer_claims (row_id);

-- name: create_claims
-- dialect: sqlite
-- differs: types, and the table is its own index
create table if not exists penstock.layer_claims (
    row_id   integer not null,
    subject  text not null,
    primary key (subject, row_id)
) without rowid;

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

-- Claims: which subjects have a row of an account-scoped layer in their source. A row that loses its last claim is
-- unclaimed from then on.

-- name: claims_page
select row_id from penstock.layer_claims
where subject = :subject and row_id > :after
order by row_id
limit :count;

-- name: claims_drop
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.layer_claims where subject = :subject and row_id = any (:ids);

-- name: claims_drop
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.layer_claims where subject = :subject and row_id in (select value from json_each(:ids));

-- name: rows_unclaim
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.layer set unclaimed_at = penstock.now()
where id = any (:ids) and not exists (select 1 from penstock.layer_claims where row_id = penstock.layer.id);

-- name: rows_unclaim
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.layer set unclaimed_at = penstock.now()
where id in (select value from json_each(:ids)) and not exists (select 1 from penstock.layer_claims where row_id = penstock.layer.id);

-- name: claims_add
-- dialect: postgres
-- differs: each dialect takes an array in its own way
insert into penstock.layer_claims (row_id, subject)
select unnest(:ids::bigint[]), :subject
on conflict do nothing;

-- name: claims_add
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
insert into penstock.layer_claims (row_id, subject)
select value, :subject from json_each(:ids) where true
on conflict do nothing;

-- name: rows_claim
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.layer set unclaimed_at = null where id = any (:ids) and unclaimed_at is not null;

-- name: rows_claim
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.layer set unclaimed_at = null where id in (select value from json_each(:ids)) and unclaimed_at is not null;

-- name: state_ids
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select id from penstock.layer where scope = :scope and key = any (:keys);

-- name: state_ids
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select id from penstock.layer where scope = :scope and key in (select value from json_each(:keys));

-- name: rows_unclaimed
select id, key, parent_key, remote_id, version, status from penstock.layer
where scope = :scope and id > :after and unclaimed_at < :before and status not in ('disabled', 'observed')
order by id
limit :count;

-- name: rows_unclaimed_any
select exists (
    select 1 from penstock.layer
    where scope = :scope and unclaimed_at is not null and status not in ('disabled', 'observed')
);

-- name: read_completed
insert into penstock.sync_reads (layer_table, scope, subject, began_at)
values (:layer_table, :scope, :subject, :began_at)
on conflict (layer_table, scope, subject) do update set began_at = excluded.began_at;

-- name: reads_completed
select subject, began_at from penstock.sync_reads where layer_table = :layer_table and scope = :scope;
