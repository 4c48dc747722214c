-- Plans that runs are bound to (see sync/restricting/planned.py): what people looked at, until the runs have ended.

create table penstock_sync_plans (
    id         integer primary key autoincrement,
    sync       text not null,
    layers     text not null,
    loaded_at  integer not null
);

create table penstock_planned_changes (
    plan_id    integer not null,
    subject    text not null,
    layer      text not null,
    key        text not null,
    kind       text not null check (kind in ('create', 'update', 'delete', 'adopt')),
    digest     blob,
    remote_id  text,
    primary key (plan_id, subject, layer, key)
) without rowid;
