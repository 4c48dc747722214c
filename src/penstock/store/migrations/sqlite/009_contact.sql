-- How far the destination has been read back, for each layer and scope: whether its first contact is complete (see
-- sync/destination/contact.py), and how far its audit is, with what that found (see sync/auditing/audit.py).

create table penstock_contacts (
    layer_table   text not null,
    scope         text not null,
    contacted_at  integer,
    begun_at      integer,
    place         text,
    findings      text,
    audited_at    integer,
    primary key (layer_table, scope)
) without rowid;
