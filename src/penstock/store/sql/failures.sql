-- Records that are not as they should be: which of a layer, and what makes them go again. The index of unsettled rows
-- serves what asks for many, so that none of this costs more where more records are in order.

-- name: failures_page
-- From behind a place on, in the order of the index; what is disabled or only observed stands in it too.
select scope, status, key, error_class, error, attempts, retry_at, changed_at from penstock.layer
where status <> 'synced' and (scope, status, key) > (:scope, :status, :key)
order by scope, status, key
limit :count;

-- name: failures_named
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select scope, status, key, error_class, error, attempts, retry_at, changed_at from penstock.layer
where scope = :scope and key = any (:keys) and status <> 'synced'
order by status, key;

-- name: failures_named
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select scope, status, key, error_class, error, attempts, retry_at, changed_at from penstock.layer
where scope = :scope and key in (select value from json_each(:keys)) and status <> 'synced'
order by status, key;

-- name: failures_scope
-- The first scope from one on with anything in that index, by one descent.
select scope from penstock.layer where status <> 'synced' and scope >= :scope order by scope, status, key limit 1;

-- name: failures_next_scope
select scope from penstock.layer where status <> 'synced' and scope > :scope order by scope, status, key limit 1;

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
