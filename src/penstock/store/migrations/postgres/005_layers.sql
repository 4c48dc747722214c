-- `version` is of the statements that made a layer's tables. A shape is the names of the fields of a payload, to which the
-- field digests of a row belong. `renderers` say which `render` a subject's records were last all held against, and
-- `buckets` what its source said of ranges of its rows when all of them were in step;
-- `cursors` how far an incremental source has been read; `intents` what calls are about to create.

alter table penstock.layers add column version integer not null default 1;

create table penstock.layer_shapes (
    number       bigint generated always as identity primary key,
    layer_table  text not null,
    names        text not null,
    unique (layer_table, names)
);

create table penstock.renderers (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    renderer     text not null,
    primary key (layer_table, scope, subject)
);

create table penstock.buckets (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    number       integer not null,
    lower        text,
    row_count    bigint not null,
    digest       bytea,
    version      text not null,
    primary key (layer_table, scope, subject, number)
);

create table penstock.cursors (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    cursor       text not null,
    full_at      bigint,
    primary key (layer_table, scope, subject)
);

create table penstock.intents (
    id           bigint generated always as identity primary key,
    layer_table  text not null,
    scope        text not null,
    run_id       bigint not null,
    entries      text not null,
    believed_at  bigint not null
);
create index intents_layer on penstock.intents (layer_table, scope);
