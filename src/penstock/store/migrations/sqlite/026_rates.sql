-- What jobs came to by minute and hour, for charts; and the way to the few jobs that did not complete among the many that
-- did: a completed one has no place in that index, and pays nothing for it.

create table penstock_job_rates (
    span   text not null check (span in ('minute', 'hour')),
    at     integer not null,
    queue  text not null,
    task   text not null,
    state  text not null,
    n      integer not null,
    primary key (span, at, queue, task, state)
) without rowid;

create index penstock_finished_jobs_uncompleted on penstock_finished_jobs (state, id) where state <> 'completed';
