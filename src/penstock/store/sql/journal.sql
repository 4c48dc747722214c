-- The journal: every change that a person asks for by the dashboard or its API. It is written before the change is made, so
-- that none goes without.

-- name: journal_begin
insert into penstock.journal (at, actor, action, about) values (penstock.now(), :actor, :action, :about) returning id;

-- name: journal_end
update penstock.journal
set about = coalesce(:about, about), before = :before, after = :after, said = :said
where id = :id;

-- name: journal
-- The newest first. One of the indexes leads: by what it is about, by who, or by the number.
select id, at, actor, action, about, before, after, said from penstock.journal
where (cast(:about as text) is null or about = :about) and (cast(:actor as text) is null or actor = :actor)
  and id < :before
order by id desc limit :count;

-- name: journal_prune
delete from penstock.journal
where id in (select id from penstock.journal where at < penstock.now() - :kept_ms order by at limit :count);
