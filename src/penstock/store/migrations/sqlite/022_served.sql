-- The job of a line that was admitted last: of a serial key, the one that holds it.

alter table penstock_lines add column served_id integer;
