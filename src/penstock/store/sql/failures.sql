-- Records that are not as they should be: which of a layer, and what makes them go again. The index of unsettled rows
-- serves what asks for many, so that none of this costs more where more records are in order.

-- name: failing_scopes
select distinct scope from penstock.layer
where status <> 'synced' and status in ('failed', 'blocked', 'in_doubt')
order by scope;

-- name: failures_page
select status, key, error_class, error, attempts, retry_at, changed_at from penstock.layer
where scope = :scope and status <> 'synced' and status in ('failed', 'blocked', 'in_doubt')
      and (status, key) > (:status, :key)
order by status, key
limit :count;

-- name: failures_retry
-- dialect: postgres
-- differs: each dialect takes an array in its own way
update penstock.layer set retry_at = null where scope = :scope and key = any (:keys) and status = 'failed';

-- name: failures_retry
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
update penstock.layer set retry_at = null
where scope = :scope and key in (select value from json_each(:keys)) and status = 'failed';

-- name: failures_subjects
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select distinct subject from penstock.sync_runs
where id in (select run_id from penstock.layer where scope = :scope and key = any (:keys));

-- name: failures_subjects
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select distinct subject from penstock.sync_runs
where id in (select run_id from penstock.layer where scope = :scope and key in (select value from json_each(:keys)));
