-- What people see of runs and windows. Of a run: the counts of each layer (JSON by its name), the numbers of the windows
-- that served it (JSON), and why it is to end, where somebody cancelled it while it was served. Of a window: for how long it
-- loaded what its runs share, and which runs it served (JSON). Of a subject: when its last audit ended.

alter table penstock.sync_runs add column layers text not null default '';
alter table penstock.sync_runs add column windows text not null default '';
alter table penstock.sync_runs add column cancelled_by text;
alter table penstock.sync_windows add column fetch_ms bigint not null default 0;
alter table penstock.sync_windows add column runs text not null default '';
create index sync_windows_account on penstock.sync_windows (sync, account, id);
alter table penstock.run_statistics add column audited_at bigint;
create index run_statistics_streak on penstock.run_statistics (sync, kind, streak, name) where failing > 0;
create index approvals_listed on penstock.approvals (sync, id);
