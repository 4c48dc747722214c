-- What bodies returned, of tasks that record it: written with the settle of their jobs, pruned by upkeep.

-- name: results_keep
-- dialect: postgres
-- differs: each dialect takes many rows in its own way
with at as materialized (
    select penstock.now() as now
), kept as (
    insert into penstock.job_results (job_id, prune_at, result)
    select id, at.now + keep_ms, result
    from unnest(:ids::bigint[], :keep_ms::bigint[], :results::text[]) as r (id, keep_ms, result), at
    on conflict (job_id) do update set prune_at = excluded.prune_at, result = excluded.result
)
select 1;

-- name: results_keep
-- dialect: sqlite
-- columns: ids keep_ms results
-- differs: each dialect takes many rows in its own way
insert into penstock.job_results (job_id, prune_at, result)
select value ->> 0, penstock.now() + (value ->> 1), value ->> 2 from json_each(:rows) where true
on conflict (job_id) do update set prune_at = excluded.prune_at, result = excluded.result;
select 1;

-- name: result
-- A job that runs at most once is settled before it begins: while its worker has the lease it has not ended.
select j.task, j.state, j.error_class, j.error, r.result, r.prune_at > penstock.now()
from (
    select task, 'live' as state, cast(null as text) as error_class, cast(null as text) as error
    from penstock.live_jobs where id = :id
    union all
    select task, case when error_class = 'AtMostOnce' and exists (select 1 from penstock.leases l where l.id = f.lease)
                      then 'live' else state end, error_class, error
    from penstock.finished_jobs f where id = :id
) as j left join penstock.job_results r on r.job_id = :id;
