-- The cursor of a job, and the lease of the attempt that wrote it; and what bodies returned, where their tasks record it.

alter table penstock_progress add column lease integer not null default 0;
alter table penstock_progress add column cursor text;

create table penstock_job_results (
    job_id    integer primary key,
    prune_at  integer not null,
    result    text not null
);
create index penstock_job_results_prune on penstock_job_results (prune_at);
