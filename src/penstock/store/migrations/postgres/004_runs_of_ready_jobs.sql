-- A ready row stands for so many jobs with consecutive ids (see sql/enqueue.sql).

alter table penstock.ready_jobs add column jobs integer not null default 1;
