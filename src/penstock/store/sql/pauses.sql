-- What people hold back: queues have a column of their own (jobs.sql); syncs, accounts and keys are here.

-- name: pauses
-- Everything that is paused: `queue:NAME`, `sync:NAME`, `account:["SYNC","ACCOUNT"]`, `key:LINE`.
select what, paused_at from penstock.pauses
union all
select 'queue:' || queue, paused_at from penstock.queues where paused_at is not null;

-- name: pause_add
insert into penstock.pauses (what, paused_at) values (:what, penstock.now()) on conflict (what) do nothing;

-- name: pause_end
delete from penstock.pauses where what = :what;
