-- How far an incremental source has been read, and when it was last read whole.

-- name: cursor
select cursor, full_at, (select penstock.now()) from penstock.cursors
where layer_table = :layer_table and scope = :scope and subject = :subject;

-- name: cursor_save
insert into penstock.cursors as held (layer_table, scope, subject, cursor, full_at)
values (:layer_table, :scope, :subject, :cursor, case when :whole > 0 then penstock.now() end)
on conflict (layer_table, scope, subject) do update
set cursor = excluded.cursor, full_at = coalesce(excluded.full_at, held.full_at);
