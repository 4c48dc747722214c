-- Keyed work: a line for each key, of which the dispatcher sees the heads (docs/adr/015). What happens to a line is
-- inserted as news, also in a caller's transaction; `lines` is the dispatcher's own.

alter table penstock_live_jobs add column line text;
alter table penstock_live_jobs add column also text;
alter table penstock_live_jobs add column in_order integer;

create table penstock_pending_jobs (
    line   text not null,
    rank   integer not null,
    id     integer not null,
    queue  text not null,
    primary key (line, rank, id)
) without rowid;

create table penstock_line_news (
    id       integer primary key,
    line     text not null,
    freed    integer not null,
    most     integer,
    pace_us  integer,
    gates    text
);

create table penstock_lines (
    line       text primary key,
    kind       text not null check (kind in ('job', 'run', 'key')),
    room       text not null,
    account    text,
    most       integer,
    pace_us    integer,
    running    integer not null default 0,
    served_at  integer,
    turn       integer,
    gates      text,
    held       text
) without rowid;
create index penstock_lines_turn on penstock_lines (kind, room, turn) where turn is not null;
create index penstock_lines_held on penstock_lines (held) where held is not null;
