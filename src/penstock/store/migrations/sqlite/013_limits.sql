-- Limits: what of a key has been given, who holds its permits, and its gate.

create table penstock_gates (
    key        text primary key,
    state      text not null check (state in ('open', 'closed', 'probing')),
    until_at   integer,
    reason     text,
    failures   integer not null default 0,
    closed_at  integer,
    closed_by  text
) without rowid;
create index penstock_gates_shut on penstock_gates (key) where state <> 'open';

create table penstock_limits (
    key          text not null,
    name         text not null,
    part         integer not null default 0,
    next_us      integer not null default 0,
    since_us     integer not null default 0,
    seen_us      integer not null default 0,
    interval_us  integer,
    slowed_at    integer,
    grown_at     integer,
    turns        integer not null default 0,
    spent        text not null default '[]',
    primary key (key, name, part)
) without rowid;

create table penstock_permit_holders (
    id          integer primary key autoincrement,
    name        text not null,
    expires_at  integer not null
);

alter table penstock_sync_runs add column permits integer not null default 0;
alter table penstock_sync_runs add column limited_ms integer not null default 0;
