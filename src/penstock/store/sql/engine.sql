-- The engine's own bookkeeping: time, leases, workers, migrations.

-- name: now
select penstock.now();

-- name: create_migrations
create table if not exists penstock.migrations (
    version     integer primary key,
    name        text not null,
    applied_at  bigint not null
);

-- name: create_schema
-- dialect: postgres
-- differs: SQLite has no schemas; a prefix takes their place
create schema if not exists penstock;

-- name: create_schema
-- dialect: sqlite
-- differs: SQLite has no schemas; a prefix takes their place
select 1;

-- name: lock_migrations
-- dialect: postgres
-- differs: a lock of the transaction, which a pooler cannot strand; the number is 'penstock' in ASCII
select pg_advisory_xact_lock(8099005270929402731);

-- name: lock_migrations
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already
select 1;

-- name: migrations_exist
-- dialect: postgres
-- differs: each dialect has its own catalogue
-- Not to_regclass: it looks into the session's cache, which may not know yet what another session has just committed.
select exists (select 1 from pg_catalog.pg_tables where schemaname = 'penstock' and tablename = 'migrations');

-- name: migrations_exist
-- dialect: sqlite
-- differs: each dialect has its own catalogue
select exists (select 1 from sqlite_master where name = 'penstock_migrations');

-- name: applied_migrations
select version from penstock.migrations order by version;

-- name: record_migration
insert into penstock.migrations (version, name, applied_at) values (:version, :name, penstock.now());

-- name: worker_start
insert into penstock.workers (name, started_at, expires_at, renewed_at)
values (:name, penstock.now(), penstock.now() + :lease_ms, penstock.now())
returning id;

-- name: worker_serves
update penstock.workers
set queues = :queues, slots = :slots, host = :host, pid = :pid, rss_bytes = :rss_bytes
where id = :worker_id;

-- name: worker_renew
update penstock.workers set expires_at = penstock.now() + :lease_ms, renewed_at = penstock.now() where id = :worker_id;

-- name: worker_renew_telling
-- The same, with what the worker has to say of itself just then.
update penstock.workers
set expires_at = penstock.now() + :lease_ms, renewed_at = penstock.now(), rss_bytes = :rss_bytes
where id = :worker_id;

-- name: worker_stop
delete from penstock.workers where id = :worker_id;

-- name: workers_expire
delete from penstock.workers where expires_at < penstock.now() returning id;

-- name: workers_alive
select count(*) from penstock.workers where expires_at >= penstock.now();

-- name: wake
-- dialect: postgres
-- differs: SQLite's other processes see a write by PRAGMA data_version
select pg_notify('penstock', '');

-- name: wake
-- dialect: sqlite
-- differs: SQLite's other processes see a write by PRAGMA data_version
select 1;
