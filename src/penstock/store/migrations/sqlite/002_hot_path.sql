-- The hot path. What a claim reads is a narrow table of its own, what has ended lies apart, and no row of a waiting job
-- is written between its enqueue and its end. See docs/adr/008-the-shape-of-a-job.md.

alter table penstock_jobs rename to penstock_old_jobs;
drop index penstock_jobs_available;
drop index penstock_jobs_due;
drop index penstock_jobs_executing;

create table penstock_live_jobs (
    id            integer primary key,
    task          text not null,
    queue         text not null,
    priority      integer not null default 0,
    state         text not null check (state in ('scheduled', 'pending', 'available', 'retryable')),
    arguments     text not null,
    attempt       integer not null default 0,
    max_attempts  integer not null,
    run_at        integer not null,
    enqueued_at   integer not null,
    lease         integer not null default 0,
    lost          integer not null default 0,
    number        integer,
    tags          text,
    unique_key    text,
    deadline_at   integer,
    error_class   text,
    error         text
);
create index penstock_live_jobs_due on penstock_live_jobs (run_at) where state in ('scheduled', 'retryable');

create table penstock_ready_jobs (
    queue       text not null,
    rank        integer not null,
    id          integer not null,
    unique_key  text,
    primary key (queue, rank, id)
) without rowid;

create table penstock_leases (
    id          integer primary key autoincrement,
    worker_id   integer not null,
    job_ids     text not null,
    claimed_at  integer not null,
    fresh       integer not null
);
create index penstock_leases_worker on penstock_leases (worker_id);
create index penstock_leases_fresh on penstock_leases (id) where fresh = 1;

create table penstock_finished_jobs (
    id            integer primary key,
    slot          integer not null,
    task          text not null,
    queue         text not null,
    priority      integer not null,
    state         text not null check (state in ('completed', 'cancelled', 'discarded')),
    arguments     text not null,
    attempt       integer not null,
    max_attempts  integer not null,
    run_at        integer not null,
    enqueued_at   integer not null,
    attempted_at  integer,
    finished_at   integer not null,
    prune_at      integer not null,
    lease         integer not null,
    tags          text,
    unique_key    text,
    error_class   text,
    error         text
);
create index penstock_finished_jobs_prune on penstock_finished_jobs (prune_at);

create table penstock_unique_keys (
    key      text primary key,
    job_id   integer not null,
    keeps    text not null,
    until    integer
) without rowid;
create index penstock_unique_keys_until on penstock_unique_keys (until) where until is not null;

create table penstock_tag_marks (
    tag        text primary key,
    number     integer not null,
    marked_at  integer not null
) without rowid;
create index penstock_tag_marks_number on penstock_tag_marks (number);

create table penstock_cancellations (
    job_id    integer primary key,
    asked_at  integer not null
);

create table penstock_progress (
    job_id    integer primary key,
    percent   real,
    note      text,
    told_at   integer not null
);

create table penstock_queues (
    queue      text primary key,
    paused_at  integer
) without rowid;

create table penstock_count_deltas (
    queue  text not null,
    task   text not null,
    state  text not null,
    slot   integer not null,
    n      integer not null
);

create table penstock_counts (
    queue  text not null,
    task   text not null,
    state  text not null,
    slot   integer not null,
    n      integer not null,
    primary key (queue, task, state, slot)
) without rowid;

create view penstock_jobs as
select j.id, j.task, j.queue, j.priority,
       case when l.id is null then j.state else 'executing' end as state,
       j.arguments, case when l.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts,
       j.run_at, j.enqueued_at, l.claimed_at as attempted_at, null as finished_at,
       l.id as lease, l.worker_id, j.tags, j.unique_key, j.error_class, j.error
from penstock_live_jobs j
left join penstock_leases l on j.state = 'available' and l.id = (
    select max(m.id) from penstock_leases m
    where m.id > j.lease and exists (select 1 from json_each(m.job_ids) where value = j.id)
)
union all
select id, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
       null, null, tags, unique_key, error_class, error
from penstock_finished_jobs;

insert into penstock_sequences (name, value)
values ('job', coalesce((select seq from sqlite_sequence where name in ('penstock_jobs', 'penstock_old_jobs')), 0));
insert into sqlite_sequence (name, seq)
select 'penstock_leases', value from penstock_sequences where name = 'lease';
insert into penstock_live_jobs (id, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at,
                                error_class, error)
select id, task, queue, priority, case when state = 'executing' then 'available' else state end, arguments, attempt,
       max_attempts, run_at, enqueued_at, error_class, error
from penstock_old_jobs where state in ('scheduled', 'pending', 'available', 'executing', 'retryable');
insert into penstock_ready_jobs (queue, rank, id)
select queue, run_at - priority * 60000, id from penstock_live_jobs where state = 'available';
insert into penstock_finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts, run_at,
                                    enqueued_at, attempted_at, finished_at, prune_at, lease, error_class, error)
select id, 0, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at, attempted_at,
       coalesce(finished_at, enqueued_at), coalesce(finished_at, enqueued_at) + 604800000, 0, error_class, error
from penstock_old_jobs where state in ('completed', 'cancelled', 'discarded');
insert into penstock_counts (queue, task, state, slot, n)
select queue, task, state, 0, count(*) from penstock_live_jobs group by queue, task, state
union all
select queue, task, state, 0, count(*) from penstock_finished_jobs group by queue, task, state;
drop table penstock_old_jobs;
delete from penstock_sequences where name = 'lease';
