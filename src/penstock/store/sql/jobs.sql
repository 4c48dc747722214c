-- Jobs: enqueue, claim, settle, stage, rescue. A settle is guarded by the lease that its claim handed out.

-- name: enqueue
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at)
select j.task, j.queue, j.priority,
       case when coalesce(j.run_at, penstock.now() + j.delay_ms) > penstock.now() then 'scheduled' else 'available' end,
       j.arguments, j.max_attempts, coalesce(j.run_at, penstock.now() + j.delay_ms), penstock.now()
from rows from (
         json_to_recordset(:jobs::json) as (task text, queue text, priority integer, arguments text,
                                            max_attempts integer, run_at bigint, delay_ms bigint)
     ) with ordinality as j (task, queue, priority, arguments, max_attempts, run_at, delay_ms, position)
order by j.position
returning id;

-- name: enqueue
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
insert into penstock.jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at)
select value ->> 'task', value ->> 'queue', value ->> 'priority',
       case when coalesce(value ->> 'run_at', penstock.now() + (value ->> 'delay_ms')) > penstock.now()
            then 'scheduled' else 'available' end,
       value ->> 'arguments', value ->> 'max_attempts',
       coalesce(value ->> 'run_at', penstock.now() + (value ->> 'delay_ms')), penstock.now()
from json_each(:jobs)
order by key
returning id;

-- name: claimable
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select exists (select 1 from penstock.jobs where state = 'available' and queue = any (:queues));

-- name: claimable
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select exists (
    select 1 from penstock.jobs where state = 'available' and queue in (select value from json_each(:queues))
);

-- name: claim
-- dialect: postgres
-- differs: rows that another claim has locked are skipped; the worker's row is held so that no rescue misses the claim
with me as (
    select id from penstock.workers where id = :worker_id for key share
), picked as materialized (
    select id from penstock.jobs
    where state = 'available' and queue = :queue
    order by priority desc, id
    limit :count
    for update skip locked
)
update penstock.jobs
set state = 'executing', lease = :lease, worker_id = me.id, attempt = attempt + 1, attempted_at = penstock.now()
from picked, me
where penstock.jobs.id = picked.id
returning penstock.jobs.id, task, queue, arguments, attempt, max_attempts, priority;

-- name: claim
-- dialect: sqlite
-- differs: there is one writer, so nothing can be locked by another claim
update penstock.jobs
set state = 'executing', lease = :lease, worker_id = :worker_id, attempt = attempt + 1,
    attempted_at = penstock.now()
where id in (
    select id from penstock.jobs
    where state = 'available' and queue = :queue
    order by priority desc, id
    limit :count
) and exists (select 1 from penstock.workers where id = :worker_id)
returning id, task, queue, arguments, attempt, max_attempts, priority;

-- name: claims_held
select id, lease from penstock.jobs where state = 'executing' and worker_id = :worker_id;

-- name: settle
-- dialect: postgres
-- differs: each dialect opens a JSON array of rows in its own way
update penstock.jobs
set state = s.state, lease = null, worker_id = null, error_class = s.error_class, error = s.error,
    attempt = attempt - s.given_back,
    run_at = case when s.state = 'retryable' then penstock.now() + s.delay_ms else run_at end,
    finished_at = case when s.state in ('completed', 'cancelled', 'discarded') then penstock.now() end
from json_to_recordset(:settled::json)
     as s (id bigint, lease bigint, state text, delay_ms bigint, given_back integer, error_class text, error text)
where penstock.jobs.id = s.id and penstock.jobs.lease = s.lease
returning penstock.jobs.id;

-- name: settle
-- dialect: sqlite
-- differs: each dialect opens a JSON array of rows in its own way
update penstock.jobs
set state = s.value ->> 'state', lease = null, worker_id = null,
    error_class = s.value ->> 'error_class', error = s.value ->> 'error',
    attempt = attempt - (s.value ->> 'given_back'),
    run_at = case when s.value ->> 'state' = 'retryable' then penstock.now() + (s.value ->> 'delay_ms') else run_at end,
    finished_at = case when s.value ->> 'state' in ('completed', 'cancelled', 'discarded') then penstock.now() end
from json_each(:settled) as s
where penstock.jobs.id = s.value ->> 'id' and penstock.jobs.lease = s.value ->> 'lease'
returning penstock.jobs.id;

-- name: stage
-- dialect: postgres
-- differs: rows that another stager has locked are skipped
with due as materialized (
    select id from penstock.jobs
    where state in ('scheduled', 'retryable') and run_at <= penstock.now()
    order by run_at
    limit :count
    for update skip locked
)
update penstock.jobs set state = 'available' from due where penstock.jobs.id = due.id;

-- name: stage
-- dialect: sqlite
-- differs: there is one writer, so nothing can be locked by another stager
update penstock.jobs set state = 'available'
where id in (
    select id from penstock.jobs
    where state in ('scheduled', 'retryable') and run_at <= penstock.now()
    order by run_at
    limit :count
);

-- name: next_due
select min(run_at) - penstock.now() from penstock.jobs where state in ('scheduled', 'retryable');

-- name: rescue
update penstock.jobs
set state = case when attempt < max_attempts then 'available' else 'discarded' end,
    finished_at = case when attempt < max_attempts then null else penstock.now() end,
    lease = null, worker_id = null, error_class = 'WorkerLost',
    error = 'the worker that ran this attempt stopped renewing its lease'
where state = 'executing'
  and not exists (select 1 from penstock.workers where penstock.workers.id = penstock.jobs.worker_id)
returning id, state;
