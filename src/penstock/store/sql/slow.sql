-- What is asked of traces by one name: hours are named one by one, so that each is found at once among all others.

-- name: trace_totals_of
-- dialect: postgres
-- differs: each dialect takes an array in its own way
select hour, kind, name, traces, failed, total_us, max_us, cpu_us, phases, durations
from penstock.trace_totals
where hour = any (:hours::bigint[]) and kind = any (:kinds::text[]) and name = :name
order by hour, kind;

-- name: trace_totals_of
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select hour, kind, name, traces, failed, total_us, max_us, cpu_us, phases, durations
from penstock.trace_totals
where hour in (select value from json_each(:hours)) and kind in (select value from json_each(:kinds)) and name = :name
order by hour, kind;

-- name: trace_statement_of
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- What one statement came to under one name, hour by hour.
select hour, sum(calls), sum(rows), sum(total_us), max(max_us)
from penstock.trace_statements
where hour = any (:hours::bigint[]) and kind = any (:kinds::text[]) and name = :name and fingerprint = :fingerprint
  and database = :database
group by hour
order by hour;

-- name: trace_statement_of
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select hour, sum(calls), sum(rows), sum(total_us), max(max_us)
from penstock.trace_statements
where hour in (select value from json_each(:hours)) and kind in (select value from json_each(:kinds)) and name = :name
  and fingerprint = :fingerprint and database = :database
group by hour
order by hour;

-- name: statement_text
select text from penstock.statement_texts where fingerprint = :fingerprint and database = :database
order by last_seen_at desc limit 1;

-- name: slow_trace
-- A trace that was kept. Its row is of the day on which it was written, which may be a later one than that of its end.
select content
from penstock.slow_traces
where day >= :since and day < :until and kind = :kind and began_at = :began_at and took_us = :took_us
order by name, process, place
limit :count;

-- name: trace_statement_totals
-- dialect: postgres
-- differs: each dialect takes an array in its own way
-- The statements of one name that took the most time.
select fingerprint, database, sum(calls), sum(rows), sum(total_us), max(max_us)
from penstock.trace_statements
where hour = any (:hours::bigint[]) and kind = any (:kinds::text[]) and name = :name
group by fingerprint, database
order by sum(total_us) desc, fingerprint
limit :count;

-- name: trace_statement_totals
-- dialect: sqlite
-- differs: each dialect takes an array in its own way
select fingerprint, database, sum(calls), sum(rows), sum(total_us), max(max_us)
from penstock.trace_statements
where hour in (select value from json_each(:hours)) and kind in (select value from json_each(:kinds)) and name = :name
group by fingerprint, database
order by sum(total_us) desc, fingerprint
limit :count;
