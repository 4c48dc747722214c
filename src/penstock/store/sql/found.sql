-- One job with all that is known of it, for people.

-- name: job_found
-- Everything of one job that lies in one row of each table; first what `job` says of it.
select j.id, j.task, j.queue, j.priority, j.state, j.arguments, j.attempt, j.max_attempts, j.run_at, j.enqueued_at,
       j.attempted_at, j.finished_at, j.error_class, j.error, p.percent, p.note, p.cursor, j.tags, j.unique_key,
       coalesce(l.batch, f.batch) as batch, coalesce(l.line, f.line) as line, coalesce(l.also, f.also) as also,
       l.deadline_at, f.prune_at, c.asked_at, j.worker_id, w.name, j.lease, coalesce(l.lost, 0) as lost,
       coalesce(l.waits, 0) as waits, p.told_at,
       case when r.prune_at > penstock.now() then r.result end as result,
       case when r.prune_at > penstock.now() then r.prune_at end as result_until, penstock.now() as now
from penstock.jobs j
left join penstock.live_jobs l on l.id = j.id
left join penstock.finished_jobs f on f.id = j.id
left join penstock.workers w on w.id = j.worker_id
left join penstock.progress p on p.job_id = j.id
left join penstock.cancellations c on c.job_id = j.id
left join penstock.job_results r on r.job_id = j.id
where j.id = :id;

-- name: attempt_errors
-- The errors of its attempts, the newest first. That of the last one of a job that has ended is in its row; one that was
-- discarded by hand ended without an attempt.
select attempt, failed_at, error_class, error from (
    select lease, attempt, failed_at, error_class, error from penstock.attempt_errors where job_id = :id
    union all
    select lease, attempt, finished_at, error_class, error from penstock.finished_jobs
    where id = :id and state = 'discarded' and attempted_at is not null and error_class is not null
) as e
order by lease desc
limit (select :count);

-- name: job_awaited_by
select job_id from penstock.job_waits where on_id = :id order by job_id limit (select :count);
