-- A caller's connection: what it leads to.

-- name: whereabouts
-- dialect: postgres
-- differs: a server is known by the moment at which it started, which every role may read, and SQLite by its file
select current_database()::text as place,
       cast(extract(epoch from pg_postmaster_start_time()) * 1000000 as bigint) as started,
       pg_is_in_recovery() as standby;

-- name: whereabouts
-- dialect: sqlite
-- differs: see above
select file as place, 0 as started, false as standby from pragma_database_list where seq = 0;

-- name: standing
-- dialect: postgres
-- differs: only PostgreSQL has standbys; `position` is what a primary has flushed and a standby replayed, `written` also
-- what a commit that waited for no disk has left behind
select current_database()::text as place, (select system_identifier from pg_control_system()) as system,
       pg_is_in_recovery() as standby,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end
        - '0/0'::pg_lsn)::bigint as position,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end
        - '0/0'::pg_lsn)::bigint as written,
       (extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::bigint as replayed_at,
       (extract(epoch from clock_timestamp()) * 1000)::bigint as real_ms;

-- name: standing
-- dialect: sqlite
-- differs: see above; a file is never behind itself
select file as place, 0 as system, false as standby, 0 as position, 0 as written, null as replayed_at,
       cast((julianday('now') - 2440587.5) * 86400000 as integer) as real_ms
from pragma_database_list where seq = 0;

-- name: touch
-- dialect: postgres
-- differs: there every transaction is begun by what is executed first
select true;

-- name: touch
-- dialect: sqlite
-- differs: sqlite3 begins one before the words that it knows, of which DELETE is one; this changes nothing
delete from penstock.sync_requests where false;
