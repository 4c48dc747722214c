-- What the dispatcher remembers of a line between its steps: its head, so that what was admitted is not read again, and
-- until when it is held; what people have paused; and runs that wait for a later try, apart from those that may have a
-- turn. Runs that are pending now join their lines at the next step.

alter table penstock.line_news add column rank bigint;

drop index penstock.lines_turn;
drop index penstock.lines_held;
alter table penstock.lines
    add column head_rank bigint, add column head_id bigint, add column head_priority integer, add column head_also text,
    add column head_also_most integer, add column paced_us bigint, add column until_at bigint,
    add column awaited boolean not null default false;
create index lines_turn on penstock.lines (kind, room, turn) where turn is not null and held is null;
create index lines_held on penstock.lines (held, turn) where held is not null;
create index lines_until on penstock.lines (until_at) where until_at is not null;

create table penstock.pauses (
    what       text collate "C" primary key,
    paused_at  bigint not null
);

alter table penstock.sync_runs add column delayed boolean not null default false;
update penstock.sync_runs set delayed = true where status = 'pending';
drop index penstock.sync_runs_pending;
create index sync_runs_pending on penstock.sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending' and not delayed;
create index sync_runs_delayed on penstock.sync_runs (run_at) where status = 'pending' and delayed;
