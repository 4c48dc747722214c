-- `version` is of the statements that made a layer's tables. `renderer` is what `render` was when a subject's records were
-- last all held against it.

alter table penstock.layers add column version integer not null default 1;
alter table penstock.sync_reads add column renderer text;
