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

-- name: touch
-- dialect: postgres
-- differs: there every transaction is begun by what is executed first
select true;

-- name: touch
-- dialect: sqlite
-- differs: sqlite3 begins one before the words that it knows, of which DELETE is one; this changes nothing
delete from penstock.sync_requests where false;
