-- What `penstock.testing` asks of a store: what waits in it, and to let it come before its time.

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
