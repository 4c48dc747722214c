-- Limits: what of a key was given, who holds its permits, and its gate.
--
-- Of each limit there is one row that changes often. For as long as somebody's old snapshot may need its dead
-- versions, who looks for the row meets them all: so after some turns it goes on as its next part, and the newest is
-- found first.

-- name: limit_take
-- Slots for light calls, as penstock.domain.slots has it: the next free ones, or those from now on.
update penstock.limits
set next_us = case when next_us > penstock.now() * 1000 then next_us else penstock.now() * 1000 end + :span_us,
    since_us = case when next_us + :reach_us > penstock.now() * 1000 then since_us else penstock.now() * 1000 end,
    seen_us = penstock.now() * 1000, turns = turns + 1
where key = :key and name = :name and part = :part and turns < :most_turns
  and next_us <= penstock.now() * 1000 + :lead_us and seen_us <= penstock.now() * 1000 + 1000000
  and penstock.now() * 1000 <= :expected_us
  and not exists (select 1 from penstock.gates where penstock.gates.key = penstock.limits.key and state <> 'open')
returning next_us, seen_us, interval_us;

-- name: limit_lock
-- dialect: postgres
-- differs: on SQLite nobody else writes meanwhile
select part, next_us, since_us, seen_us, interval_us, slowed_at, grown_at, turns, spent from penstock.limits
where key = :key and name = :name
order by part desc limit (select 1)
for update;

-- name: limit_lock
-- dialect: sqlite
-- differs: on SQLite nobody else writes meanwhile
select part, next_us, since_us, seen_us, interval_us, slowed_at, grown_at, turns, spent from penstock.limits
where key = :key and name = :name
order by part desc limit 1;

-- name: limit_begin
-- Its first part, or the next one once the last was left: never a second one.
insert into penstock.limits (key, name, part, next_us, since_us, seen_us, interval_us, slowed_at, grown_at, spent)
select :key, :name, :part, :next_us, :since_us, :seen_us, :interval_us, :slowed_at, :grown_at, :spent
where not exists (select 1 from penstock.limits where key = :key and name = :name)
on conflict (key, name, part) do nothing;

-- name: limit_save
update penstock.limits
set next_us = :next_us, since_us = :since_us, seen_us = :seen_us, interval_us = :interval_us, slowed_at = :slowed_at,
grown_at = :grown_at,
    spent = :spent, turns = turns + 1
where key = :key and name = :name and part = :part;

-- name: limit_leave
delete from penstock.limits where key = :key and name = :name and part = :part;

-- name: limits_prune
-- What a limit has given of late is forgotten where it has said nothing for two days: a key may have a million values.
delete from penstock.limits
where next_us < penstock.now() * 1000 - 172800000000 and (name <> 'concurrency' or spent = '[]')
  and key in (
    select key from penstock.limits
    where next_us < penstock.now() * 1000 - 172800000000 and (name <> 'concurrency' or spent = '[]')
    limit (select :count)
  );

-- name: limits_given
select key, name, next_us, interval_us, spent, penstock.now() from penstock.limits
order by key, name, part;

-- name: permit_holder_start
insert into penstock.permit_holders (name, expires_at) values (:name, penstock.now() + :lease_ms) returning id;

-- name: permit_holder_renew
update penstock.permit_holders set expires_at = penstock.now() + :lease_ms
where id = :id and expires_at >= penstock.now();

-- name: permit_holder_stop
delete from penstock.permit_holders where id = :id;

-- name: permit_holders_alive
select id from penstock.permit_holders where expires_at >= penstock.now();

-- name: permit_holders_expire
delete from penstock.permit_holders where expires_at < penstock.now();

-- name: gates_shut
-- Few: a gate that is open lies in no index that is read here.
select key, state, until_at, reason, failures, closed_at, closed_by, penstock.now() from penstock.gates
where state <> 'open'
order by key;

-- name: gate
select key, state, until_at, reason, failures, closed_at, closed_by, penstock.now() from penstock.gates where key =
:key;

-- name: gate_close
-- One that is closed for at least as long stays as it is: many who are refused at once write one row between them.
-- A gate that is closed again is closed since the first time, unless five minutes went by in which nobody tried it.
insert into penstock.gates (key, state, until_at, reason, failures, closed_at, closed_by)
values (:key, 'closed', penstock.now() + :wait_ms, :reason, :failures, penstock.now(), :closed_by)
on conflict (key) do update
set state = 'closed', until_at = excluded.until_at, reason = excluded.reason, closed_by = excluded.closed_by,
    failures = excluded.failures,
    closed_at = case when penstock.gates.state = 'open' or penstock.gates.until_at < penstock.now() - 300000
                     then excluded.closed_at
                     else coalesce(penstock.gates.closed_at, excluded.closed_at) end
where :anyway or penstock.gates.state = 'open' or penstock.gates.state = 'probing' and :probed
   or penstock.gates.until_at is not null
      and (excluded.until_at is null or excluded.until_at > penstock.gates.until_at + :slack_ms)
returning until_at;

-- name: gate_fault
-- An error of the connection. It is counted; what repeated errors come to is for the caller to say.
insert into penstock.gates (key, state, reason, failures) values (:key, 'open', :reason, 1)
on conflict (key) do update set failures = penstock.gates.failures + 1, reason = excluded.reason
where penstock.gates.state = 'open'
returning failures;

-- name: gate_fine
update penstock.gates set failures = 0, reason = null where key = :key and state = 'open' and failures > 0;

-- name: gate_probe
-- The one that lets a call through after the gate's time. Its own time is a lease: a prober may die.
update penstock.gates
set state = 'probing', until_at = penstock.now() + :lease_ms,
    closed_at = case when until_at < penstock.now() - 300000 then penstock.now() else closed_at end
where key = :key and state <> 'open' and until_at <= penstock.now()
returning until_at;

-- name: gate_unprobe
update penstock.gates set state = 'closed', until_at = penstock.now()
where key = :key and state = 'probing' and until_at = :until_at;

-- name: gate_open
update penstock.gates set state = 'open', until_at = null, reason = null, failures = 0, closed_by = null
where key = :key and state <> 'open' and (until_at = :until_at or :anyway);
