-- Alerts: what is wrong, which of it is known, and what is yet to be told.

-- name: lock_alerts
-- dialect: postgres
-- differs: a lock of the transaction, which a pooler cannot strand; the number is 'alerts' in ASCII
select pg_try_advisory_xact_lock(107070598476915);

-- name: lock_alerts
-- dialect: sqlite
-- differs: BEGIN IMMEDIATE has locked the file already
select true;

-- name: alert_note
select noted_at, content from penstock.alert_notes where name = :name;

-- name: alert_note_put
insert into penstock.alert_notes (name, noted_at, content) values (:name, :noted_at, :content)
on conflict (name) do update set noted_at = excluded.noted_at, content = excluded.content;

-- name: alerts_firing
select kind, about, since_at, calm_at, summary, details from penstock.alerts order by since_at, kind, about limit :count;

-- name: alert_raise
insert into penstock.alerts (kind, about, since_at, summary, details)
values (:kind, :about, :since_at, :summary, :details)
on conflict (kind, about) do nothing;

-- name: alert_calm
update penstock.alerts set calm_at = :calm_at where kind = :kind and about = :about;

-- name: alert_over
delete from penstock.alerts where kind = :kind and about = :about;

-- name: alert_news_add
insert into penstock.alert_news (kind, about, state, since_at, changed_at, summary, details, next_at)
values (:kind, :about, :state, :since_at, :changed_at, :summary, :details, :changed_at)
returning id;

-- name: alert_news_due
select exists (
    select 1 from penstock.alert_news where told_at is null and next_at <= penstock.now()
);

-- What is claimed is due again after a while: whoever claimed it may not live to tell it. Of one alert, what happened
-- later is told later.

-- name: alert_news_claim
-- dialect: postgres
-- differs: SQLite has one writer
with next as materialized (
    select id from penstock.alert_news n
    where told_at is null and next_at <= penstock.now() and not exists (
        select 1 from penstock.alert_news e
        where e.kind = n.kind and e.about = n.about and e.told_at is null and e.id < n.id
    )
    order by next_at, id
    limit 1
    for update skip locked
)
update penstock.alert_news n set tries = n.tries + 1, next_at = penstock.now() + :claim_ms
from next where n.id = next.id
returning n.id, n.kind, n.about, n.state, n.since_at, n.changed_at, n.summary, n.details, n.tries;

-- name: alert_news_claim
-- dialect: sqlite
-- differs: SQLite has one writer
update penstock.alert_news set tries = tries + 1, next_at = penstock.now() + :claim_ms
where id = (
    select id from penstock.alert_news n
    where told_at is null and next_at <= penstock.now() and not exists (
        select 1 from penstock.alert_news e
        where e.kind = n.kind and e.about = n.about and e.told_at is null and e.id < n.id
    )
    order by next_at, id
    limit 1
)
returning id, kind, about, state, since_at, changed_at, summary, details, tries;

-- name: alert_news_told
update penstock.alert_news set told_at = penstock.now() where id = :id returning id;

-- name: alert_news_again
update penstock.alert_news set next_at = penstock.now() + :delay_ms where id = :id and told_at is null returning id;

-- name: alert_news_latest
-- What changed last, whether anybody was told or not.
select id, kind, about, state, since_at, changed_at, summary, details from penstock.alert_news
order by changed_at desc, id desc limit :count;

-- name: alert_news_prune
-- dialect: postgres
-- differs: an array keeps the planner from reading all of it
delete from penstock.alert_news
where id = any (array (
    select id from penstock.alert_news where changed_at < penstock.now() - :kept_ms order by changed_at limit (select :count)
));

-- name: alert_news_prune
-- dialect: sqlite
-- differs: see above
delete from penstock.alert_news
where id in (
    select id from penstock.alert_news where changed_at < penstock.now() - :kept_ms order by changed_at limit :count
);

-- What is looked at.

-- name: failing_accounts
select name, failing, failing_at from penstock.run_statistics
where sync = :sync and kind = 'account' and failing > 0
order by account, streak
limit :count;

-- name: failing_subjects
-- Those of one account, the longest failing first.
select name, streak, error_class, error from penstock.run_statistics
where sync = :sync and kind = 'subject' and account = :account and failing > 0
order by streak desc
limit :count;

-- name: failing_account
select name, failing, failing_at from penstock.run_statistics
where sync = :sync and kind = 'account' and name = :account and failing > 0;

-- name: ended_counts
-- How many jobs have ended, as folded: a part of the finished jobs that is emptied takes its own along.
select queue, task, state, slot, n from penstock.counts where state in ('completed', 'cancelled', 'discarded');

-- name: queues_waiting
-- Queues in which jobs are available or pending, as folded, and that are not paused.
select queue from penstock.counts c
where state in ('available', 'pending') and not exists (
    select 1 from penstock.queues q where q.queue = c.queue and q.paused_at is not null
)
group by queue
having sum(n) > 0
order by queue;

-- name: oldest_ready
-- Since when the oldest of the first jobs of a queue has been due.
select min(j.run_at)
from (select id from penstock.ready_jobs where queue = :queue order by queue, rank, id limit 20) as r
join penstock.live_jobs j on j.id = r.id;

-- name: oldest_turn
-- Since when the line of a queue has had its turn that has had it for the longest, and is held by nothing of its own.
select min(turn) from penstock.lines where kind = 'job' and room = :queue and turn is not null and held is null;

-- name: oldest_pending_runs
-- Of a sync that is not paused. Those whose account is, are for the caller to leave out.
select subject, account, run_at, id from penstock.sync_runs
where sync = :sync and status = 'pending' and run_at <= (select penstock.now())
  and not exists (select 1 from penstock.pauses where what = 'sync:' || :sync)
order by run_at
limit :count;

-- name: runs_moving
-- What the runs of a sync that are under way have come to by now.
select count(*), coalesce(sum(read + created + updated + deleted + skipped + failed + read_calls + write_calls), 0)
from penstock.sync_runs
where sync = :sync and status = 'running';

-- name: approvals_waiting
select sync, account, count(*), sum(records), min(asked_at) from penstock.approvals
where status = 'asked' and expires_at > penstock.now()
group by sync, account
order by sync, account
limit :count;

-- name: alert_gates
-- Gates that are kept shut. One whose time is over is shut only because nobody has had a call to try it with.
select key, state, until_at, reason, closed_at, closed_by from penstock.gates
where state <> 'open' and (state = 'probing' or until_at is null or until_at > penstock.now())
order by key
limit :count;
