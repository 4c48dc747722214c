-- Plans that runs are bound to (see sync/restricting/planned.py): what people looked at, until the runs have ended.

create table penstock.sync_plans (
    id         bigint generated always as identity primary key,
    sync       text not null,
    layers     text not null,
    loaded_at  bigint not null
);

create table penstock.planned_changes (
    plan_id    bigint not null,
    subject    text collate "C" not null,
    layer      text collate "C" not null,
    key        text collate "C" not null,
    kind       text not null check (kind in ('create', 'update', 'delete', 'adopt')),
    digest     bytea,
    remote_id  text,
    primary key (plan_id, subject, layer, key)
);
