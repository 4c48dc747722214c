-- What runs delete, for the guard (sync/declaring/guard.py), and what it withheld, for people to approve (sync/deleting/approvals.py).

alter table penstock_sync_runs add column withheld integer not null default 0;

create table penstock_removals (
    layer_table  text not null,
    run_id       integer not null,
    account      text not null,
    lease        integer not null,
    removed      integer not null,
    about_to     integer not null,
    removed_at   integer not null,
    primary key (layer_table, run_id)
) without rowid;

create table penstock_approvals (
    id           integer primary key autoincrement,
    layer_table  text not null,
    scope        text not null,
    sync         text not null,
    layer        text not null,
    subject      text not null,
    account      text not null,
    status       text not null check (status in ('noted', 'asked', 'approved', 'refused')),
    reason       text not null,
    records      integer not null,
    run_id       integer not null,
    asked_at     integer not null,
    expires_at   integer not null,
    decided_at   integer,
    decided_by   text
);
create index penstock_approvals_scope on penstock_approvals (layer_table, scope);
create index penstock_approvals_expires on penstock_approvals (expires_at);

create table penstock_approval_keys (
    approval_id  integer not null,
    key          text not null,
    primary key (approval_id, key)
) without rowid;
