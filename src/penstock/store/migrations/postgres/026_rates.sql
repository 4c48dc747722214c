-- What jobs came to by minute and hour, for charts; and the way to the few jobs that did not complete among the many that
-- did: a completed one has no place in that index, and pays nothing for it. What is due is listed in the order of its
-- index, page by page, also where many jobs are due at the same time.

create table penstock.job_rates (
    span   text not null check (span in ('minute', 'hour')),
    at     bigint not null,
    queue  text not null,
    task   text not null,
    state  text not null,
    n      bigint not null,
    primary key (span, at, queue, task, state)
);

create index finished_jobs_uncompleted on penstock.finished_jobs (state, id) where state <> 'completed';
drop index penstock.live_jobs_due;
create index live_jobs_due on penstock.live_jobs (run_at, id) where state in ('scheduled', 'retryable');
