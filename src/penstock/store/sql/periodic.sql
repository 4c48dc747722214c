-- Periodic tasks: how far the ticks of each are dealt with. Whoever moves that on enqueues the jobs of those ticks.

-- name: periodic_rows
select name, spec, reached_at, tick_at, paused_at from penstock.periodic order by name;

-- name: periodic_add
insert into penstock.periodic (name, spec, reached_at) values (:name, :spec, penstock.now())
on conflict (name) do nothing;

-- name: periodic_advance
update penstock.periodic
set spec = :spec, reached_at = :reached_at, tick_at = coalesce(:tick_at, tick_at)
where name = :name and reached_at = :before and spec = :spec_before and paused_at is null;

-- name: periodic_pause
update penstock.periodic set paused_at = penstock.now() where name = :name and paused_at is null;

-- name: periodic_resume
update penstock.periodic set paused_at = null, reached_at = penstock.now()
where name = :name and paused_at is not null;

-- name: periodic_exists
select 1 from penstock.periodic where name = :name;
