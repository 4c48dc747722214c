-- What a store's surroundings say of themselves; nothing here looks at a table of ours.

-- name: health_settings
-- dialect: postgres
-- differs: each database has settings of its own
select name, setting from pg_catalog.pg_settings
where name in ('server_version', 'fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts',
               'default_transaction_read_only', 'max_connections')
union all
select 'in_recovery', pg_is_in_recovery()::text
order by name;

-- name: health_settings
-- dialect: sqlite
-- differs: each database has settings of its own
select 'journal_mode' as name, journal_mode as setting from pragma_journal_mode
union all
select 'synchronous', synchronous from pragma_synchronous
order by name;

-- name: health_holders
-- dialect: postgres
-- differs: on SQLite there is one writer, and the wait for its lock says who holds it
select 'session ' || pid || ' (' || concat_ws(', ', usename, nullif(application_name, ''), state) || ')' as holder,
       (extract(epoch from clock_timestamp() - xact_start) * 1000)::bigint as held_ms
from pg_catalog.pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and (state like 'idle in transaction%' or backend_xmin is not null)
  and xact_start < clock_timestamp() - :older_ms * interval '1 millisecond'
union all
select 'prepared transaction ' || gid, (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint
from pg_catalog.pg_prepared_xacts
where database = current_database() and prepared < clock_timestamp() - :older_ms * interval '1 millisecond'
union all
select 'replication slot ' || slot_name || ', which nobody uses', null
from pg_catalog.pg_replication_slots
where xmin is not null and not active
order by held_ms desc nulls last;

-- name: health_holders
-- dialect: sqlite
-- differs: there is one writer, and the wait for its lock says who holds it
select 1;

-- name: health_hidden
-- dialect: postgres
-- differs: SQLite has no roles
select count(*) from pg_catalog.pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and query = '<insufficient privilege>';

-- name: health_hidden
-- dialect: sqlite
-- differs: SQLite has no roles
select 1;

-- name: health_indexes
-- dialect: postgres
-- differs: only PostgreSQL leaves an index behind that could not be built
select indexrelid::regclass::text as name from pg_catalog.pg_index where not indisvalid order by 1;

-- name: health_indexes
-- dialect: sqlite
-- differs: only PostgreSQL leaves an index behind that could not be built
select 1;

-- name: health_unvacuumed
-- dialect: postgres
-- differs: SQLite has no vacuum that runs by itself
select c.relname from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral pg_options_to_table(c.reloptions) o
where n.nspname = 'penstock' and o.option_name = 'autovacuum_enabled' and not o.option_value::boolean
order by 1;

-- name: health_unvacuumed
-- dialect: sqlite
-- differs: SQLite has no vacuum that runs by itself
select 1;

-- name: health_own_indexes
-- dialect: postgres
-- differs: each database has a catalogue of its own
select indexname from pg_catalog.pg_indexes where schemaname = 'penstock';

-- name: health_own_indexes
-- dialect: sqlite
-- differs: each database has a catalogue of its own
select name from sqlite_master where type = 'index' and sql is not null;

-- name: health_connections
-- dialect: postgres
-- differs: a file has no server
select count(*) filter (where backend_type = 'client backend'),
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
from pg_catalog.pg_stat_activity;

-- name: health_connections
-- dialect: sqlite
-- differs: a file has no server
select 1;
