"""A table of jobs as applications have it; nearly all are done. An index on queue and state."""

from bench.advise.case import Case, Domain

TABLES = """
create table jobs (id bigint primary key, queue text not null, state text not null, priority integer not null,
    run_at timestamptz not null, finished_at timestamptz, payload text not null);
insert into jobs select i, queue, state, abs(hashint8(i + 2)) % 10, now() - interval '1 minute' * (i % 5000),
    case when state = 'done' then now() - interval '1 minute' * (abs(hashint8(i + 3)) % 100000) end, repeat('y', 120)
    from (select i, case when hashint8(i) % 3 = 0 then 'mail' else 'q' || abs(hashint8(i + 1)) % 40 end as queue,
          case when hashint8(i + 9) % 25 = 0 then 'pending' when hashint8(i + 9) % 100 = 1 then 'running'
          else 'done' end as state from generate_series(1, {rows}) i) made order by md5(i::text);
create index jobs_queue_state on jobs (queue, state);
"""

CASES = (
    Case("claim",
         "select id, payload from jobs where queue = %s and state = 'pending' and run_at <= now()"
         " order by priority desc, run_at limit 20 for update skip locked", ("mail",),
         ("jobs (queue, priority desc, run_at) where state = 'pending'", "jobs (queue, state, priority desc, run_at)",
          "jobs (state, queue, priority desc, run_at)"),
         "Equal queue and state, then the order in its two directions: twenty entries instead of all that wait."),
    Case("settle", "update jobs set state = 'done', finished_at = now() where id = any(%s)", ([1, 2, 3],), (),
         "The primary key is all that it needs."),
    Case("how many run", "select count(*) from jobs where state = 'running'", (),
         ("jobs (state)", "jobs (id) where state = 'running'", "jobs (queue) where state = 'running'",
          "jobs (state) where state = 'running'"),
         "One job of a hundred; the index that there is begins with the queue."),
    Case("prune", "delete from jobs where state = 'done' and finished_at < now() - interval '69 days'", (),
         ("jobs (finished_at)", "jobs (state, finished_at)", "jobs (finished_at) where state = 'done'"),
         "A range of times finds one in a hundred; nearly all are done, so the state says nothing."),
    Case("all that a queue has done, in batches",
         "select id, payload from jobs where queue = %s and state = 'done' and id > %s order by id limit 500",
         ("q7", 1000), ("jobs (queue, state, id)", "jobs (state, queue, id)", "jobs (queue, id) where state = 'done'"),
         "Case study Q: the index that there is has both equal columns and not the order; the primary key has the"
         " order, and one row of sixty is wanted. The order belongs behind the equal columns."),
)

QUEUE = Domain("queue", TABLES, CASES)
