-- Jobs that wait for others, and batches. A waiting job is pending, without a place in any line, while its `waits` are above
-- 0; each is a row of `job_waits`. Whatever others wait for, a job or a batch, has its number from the same sequence. What
-- happens to it is inserted as news, which the dispatcher folds: `batches` is its own, and nobody else touches it.

alter table penstock.live_jobs add column batch bigint;
alter table penstock.live_jobs add column awaited boolean;
alter table penstock.live_jobs add column waits integer;
alter table penstock.finished_jobs add column batch bigint;

create table penstock.job_waits (
    on_id   bigint not null,
    job_id  bigint not null,
    anyway  boolean not null,
    primary key (on_id, job_id)
);
create index job_waits_job on penstock.job_waits (job_id);

create table penstock.wait_news (
    id     bigint not null,
    batch  boolean not null,
    what   text not null,
    n      bigint not null default 1,
    xact   xid8 not null default pg_current_xact_id()
);
create index wait_news_xact on penstock.wait_news (xact);

create table penstock.wait_folds (
    xact  xid8 not null
);
insert into penstock.wait_folds (xact) values ('0');

create table penstock.kept_news (
    job_id   bigint primary key,
    lease    bigint not null,
    awaited  boolean not null,
    batch    bigint
);

create table penstock.batches (
    id           bigint primary key,
    closed       boolean not null,
    total        bigint not null,
    completed    bigint not null,
    cancelled    bigint not null,
    discarded    bigint not null,
    made_at      bigint not null,
    finished_at  bigint,
    prune_at     bigint
);
create index batches_prune on penstock.batches (prune_at) where prune_at is not null;
