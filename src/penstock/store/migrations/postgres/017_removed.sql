-- What runs deleted of late, where the source looks at a snapshot: one from before must not have it made again.

create table penstock.removed_rows (
    layer_table  text not null,
    scope        text collate "C" not null,
    key          text collate "C" not null,
    removed_at   bigint not null,
    primary key (layer_table, scope, key)
);
create index removed_rows_at on penstock.removed_rows (removed_at);
