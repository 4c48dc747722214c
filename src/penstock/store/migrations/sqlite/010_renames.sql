-- Of a layer's table: the fields of its key, those that it had before, and the table's name when it was made.

alter table penstock_layers add column keys text;
alter table penstock_layers add column keys_were text;
alter table penstock_layers add column first_table text;
