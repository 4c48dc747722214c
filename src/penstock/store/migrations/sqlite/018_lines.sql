-- What the dispatcher remembers of a line between its steps: its head, so that what was admitted is not read again, and
-- until when it is held; what people have paused; and runs that wait for a later try, apart from those that may have a
-- turn. Runs that are pending now join their lines at the next step.

alter table penstock_line_news add column rank integer;

drop index penstock_lines_turn;
drop index penstock_lines_held;
alter table penstock_lines add column head_rank integer;
alter table penstock_lines add column head_id integer;
alter table penstock_lines add column head_priority integer;
alter table penstock_lines add column head_also text;
alter table penstock_lines add column head_also_most integer;
alter table penstock_lines add column paced_us integer;
alter table penstock_lines add column until_at integer;
alter table penstock_lines add column awaited integer not null default 0;
create index penstock_lines_turn on penstock_lines (kind, room, turn) where turn is not null and held is null;
create index penstock_lines_held on penstock_lines (held, turn) where held is not null;
create index penstock_lines_until on penstock_lines (until_at) where until_at is not null;

create table penstock_pauses (
    what       text primary key,
    paused_at  integer not null
) without rowid;

alter table penstock_sync_runs add column delayed integer not null default 0;
update penstock_sync_runs set delayed = true where status = 'pending';
drop index penstock_sync_runs_pending;
create index penstock_sync_runs_pending
    on penstock_sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending' and not delayed;
create index penstock_sync_runs_delayed on penstock_sync_runs (run_at) where status = 'pending' and delayed;
