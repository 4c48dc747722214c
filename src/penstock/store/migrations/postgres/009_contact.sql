-- How far the destination has been read back, for each layer and scope: whether its first contact is complete (see
-- sync/destination/contact.py), and how far its audit is, with what that found (see sync/auditing/audit.py).

create table penstock.contacts (
    layer_table   text not null,
    scope         text not null,
    contacted_at  bigint,
    begun_at      bigint,
    place         text,
    findings      text,
    audited_at    bigint,
    primary key (layer_table, scope)
);
