-- What runs delete, for the guard (sync/declaring/guard.py), and what it withheld, for people to approve (sync/deleting/approvals.py).

alter table penstock.sync_runs add column withheld bigint not null default 0;

create table penstock.removals (
    layer_table  text not null,
    run_id       bigint not null,
    account      text not null,
    lease        bigint not null,
    removed      bigint not null,
    about_to     bigint not null,
    removed_at   bigint not null,
    primary key (layer_table, run_id)
);

create table penstock.approvals (
    id           bigint generated always as identity primary key,
    layer_table  text not null,
    scope        text not null,
    sync         text not null,
    layer        text not null,
    subject      text not null,
    account      text not null,
    status       text not null check (status in ('noted', 'asked', 'approved', 'refused')),
    reason       text not null,
    records      bigint not null,
    run_id       bigint not null,
    asked_at     bigint not null,
    expires_at   bigint not null,
    decided_at   bigint,
    decided_by   text
);
create index approvals_scope on penstock.approvals (layer_table, scope);
create index approvals_expires on penstock.approvals (expires_at);

create table penstock.approval_keys (
    approval_id  bigint not null,
    key          text collate "C" not null,
    primary key (approval_id, key)
);
