-- Subjects of syncs with `every=`: when each is to be requested next. Jobs note which there are; dispatchers request what is
-- due.

-- name: subjects_seen
-- dialect: postgres
-- differs: each dialect takes rows in its own way
insert into penstock.sync_subjects as s (sync, subject, account, due_at, seen_at)
select :sync, e.subject, e.account, e.due_at, :seen_at
from unnest(:subjects::text[], :accounts::text[], :due_ats::bigint[]) as e (subject, account, due_at)
on conflict (sync, subject) do update
set account = excluded.account, seen_at = excluded.seen_at,
    due_at = case when s.due_at > :latest then excluded.due_at else s.due_at end
returning subject;

-- name: subjects_seen
-- dialect: sqlite
-- columns: subjects accounts due_ats
-- differs: each dialect takes rows in its own way
insert into penstock.sync_subjects as s (sync, subject, account, due_at, seen_at)
select :sync, value ->> 0, value ->> 1, value ->> 2, :seen_at from json_each(:rows) where true
on conflict (sync, subject) do update
set account = excluded.account, seen_at = excluded.seen_at,
    due_at = case when s.due_at > :latest then excluded.due_at else s.due_at end
returning subject;

-- name: subjects_forget
-- dialect: postgres
-- differs: an array keeps the planner from reading every subject
delete from penstock.sync_subjects where sync = :sync and subject = any (array (
    select subject from penstock.sync_subjects where sync = :sync and seen_at < :before limit (select :count)
));

-- name: subjects_forget
-- dialect: sqlite
-- differs: see above
delete from penstock.sync_subjects where sync = :sync and subject in (
    select subject from penstock.sync_subjects where sync = :sync and seen_at < :before limit :count
);

-- name: subjects_due
-- dialect: postgres
-- differs: one statement with two writes
-- The next time of a subject is the first of its own that is still to come, however many went by.
with due as (
    update penstock.sync_subjects s
    set due_at = s.due_at + (1 + ((select penstock.now()) - s.due_at) / :period) * :period
    where s.sync = :sync and s.subject = any (array (
        select subject from penstock.sync_subjects where sync = :sync and due_at <= (select penstock.now())
        order by due_at limit (select :count)
    ))
    returning s.subject, s.account
)
insert into penstock.sync_requests (sync, subject, account, priority, reason, requested_at)
select :sync, subject, account, 0, 'every', penstock.now() from due
returning id;

-- name: subjects_due
-- dialect: sqlite
-- differs: several statements in one transaction, about those that are due when the first of them notes the time
insert into penstock.sequences (name, value) values ('due', penstock.now())
on conflict (name) do update set value = excluded.value;
insert into penstock.sync_requests (sync, subject, account, priority, reason, requested_at)
select sync, subject, account, 0, 'every', penstock.now() from penstock.sync_subjects
where sync = :sync and due_at <= (select value from penstock.sequences where name = 'due')
order by due_at, subject limit :count;
update penstock.sync_subjects
set due_at = due_at + (1 + ((select value from penstock.sequences where name = 'due') - due_at) / :period) * :period
where sync = :sync and subject in (
    select subject from penstock.sync_subjects
    where sync = :sync and due_at <= (select value from penstock.sequences where name = 'due')
    order by due_at, subject limit :count
)
returning subject as id;

-- name: subjects_asked
-- dialect: postgres
-- differs: each dialect takes rows in its own way
-- What was requested by others is due a period after that.
update penstock.sync_subjects s set due_at = e.requested_at + :period
from unnest(:subjects::text[], :requested_ats::bigint[]) as e (subject, requested_at)
where s.sync = :sync and s.subject = any (:subjects::text[]) and s.subject = e.subject
  and s.due_at < e.requested_at + :period
returning s.subject;

-- name: subjects_asked
-- dialect: sqlite
-- columns: subjects requested_ats
-- differs: each dialect takes rows in its own way
update penstock.sync_subjects as s set due_at = (e.value ->> 1) + :period
from json_each(:rows) e
where s.sync = :sync and s.subject = e.value ->> 0 and s.due_at < (e.value ->> 1) + :period
returning subject;
