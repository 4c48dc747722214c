-- `version` is of the statements that made a layer's tables. A shape is the names of the fields of a payload, to which the
-- field digests of a row belong. `renderers` say which `render` a subject's records were last all held against, and
-- `buckets` what its source said of ranges of its rows when all of them were in step;
-- `cursors` how far an incremental source has been read; `intents` what calls are about to create.

alter table penstock_layers add column version integer not null default 1;

create table penstock_layer_shapes (
    number       integer primary key,
    layer_table  text not null,
    names        text not null,
    unique (layer_table, names)
);

create table penstock_renderers (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    renderer     text not null,
    primary key (layer_table, scope, subject)
);

create table penstock_buckets (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    number       integer not null,
    lower        text,
    row_count    integer not null,
    digest       blob,
    version      text not null,
    primary key (layer_table, scope, subject, number)
);

create table penstock_cursors (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    cursor       text not null,
    full_at      integer,
    primary key (layer_table, scope, subject)
);

create table penstock_intents (
    id           integer primary key autoincrement,
    layer_table  text not null,
    scope        text not null,
    run_id       integer not null,
    entries      text not null,
    believed_at  integer not null
);
create index penstock_intents_layer on penstock_intents (layer_table, scope);
