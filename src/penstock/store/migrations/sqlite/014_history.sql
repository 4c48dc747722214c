-- Finished runs are counted into statistics once (superseded is null until then) and kept for a while; the newest one of
-- a subject that was counted stays (superseded: a later one is).

alter table penstock_sync_runs add column superseded integer;
create index penstock_sync_runs_uncounted on penstock_sync_runs (finished_at, id) where finished_at is not null and superseded is null;
create index penstock_sync_runs_superseded on penstock_sync_runs (finished_at, id) where superseded;
create index penstock_sync_runs_listed on penstock_sync_runs (sync, status, id);
create index penstock_sync_runs_account on penstock_sync_runs (sync, account, status, id);

create table penstock_run_statistics (
    sync          text not null,
    kind          text not null check (kind in ('sync', 'account', 'subject')),
    name          text not null,
    account       text not null,
    runs          integer not null,
    failures      integer not null,
    cancelled     integer not null,
    streak        integer not null,
    failing       integer not null,
    durations     text not null,
    p50_ms        integer not null,
    p95_ms        integer not null,
    read          integer not null,
    created       integer not null,
    updated       integer not null,
    deleted       integer not null,
    failed        integer not null,
    calls         integer not null,
    permits       integer not null,
    run_id        integer not null,
    status        text not null,
    finished_at   integer not null,
    succeeded_at  integer,
    failing_at    integer,
    error_class   text,
    error         text,
    primary key (sync, kind, name)
) without rowid;
create index penstock_run_statistics_slowest on penstock_run_statistics (sync, kind, p95_ms, name);
create index penstock_run_statistics_account on penstock_run_statistics (sync, account, kind, p95_ms, name);
create index penstock_run_statistics_failing on penstock_run_statistics (sync, kind, account, streak) where failing > 0;
create index penstock_run_statistics_failed on penstock_run_statistics (finished_at) where failing > 0 and kind = 'subject';
