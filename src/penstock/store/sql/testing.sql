-- What `penstock.testing` asks of a store: what waits in it, to let it come before its time, and what to
-- empty.

-- name: queues_ready
select distinct queue from penstock.ready_jobs order by queue;

-- name: jobs_waiting
select id, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at, tags
from penstock.jobs
where state in ('scheduled', 'pending', 'available', 'retryable') and (cast(:task as text) is null or task = :task)
order by id;

-- name: jobs_later
select id, queue from penstock.live_jobs
where state in ('scheduled', 'retryable') and run_at <= :until
order by run_at, id;

-- name: bring_forward
update penstock.live_jobs set run_at = penstock.now() - :ago_ms
where id = :id and state in ('scheduled', 'retryable');

-- name: lines_paced
select exists (select 1 from penstock.lines where held = 'pace');

-- name: lines_unpaced
update penstock.lines set held = null, until_at = null, paced_us = null where held = 'pace' returning line;

-- name: tables
-- dialect: postgres
-- differs: each dialect has its own catalogue
select relname from pg_catalog.pg_class
where relnamespace = to_regnamespace('penstock') and relkind in ('r', 'p') and not relispartition;

-- name: tables
-- dialect: sqlite
-- differs: each dialect has its own catalogue
select substr(name, 10) from sqlite_master where type = 'table' and name like 'penstock^_%' escape '^';
