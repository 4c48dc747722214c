-- A row for each window (see sync/window/): what it served, what its time went to, and why it ended. `took_ms` of a run is
-- for how long it was served, be it in several windows; `steps` is how long one call or page took at most, by its name.

alter table penstock_sync_runs add column took_ms integer not null default 0;

create table penstock_sync_windows (
    id           integer primary key autoincrement,
    sync         text not null,
    account      text not null,
    job_id       integer not null,
    began_at     integer not null,
    ended_at     integer,
    total_ms     integer,
    headroom_ms  integer,
    served       integer not null default 0,
    failed       integer not null default 0,
    put_back     integer not null default 0,
    skipped      integer not null default 0,
    used_ms      integer,
    unused_ms    integer,
    ended_by     text,
    steps        text
);
create index penstock_sync_windows_sync on penstock_sync_windows (sync, id);
create index penstock_sync_windows_open on penstock_sync_windows (job_id) where ended_at is null;
create index penstock_sync_runs_rank on penstock_sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending';
