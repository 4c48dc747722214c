-- The cursor of a job, and the lease of the attempt that wrote it; and what bodies returned, where their tasks record it.

alter table penstock.progress add column lease bigint not null default 0;
alter table penstock.progress add column cursor text;

create table penstock.job_results (
    job_id    bigint primary key,
    prune_at  bigint not null,
    result    text not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);
create index job_results_prune on penstock.job_results (prune_at);
