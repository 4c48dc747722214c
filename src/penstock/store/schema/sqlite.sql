-- The whole schema as it is today, to be read. It is the sum of the migrations (a test compares the two), and `penstock
-- migrate` applies those, never this file. The tables of layers are not here: see `create_layer` in ../sql/layers.sql.
-- Times are milliseconds since 1970 in UTC, always by the database's clock.

create table penstock_migrations (
    version     integer primary key,
    name        text not null,
    applied_at  bigint not null
);

create table penstock_sequences (
    name   text primary key,
    value  integer not null
) without rowid;
insert into penstock_sequences (name, value) values ('lease', 0);

create table penstock_workers (
    id          integer primary key autoincrement,
    name        text not null,
    started_at  integer not null,
    expires_at  integer not null
);

create table penstock_jobs (
    id            integer primary key autoincrement,
    task          text not null,
    queue         text not null,
    priority      integer not null default 0,
    state         text not null check (state in ('scheduled', 'pending', 'available', 'executing', 'retryable',
                                                 'completed', 'cancelled', 'discarded')),
    arguments     text not null,
    attempt       integer not null default 0,
    max_attempts  integer not null,
    run_at        integer not null,
    enqueued_at   integer not null,
    attempted_at  integer,
    finished_at   integer,
    lease         integer,
    worker_id     integer,
    error_class   text,
    error         text
);
create index penstock_jobs_available on penstock_jobs (queue, priority desc, id) where state = 'available';
create index penstock_jobs_due on penstock_jobs (run_at) where state in ('scheduled', 'retryable');
create index penstock_jobs_executing on penstock_jobs (worker_id) where state = 'executing';

create table penstock_sync_requests (
    id            integer primary key autoincrement,
    sync          text not null,
    subject       text not null,
    account       text,
    priority      integer not null,
    reason        text not null,
    requested_at  integer not null
);

create table penstock_sync_runs (
    id            integer primary key autoincrement,
    sync          text not null,
    subject       text not null,
    account       text not null,
    size          integer,
    status        text not null check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    priority      integer not null,
    reasons       text not null,
    requested_at  integer not null,
    run_at        integer not null,
    started_at    integer,
    finished_at   integer,
    attempt       integer not null default 0,
    lease         integer,
    job_id        integer,
    read          integer not null default 0,
    created       integer not null default 0,
    updated       integer not null default 0,
    deleted       integer not null default 0,
    skipped       integer not null default 0,
    failed        integer not null default 0,
    blocked       integer not null default 0,
    read_calls    integer not null default 0,
    write_calls   integer not null default 0,
    cursor        text,
    error_class   text,
    error         text
);
create unique index penstock_sync_runs_live on penstock_sync_runs (sync, subject) where status in ('pending', 'running');
create index penstock_sync_runs_pending on penstock_sync_runs (sync, account, priority desc, id) where status = 'pending';
create index penstock_sync_runs_running on penstock_sync_runs (sync, account) where status = 'running';
create index penstock_sync_runs_history on penstock_sync_runs (sync, subject, id);

create table penstock_layers (
    layer_table  text primary key,
    sync         text not null,
    layer        text not null,
    created_at   integer not null
);

create table penstock_sync_reads (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    began_at     integer not null,
    primary key (layer_table, scope, subject)
);
