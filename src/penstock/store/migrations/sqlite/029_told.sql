-- What people see of runs and windows. Of a run: the counts of each layer (JSON by its name), the numbers of the windows
-- that served it (JSON), and why it is to end, where somebody cancelled it while it was served. Of a window: for how long it
-- loaded what its runs share, and which runs it served (JSON). Of a subject: when its last audit ended.

alter table penstock_sync_runs add column layers text not null default '';
alter table penstock_sync_runs add column windows text not null default '';
alter table penstock_sync_runs add column cancelled_by text;
alter table penstock_sync_windows add column fetch_ms integer not null default 0;
alter table penstock_sync_windows add column runs text not null default '';
create index penstock_sync_windows_account on penstock_sync_windows (sync, account, id);
alter table penstock_run_statistics add column audited_at integer;
create index penstock_run_statistics_streak on penstock_run_statistics (sync, kind, streak, name) where failing > 0;
create index penstock_approvals_listed on penstock_approvals (sync, id);
