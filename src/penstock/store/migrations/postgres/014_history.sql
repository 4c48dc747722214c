-- Finished runs are counted into statistics once (superseded is null until then) and kept for a while; the newest one of
-- a subject that was counted stays (superseded: a later one is).

alter table penstock.sync_runs add column superseded boolean;
create index sync_runs_uncounted on penstock.sync_runs (finished_at, id) where finished_at is not null and superseded is null;
create index sync_runs_superseded on penstock.sync_runs (finished_at, id) where superseded;
create index sync_runs_listed on penstock.sync_runs (sync, status, id);
create index sync_runs_account on penstock.sync_runs (sync, account, status, id);

create table penstock.run_statistics (
    sync          text not null,
    kind          text not null check (kind in ('sync', 'account', 'subject')),
    name          text not null,
    account       text not null,
    runs          bigint not null,
    failures      bigint not null,
    cancelled     bigint not null,
    streak        bigint not null,
    failing       bigint not null,
    durations     text not null,
    p50_ms        bigint not null,
    p95_ms        bigint not null,
    read          bigint not null,
    created       bigint not null,
    updated       bigint not null,
    deleted       bigint not null,
    failed        bigint not null,
    calls         bigint not null,
    permits       bigint not null,
    run_id        bigint not null,
    status        text not null,
    finished_at   bigint not null,
    succeeded_at  bigint,
    failing_at    bigint,
    error_class   text,
    error         text,
    primary key (sync, kind, name)
);
create index run_statistics_slowest on penstock.run_statistics (sync, kind, p95_ms, name);
create index run_statistics_account on penstock.run_statistics (sync, account, kind, p95_ms, name);
create index run_statistics_failing on penstock.run_statistics (sync, kind, account, streak) where failing > 0;
create index run_statistics_failed on penstock.run_statistics (finished_at) where failing > 0 and kind = 'subject';
