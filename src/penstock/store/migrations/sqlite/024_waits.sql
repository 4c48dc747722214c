-- Jobs that wait for others, and batches. A waiting job is pending, without a place in any line, while its `waits` are above
-- 0; each is a row of `job_waits`. Whatever others wait for, a job or a batch, has its number from the same sequence. What
-- happens to it is inserted as news, which the dispatcher folds: `batches` is its own, and nobody else touches it.

alter table penstock_live_jobs add column batch integer;
alter table penstock_live_jobs add column awaited integer;
alter table penstock_live_jobs add column waits integer;
alter table penstock_finished_jobs add column batch integer;

create table penstock_job_waits (
    on_id   integer not null,
    job_id  integer not null,
    anyway  integer not null,
    primary key (on_id, job_id)
) without rowid;
create index penstock_job_waits_job on penstock_job_waits (job_id);

create table penstock_wait_news (
    number  integer primary key,
    id      integer not null,
    batch   integer not null,
    what    text not null,
    n       integer not null default 1
);

create table penstock_waits_ended (
    on_id   integer not null,
    job_id  integer not null,
    state   text not null,
    fails   integer not null,
    primary key (on_id, job_id)
) without rowid;

create table penstock_kept_news (
    job_id   integer primary key,
    lease    integer not null,
    awaited  integer not null,
    batch    integer
);

create table penstock_batches (
    id           integer primary key,
    closed       integer not null,
    total        integer not null,
    completed    integer not null,
    cancelled    integer not null,
    discarded    integer not null,
    made_at      integer not null,
    finished_at  integer,
    prune_at     integer
);
create index penstock_batches_prune on penstock_batches (prune_at) where prune_at is not null;
