-- Why something waits: a few questions about one job or one subject, each answered by an index, and counts that end at a
-- bound.

-- name: why_job
select j.id, j.task, j.queue, j.priority, j.state, j.attempt, j.max_attempts, j.run_at, j.enqueued_at, j.attempted_at,
       j.finished_at, j.error_class, j.error, w.name, l.line, l.also, l.in_order, l.deadline_at, p.percent, p.note,
       p.cursor, c.asked_at, q.paused_at, l.waits, penstock.now() as now
from penstock.jobs j
left join penstock.live_jobs l on l.id = j.id
left join penstock.workers w on w.id = j.worker_id
left join penstock.progress p on p.job_id = j.id
left join penstock.cancellations c on c.job_id = j.id
left join penstock.queues q on q.queue = j.queue
where j.id = :id;

-- name: why_waits
-- What a job waits for, the oldest first.
select on_id from penstock.job_waits where job_id = :id order by on_id limit (select :count);

-- name: why_batch
select closed, total, total - completed - cancelled - discarded as pending, finished_at from penstock.batches where id = :id;

-- name: why_marked
-- dialect: postgres
-- differs: each dialect keeps tags in its own way
-- The mark of a tag that makes a job stale: the rule of claims.
select m.tag, m.marked_at from penstock.live_jobs j join penstock.tag_marks m on m.tag = any (j.tags)
where j.id = :id and m.number > coalesce(j.number, j.id)
order by m.marked_at
limit 1;

-- name: why_marked
-- dialect: sqlite
-- differs: each dialect keeps tags in its own way
select m.tag, m.marked_at
from penstock.live_jobs j cross join json_each(j.tags) t cross join penstock.tag_marks m
where j.id = :id and m.tag = t.value and m.number > coalesce(j.number, j.id)
order by m.marked_at
limit 1;

-- name: why_workers
-- Workers that renew, and the queues that they serve.
select id, name, started_at, queues from penstock.workers where expires_at >= penstock.now() order by id limit :count;

-- name: why_ready_before
-- dialect: postgres
-- differs: a ready row of PostgreSQL stands for many jobs
select coalesce(sum(jobs), 0) from (
    select jobs from penstock.ready_jobs
    where queue = :queue and (rank, id) < (cast(:rank as bigint), cast(:id as bigint))
    order by rank, id limit (select :count)
) as r;

-- name: why_ready_before
-- dialect: sqlite
-- differs: a ready row of SQLite stands for one job
select count(*) from (
    select id from penstock.ready_jobs
    where queue = :queue and (rank, id) < (:rank, :id)
    order by rank, id limit :count
);

-- name: why_line_before
select count(*) from (
    select id from penstock.pending_jobs
    where line = :line and (rank, id) < (cast(:rank as bigint), cast(:id as bigint))
    order by rank, id limit (select :count)
) as p;

-- name: why_line
select kind, room, account, running, most, served_at, gates, pace_us, paced_us, head_rank, head_id, head_priority,
       head_also, head_also_most, turn, served_id
from penstock.lines where line = :line;

-- name: why_gate
select state, until_at, reason from penstock.gates where key = :key and state <> 'open';

-- name: why_turns_before
select count(*) from (
    select line from penstock.lines
    where kind = :kind and room = :room and turn is not null and held is null and turn < :turn
    order by turn limit (select :count)
) as l;

-- name: why_first_turn
select line from penstock.lines
where kind = :kind and room = :room and turn is not null and held is null and turn < :turn
order by turn limit 1;

-- name: why_runs_before
select count(*) from (
    select id from penstock.sync_runs
    where sync = :sync and account = :account and status = 'pending' and not delayed
      and (requested_at - priority * cast(60000 as bigint), id) < (cast(:rank as bigint), cast(:id as bigint))
    order by requested_at - priority * cast(60000 as bigint), id
    limit (select :count)
) as r;

-- name: why_requests
-- Requests of one subject that are not folded, among the oldest.
select id, account, priority, reason, requested_at, options from (
    select id, sync, subject, account, priority, reason, requested_at, options from penstock.sync_requests
    order by id limit (select :count)
) as r
where sync = :sync and subject = :subject
order by id;

-- name: why_live_run
select id, account, status, priority, requested_at, run_at, started_at, attempt, job_id, error_class, error, options,
       penstock.now() as now
from penstock.sync_runs
where sync = :sync and subject = :subject and status in ('pending', 'running');

-- name: why_account_runs
-- The first few runs of an account that are under way.
select id, subject from penstock.sync_runs
where sync = :sync and account = :account and status = 'running'
order by id limit 3;

-- name: why_due
-- When a subject of a sync with every= is requested next.
select due_at from penstock.sync_subjects where sync = :sync and subject = :subject;
