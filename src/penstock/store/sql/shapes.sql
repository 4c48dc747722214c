-- The shapes of a layer's payloads, and the renderer that a subject's records were last all held against.

-- name: shapes
select number, names from penstock.layer_shapes where layer_table = :layer_table;

-- name: shape_number
insert into penstock.layer_shapes (layer_table, names) values (:layer_table, :names)
on conflict (layer_table, names) do update set names = excluded.names
returning number;

-- name: renderer
select renderer from penstock.renderers where layer_table = :layer_table and scope = :scope and subject = :subject;

-- name: renderer_save
insert into penstock.renderers (layer_table, scope, subject, renderer)
values (:layer_table, :scope, :subject, :renderer)
on conflict (layer_table, scope, subject) do update set renderer = excluded.renderer;

-- name: state_fields
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select key, fields from penstock.layer where scope = :scope and key = any (:keys) and fields is not null;

-- name: state_fields
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select key, fields from penstock.layer
where scope = :scope and key in (select value from json_each(:keys)) and fields is not null;
