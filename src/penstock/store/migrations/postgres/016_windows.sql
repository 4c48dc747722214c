-- A row for each window (see sync/window/): what it served, what its time went to, and why it ended. `took_ms` of a run is
-- for how long it was served, be it in several windows; `steps` is how long one call or page took at most, by its name.

alter table penstock.sync_runs add column took_ms bigint not null default 0;

create table penstock.sync_windows (
    id           bigint generated always as identity primary key,
    sync         text not null,
    account      text not null,
    job_id       bigint not null,
    began_at     bigint not null,
    ended_at     bigint,
    total_ms     bigint,
    headroom_ms  bigint,
    served       integer not null default 0,
    failed       integer not null default 0,
    put_back     integer not null default 0,
    skipped      integer not null default 0,
    used_ms      bigint,
    unused_ms    bigint,
    ended_by     text,
    steps        text
);
create index sync_windows_sync on penstock.sync_windows (sync, id);
create index sync_windows_open on penstock.sync_windows (job_id) where ended_at is null;
create index sync_runs_rank on penstock.sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending';
