-- What runs deleted of late, where the source looks at a snapshot: one from before must not have it made again.

create table penstock_removed_rows (
    layer_table  text not null,
    scope        text not null,
    key          text not null,
    removed_at   integer not null,
    primary key (layer_table, scope, key)
) without rowid;
create index penstock_removed_rows_at on penstock_removed_rows (removed_at);
