-- Keyed work: a line for each key, of which the dispatcher sees the heads (docs/adr/015). What happens to a line is
-- inserted as news, also in a caller's transaction; `lines` is the dispatcher's own.

alter table penstock.live_jobs add column line text, add column also text, add column in_order boolean;

create table penstock.pending_jobs (
    line   text collate "C" not null,
    rank   bigint not null,
    id     bigint not null,
    queue  text not null,
    primary key (line, rank, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);

create table penstock.line_news (
    line     text collate "C" not null,
    freed    integer not null,
    most     integer,
    pace_us  bigint,
    gates    text,
    xact     xid8 not null default pg_current_xact_id()
);
create index line_news_xact on penstock.line_news (xact);

create table penstock.line_folds (
    xact  xid8 not null
);
insert into penstock.line_folds (xact) values ('0');

create table penstock.lines (
    line       text collate "C" primary key,
    kind       text not null check (kind in ('job', 'run', 'key')),
    room       text not null,
    account    text,
    most       integer,
    pace_us    bigint,
    running    integer not null default 0,
    served_at  bigint,
    turn       bigint,
    gates      text,
    held       text
);
create index lines_turn on penstock.lines (kind, room, turn) where turn is not null;
create index lines_held on penstock.lines (held) where held is not null;
