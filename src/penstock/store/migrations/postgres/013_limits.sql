-- Limits: what of a key has been given, who holds its permits, and its gate.

create table penstock.gates (
    key        text collate "C" primary key,
    state      text not null check (state in ('open', 'closed', 'probing')),
    until_at   bigint,
    reason     text,
    failures   integer not null default 0,
    closed_at  bigint,
    closed_by  text
);
create index gates_shut on penstock.gates (key) where state <> 'open';

create table penstock.limits (
    key          text collate "C" not null,
    name         text collate "C" not null,
    part         integer not null default 0,
    next_us      bigint not null default 0,
    since_us     bigint not null default 0,
    seen_us      bigint not null default 0,
    interval_us  bigint,
    slowed_at    bigint,
    grown_at     bigint,
    turns        integer not null default 0,
    spent        text not null default '[]',
    primary key (key, name, part)
) with (fillfactor = 50);

create table penstock.permit_holders (
    id          bigint generated always as identity primary key,
    name        text not null,
    expires_at  bigint not null
);

alter table penstock.sync_runs add column permits bigint not null default 0, add column limited_ms bigint not null default 0;
