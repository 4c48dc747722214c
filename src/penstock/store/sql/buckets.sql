-- Buckets: what a source said of ranges of its rows when all of their records were in step. A null digest: not all are.

-- name: buckets
select number, lower, row_count, digest, version from penstock.buckets
where layer_table = :layer_table and scope = :scope and subject = :subject;

-- name: bucket_save
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
insert into penstock.buckets (layer_table, scope, subject, number, lower, row_count, digest, version)
select layer_table, scope, subject, number, lower, row_count, digest, version
from unnest(:layer_table::text[], :scope::text[], :subject::text[], :number::integer[], :lower::text[], :row_count::bigint[],
            :digest::bytea[], :version::text[])
     as s (layer_table, scope, subject, number, lower, row_count, digest, version)
on conflict (layer_table, scope, subject, number) do update
set lower = excluded.lower, row_count = excluded.row_count, digest = excluded.digest, version = excluded.version;

-- name: bucket_save
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
insert into penstock.buckets (layer_table, scope, subject, number, lower, row_count, digest, version)
values (:layer_table, :scope, :subject, :number, :lower, :row_count, :digest, :version)
on conflict (layer_table, scope, subject, number) do update
set lower = excluded.lower, row_count = excluded.row_count, digest = excluded.digest, version = excluded.version;

-- name: buckets_remove
delete from penstock.buckets where layer_table = :layer_table and scope = :scope and subject = :subject;

-- name: buckets_forget
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.buckets
where layer_table = any (:layer_tables::text[]) and (scope = :scope::text or :scope::text is null);

-- name: buckets_forget
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.buckets
where layer_table in (select value from json_each(:layer_tables)) and (scope = :scope or :scope is null);

-- What is not synced has an index of its own, so that of the others not even the status is read.

-- name: state_live_count
select count(*) - (select count(*) from penstock.layer
                   where scope = :scope and status <> 'synced' and status in ('disabled', 'observed'))
from penstock.layer where scope = :scope;
