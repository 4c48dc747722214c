-- What was seen at a destination: first contact, and records that were only observed (see sync/planning/matching.py). An observed
-- row's key is \x01, the value by which it is matched, \x01, the remote id: those of one value are a range.

-- name: contacted
select contacted_at from penstock.contacts
where layer_table = :layer_table and scope = :scope and contacted_at is not null;

-- name: contact_save
insert into penstock.contacts (layer_table, scope, contacted_at) values (:layer_table, :scope, penstock.now())
on conflict (layer_table, scope) do update set contacted_at = excluded.contacted_at;

-- name: observed_any
select 1 from penstock.layer where scope = :scope and status = 'observed' and status <> 'synced' limit 1;

-- name: observed_with
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select o.key, o.remote_id, o.answered
from unnest(:values::text[]) as wanted (value)
join penstock.layer o on o.scope = :scope and o.key >= chr(1) || wanted.value || chr(1)
                         and o.key < chr(1) || wanted.value || chr(2)
where o.status = 'observed';

-- name: observed_with
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select o.key, o.remote_id, o.answered
from json_each(:values) as wanted
cross join penstock.layer o on o.scope = :scope and o.key >= char(1) || wanted.value || char(1)
                               and o.key < char(1) || wanted.value || char(2)
where o.status = 'observed';

-- name: observed_gone
-- What a reading that began then did not meet again.
delete from penstock.layer
where scope = :scope and status = 'observed' and status <> 'synced' and changed_at < :before;

-- name: observed_release
-- What another row holds is managed, be it that of another subject.
delete from penstock.layer
where scope = :scope and status = 'observed' and status <> 'synced' and remote_id in (
    select remote_id from penstock.layer where status <> 'observed' and remote_id is not null
);

-- name: observed_adopt
-- dialect: postgres
-- differs: each dialect takes an array in its own way
delete from penstock.layer
where scope = :scope and status = 'observed' and status <> 'synced' and remote_id = any (:remote_ids);

-- name: observed_adopt
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
delete from penstock.layer
where scope = :scope and status = 'observed' and status <> 'synced'
      and remote_id in (select value from json_each(:remote_ids));

-- name: observed_page
select key, remote_id from penstock.layer
where scope = :scope and status = 'observed' and status <> 'synced' and key > :after
order by key
limit :count;

-- name: audit_place
select begun_at, place, findings from penstock.contacts where layer_table = :layer_table and scope = :scope;

-- name: audit_page
select key, remote_id, status, fields, answered, digest is null as unknown from penstock.layer
where scope = :scope and key > :after and remote_id is not null and status <> 'observed'
order by key
limit :count;

-- name: audit_save
insert into penstock.contacts as held (layer_table, scope, begun_at, place, findings, audited_at)
values (:layer_table, :scope, :begun_at, :place, :findings, case when :whole > 0 then penstock.now() end)
on conflict (layer_table, scope) do update
set begun_at = excluded.begun_at, place = excluded.place, findings = excluded.findings,
    audited_at = coalesce(excluded.audited_at, held.audited_at);

-- name: audit_drifted
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
-- What is there is not what was sent, so it is not known any more what the destination has, but for what it answered.
update penstock.layer as held set digest = null, fields = null, answered = d.answered
from unnest(:scope::text[], :key::text[], :answered::bytea[]) as d (scope, key, answered)
where held.scope = d.scope and held.key = d.key;

-- name: audit_drifted
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
update penstock.layer set digest = null, fields = null, answered = :answered where scope = :scope and key = :key;

-- name: audit_answered
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
update penstock.layer as held set answered = d.answered
from unnest(:scope::text[], :key::text[], :answered::bytea[]) as d (scope, key, answered)
where held.scope = d.scope and held.key = d.key;

-- name: audit_answered
-- dialect: sqlite
-- differs: each dialect takes many rows in its own way
update penstock.layer set answered = :answered where scope = :scope and key = :key;

-- name: contacts_of
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select layer_table, scope, contacted_at, begun_at, audited_at, findings from penstock.contacts
where layer_table = any (:layer_tables) and scope = any (:scopes);

-- name: contacts_of
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select layer_table, scope, contacted_at, begun_at, audited_at, findings from penstock.contacts
where layer_table in (select value from json_each(:layer_tables)) and scope in (select value from json_each(:scopes));

-- name: contacts_audited
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select layer_table, scope, coalesce(audited_at, contacted_at) from penstock.contacts
where layer_table = any (:layer_tables) and coalesce(audited_at, contacted_at) is not null;

-- name: contacts_audited
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select layer_table, scope, coalesce(audited_at, contacted_at) from penstock.contacts
where layer_table in (select value from json_each(:layer_tables)) and coalesce(audited_at, contacted_at) is not null;
