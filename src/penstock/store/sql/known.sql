-- Which names traces have, and the plans of other databases' statements, as far as they were kept.

-- name: traced_names
select distinct name from penstock.trace_totals where hour >= :since order by name;

-- name: plans_kept
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select fingerprint, database, shape, first_seen_at, last_seen_at, flags, plan
from penstock.plans
where fingerprint = any (:fingerprints) and last_seen_at >= :since
order by last_seen_at, fingerprint, database, shape;

-- name: plans_kept
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select fingerprint, database, shape, first_seen_at, last_seen_at, flags, plan
from penstock.plans
where fingerprint in (select value from json_each(:fingerprints)) and last_seen_at >= :since
order by last_seen_at, fingerprint, database, shape;
