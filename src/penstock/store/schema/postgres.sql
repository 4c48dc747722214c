-- The whole schema as it is today, to be read. It is the sum of the migrations (a test compares the two), and `penstock
-- migrate` applies those, never this file. The tables of layers are not here: see `create_layer` in ../sql/layers.sql.
-- Times are milliseconds since 1970 in UTC, always by the database's clock.

create schema penstock;

create table penstock.migrations (
    version     integer primary key,
    name        text not null,
    applied_at  bigint not null
);

create sequence penstock.lease_seq;

create table penstock.workers (
    id          bigint generated always as identity primary key,
    name        text not null,
    started_at  bigint not null,
    expires_at  bigint not null
);

create table penstock.jobs (
    id            bigint generated always as identity primary key,
    task          text not null,
    queue         text not null,
    priority      integer not null default 0,
    state         text not null check (state in ('scheduled', 'pending', 'available', 'executing', 'retryable',
                                                 'completed', 'cancelled', 'discarded')),
    arguments     text not null,
    attempt       integer not null default 0,
    max_attempts  integer not null,
    run_at        bigint not null,
    enqueued_at   bigint not null,
    attempted_at  bigint,
    finished_at   bigint,
    lease         bigint,
    worker_id     bigint,
    error_class   text,
    error         text
);
create index jobs_available on penstock.jobs (queue, priority desc, id) where state = 'available';
create index jobs_due on penstock.jobs (run_at) where state in ('scheduled', 'retryable');
create index jobs_executing on penstock.jobs (worker_id) where state = 'executing';

create table penstock.sync_requests (
    id            bigint generated always as identity primary key,
    sync          text not null,
    subject       text not null,
    account       text,
    priority      integer not null,
    reason        text not null,
    requested_at  bigint not null
);

create table penstock.sync_runs (
    id            bigint generated always as identity primary key,
    sync          text not null,
    subject       text not null,
    account       text not null,
    size          bigint,
    status        text not null check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    priority      integer not null,
    reasons       text not null,
    requested_at  bigint not null,
    run_at        bigint not null,
    started_at    bigint,
    finished_at   bigint,
    attempt       integer not null default 0,
    lease         bigint,
    job_id        bigint,
    read          bigint not null default 0,
    created       bigint not null default 0,
    updated       bigint not null default 0,
    deleted       bigint not null default 0,
    skipped       bigint not null default 0,
    failed        bigint not null default 0,
    blocked       bigint not null default 0,
    read_calls    bigint not null default 0,
    write_calls   bigint not null default 0,
    cursor        text,
    error_class   text,
    error         text
);
create unique index sync_runs_live on penstock.sync_runs (sync, subject) where status in ('pending', 'running');
create index sync_runs_pending on penstock.sync_runs (sync, account, priority desc, id) where status = 'pending';
create index sync_runs_running on penstock.sync_runs (sync, account) where status = 'running';
create index sync_runs_history on penstock.sync_runs (sync, subject, id);

create table penstock.layers (
    layer_table  text primary key,
    sync         text not null,
    layer        text not null,
    created_at   bigint not null
);

create table penstock.sync_reads (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    began_at     bigint not null,
    primary key (layer_table, scope, subject)
);
