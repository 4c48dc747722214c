-- The whole schema as it is today, to be read. It is the sum of the migrations (a test compares the two), and `penstock
-- migrate` applies those, never this file. The tables of layers are not here: see `create_layer` in ../sql/layers.sql.
-- Times are milliseconds since 1970 in UTC, always by the database's clock.

create table penstock_migrations (
    version     integer primary key,
    name        text not null,
    applied_at  bigint not null
);

create table penstock_sequences (
    name   text primary key,
    value  integer not null
) without rowid;
insert into penstock_sequences (name, value) values ('job', 0);

create table penstock_workers (
    id          integer primary key autoincrement,
    name        text not null,
    started_at  integer not null,
    expires_at  integer not null,
    queues      text,
    slots       text,
    host        text,
    pid         integer,
    rss_bytes   integer,
    renewed_at  integer
);

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
    error         text,
    line          text,
    also          text,
    in_order      integer,
    terms         text,
    batch         integer,
    awaited       integer,
    waits         integer
);
create index penstock_live_jobs_due on penstock_live_jobs (run_at) where state in ('scheduled', 'retryable');

create table penstock_ready_jobs (
    queue       text not null,
    rank        integer not null,
    id          integer not null,
    unique_key  text,
    primary key (queue, rank, id)
) without rowid;

create table penstock_pending_jobs (
    line   text not null,
    rank   integer not null,
    id     integer not null,
    queue  text not null,
    primary key (line, rank, id)
) without rowid;

create table penstock_line_news (
    id       integer primary key,
    line     text not null,
    freed    integer not null,
    most     integer,
    pace_us  integer,
    gates    text,
    rank     integer
);

create table penstock_lines (
    line            text primary key,
    kind            text not null check (kind in ('job', 'run', 'key')),
    room            text not null,
    account         text,
    most            integer,
    pace_us         integer,
    running         integer not null default 0,
    served_at       integer,
    turn            integer,
    gates           text,
    held            text,
    head_rank       integer,
    head_id         integer,
    head_priority   integer,
    head_also       text,
    head_also_most  integer,
    paced_us        integer,
    until_at        integer,
    awaited         integer not null default 0,
    served_id       integer
) without rowid;
create index penstock_lines_turn on penstock_lines (kind, room, turn) where turn is not null and held is null;
create index penstock_lines_held on penstock_lines (held, turn) where held is not null;
create index penstock_lines_until on penstock_lines (until_at) where until_at is not null;

create table penstock_pauses (
    what       text primary key,
    paused_at  integer not null
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
    error         text,
    line          text,
    also          text,
    terms         text,
    batch         integer
);
create index penstock_finished_jobs_prune on penstock_finished_jobs (prune_at);
create index penstock_finished_jobs_uncompleted on penstock_finished_jobs (state, id) where state <> 'completed';

create table penstock_kept_places (
    job_id  integer primary key,
    lease   integer not null,
    line    text not null,
    also    text
);

create table penstock_job_waits (
    on_id   integer not null,
    job_id  integer not null,
    anyway  integer not null,
    primary key (on_id, job_id)
) without rowid;
create index penstock_job_waits_job on penstock_job_waits (job_id);

create table penstock_wait_news (
    number  integer primary key,
    id      integer not null,
    batch   integer not null,
    what    text not null,
    n       integer not null default 1
);

create table penstock_waits_ended (
    on_id   integer not null,
    job_id  integer not null,
    state   text not null,
    fails   integer not null,
    primary key (on_id, job_id)
) without rowid;

create table penstock_kept_news (
    job_id   integer primary key,
    lease    integer not null,
    awaited  integer not null,
    batch    integer
);

create table penstock_batches (
    id           integer primary key,
    closed       integer not null,
    total        integer not null,
    completed    integer not null,
    cancelled    integer not null,
    discarded    integer not null,
    made_at      integer not null,
    finished_at  integer,
    prune_at     integer
);
create index penstock_batches_prune on penstock_batches (prune_at) where prune_at is not null;

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

create table penstock_worker_stacks (
    worker_id    integer primary key,
    asked_at     integer not null,
    answered_at  integer,
    stacks       text
);

create table penstock_progress (
    job_id    integer primary key,
    percent   real,
    note      text,
    told_at   integer not null,
    lease     integer not null default 0,
    cursor    text
);

create table penstock_job_results (
    job_id    integer primary key,
    prune_at  integer not null,
    result    text not null
);
create index penstock_job_results_prune on penstock_job_results (prune_at);

create table penstock_attempt_errors (
    job_id       integer not null,
    lease        integer not null,
    attempt      integer not null,
    failed_at    integer not null,
    error_class  text not null,
    error        text,
    primary key (job_id, lease)
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

create table penstock_job_rates (
    span   text not null check (span in ('minute', 'hour')),
    at     integer not null,
    queue  text not null,
    task   text not null,
    state  text not null,
    n      integer not null,
    primary key (span, at, queue, task, state)
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

create table penstock_sync_requests (
    id            integer primary key autoincrement,
    sync          text not null,
    subject       text not null,
    account       text,
    priority      integer not null,
    reason        text not null,
    requested_at  integer not null,
    options       text not null default ''
);

create table penstock_sync_runs (
    id            integer primary key autoincrement,
    sync          text not null,
    subject       text not null,
    account       text not null,
    size          integer,
    status        text not null check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    priority      integer not null,
    reasons       text not null,
    requested_at  integer not null,
    run_at        integer not null,
    started_at    integer,
    finished_at   integer,
    attempt       integer not null default 0,
    lease         integer,
    job_id        integer,
    read          integer not null default 0,
    created       integer not null default 0,
    updated       integer not null default 0,
    deleted       integer not null default 0,
    skipped       integer not null default 0,
    failed        integer not null default 0,
    blocked       integer not null default 0,
    read_calls    integer not null default 0,
    write_calls   integer not null default 0,
    cursor        text,
    error_class   text,
    error         text,
    withheld      integer not null default 0,
    options       text not null default '',
    permits       integer not null default 0,
    limited_ms    integer not null default 0,
    superseded    integer,
    took_ms       integer not null default 0,
    delayed       integer not null default 0,
    layers        text not null default '',
    windows       text not null default '',
    cancelled_by  text
);
create unique index penstock_sync_runs_live on penstock_sync_runs (sync, subject) where status in ('pending', 'running');
create index penstock_sync_runs_pending
    on penstock_sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending' and not delayed;
create index penstock_sync_runs_delayed on penstock_sync_runs (run_at) where status = 'pending' and delayed;
create index penstock_sync_runs_running on penstock_sync_runs (sync, account) where status = 'running';
create index penstock_sync_runs_history on penstock_sync_runs (sync, subject, id);
create index penstock_sync_runs_uncounted on penstock_sync_runs (finished_at, id) where finished_at is not null and superseded is null;
create index penstock_sync_runs_superseded on penstock_sync_runs (finished_at, id) where superseded;
create index penstock_sync_runs_listed on penstock_sync_runs (sync, status, id);
create index penstock_sync_runs_account on penstock_sync_runs (sync, account, status, id);
create index penstock_sync_runs_waiting on penstock_sync_runs (sync, run_at) where status = 'pending';

create table penstock_run_statistics (
    sync          text not null,
    kind          text not null check (kind in ('sync', 'account', 'subject')),
    name          text not null,
    account       text not null,
    runs          integer not null,
    failures      integer not null,
    cancelled     integer not null,
    streak        integer not null,
    failing       integer not null,
    durations     text not null,
    p50_ms        integer not null,
    p95_ms        integer not null,
    read          integer not null,
    created       integer not null,
    updated       integer not null,
    deleted       integer not null,
    failed        integer not null,
    calls         integer not null,
    permits       integer not null,
    run_id        integer not null,
    status        text not null,
    finished_at   integer not null,
    succeeded_at  integer,
    failing_at    integer,
    error_class   text,
    error         text,
    audited_at    integer,
    primary key (sync, kind, name)
) without rowid;
create index penstock_run_statistics_slowest on penstock_run_statistics (sync, kind, p95_ms, name);
create index penstock_run_statistics_account on penstock_run_statistics (sync, account, kind, p95_ms, name);
create index penstock_run_statistics_failing on penstock_run_statistics (sync, kind, account, streak) where failing > 0;
create index penstock_run_statistics_failed on penstock_run_statistics (finished_at) where failing > 0 and kind = 'subject';
create index penstock_run_statistics_streak on penstock_run_statistics (sync, kind, streak, name) where failing > 0;

create table penstock_sync_windows (
    id           integer primary key autoincrement,
    sync         text not null,
    account      text not null,
    job_id       integer not null,
    began_at     integer not null,
    ended_at     integer,
    total_ms     integer,
    headroom_ms  integer,
    served       integer not null default 0,
    failed       integer not null default 0,
    put_back     integer not null default 0,
    skipped      integer not null default 0,
    used_ms      integer,
    unused_ms    integer,
    ended_by     text,
    steps        text,
    fetch_ms     integer not null default 0,
    runs         text not null default ''
);
create index penstock_sync_windows_sync on penstock_sync_windows (sync, id);
create index penstock_sync_windows_open on penstock_sync_windows (job_id) where ended_at is null;
create index penstock_sync_windows_account on penstock_sync_windows (sync, account, id);

create table penstock_alerts (
    kind      text not null,
    about     text not null,
    since_at  integer not null,
    calm_at   integer,
    summary   text not null,
    details   text not null,
    primary key (kind, about)
);

create table penstock_alert_news (
    id          integer primary key autoincrement,
    kind        text not null,
    about       text not null,
    state       text not null check (state in ('firing', 'recovered')),
    since_at    integer not null,
    changed_at  integer not null,
    summary     text not null,
    details     text not null,
    tries       integer not null default 0,
    next_at     integer not null,
    told_at     integer
);
create index penstock_alert_news_due on penstock_alert_news (next_at, id) where told_at is null;
create index penstock_alert_news_name on penstock_alert_news (kind, about, id) where told_at is null;
create index penstock_alert_news_changed on penstock_alert_news (changed_at);

create table penstock_alert_notes (
    name      text primary key,
    noted_at  integer not null,
    content   text not null
);

create table penstock_removed_rows (
    layer_table  text not null,
    scope        text not null,
    key          text not null,
    removed_at   integer not null,
    primary key (layer_table, scope, key)
) without rowid;
create index penstock_removed_rows_at on penstock_removed_rows (removed_at);

create table penstock_layers (
    layer_table  text primary key,
    sync         text not null,
    layer        text not null,
    created_at   integer not null,
    version      integer not null default 1,
    keys         text,
    keys_were    text,
    first_table  text
);

create table penstock_sync_reads (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    began_at     integer not null,
    primary key (layer_table, scope, subject)
);

create table penstock_layer_shapes (
    number       integer primary key,
    layer_table  text not null,
    names        text not null,
    unique (layer_table, names)
);

create table penstock_renderers (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    renderer     text not null,
    primary key (layer_table, scope, subject)
);

create table penstock_buckets (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    number       integer not null,
    lower        text,
    row_count    integer not null,
    digest       blob,
    version      text not null,
    primary key (layer_table, scope, subject, number)
);

create table penstock_cursors (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    cursor       text not null,
    full_at      integer,
    primary key (layer_table, scope, subject)
);

create table penstock_intents (
    id           integer primary key autoincrement,
    layer_table  text not null,
    scope        text not null,
    run_id       integer not null,
    entries      text not null,
    believed_at  integer not null
);
create index penstock_intents_layer on penstock_intents (layer_table, scope);

create table penstock_removals (
    layer_table  text not null,
    run_id       integer not null,
    account      text not null,
    lease        integer not null,
    removed      integer not null,
    about_to     integer not null,
    removed_at   integer not null,
    primary key (layer_table, run_id)
) without rowid;

create table penstock_approvals (
    id           integer primary key autoincrement,
    layer_table  text not null,
    scope        text not null,
    sync         text not null,
    layer        text not null,
    subject      text not null,
    account      text not null,
    status       text not null check (status in ('noted', 'asked', 'approved', 'refused')),
    reason       text not null,
    records      integer not null,
    run_id       integer not null,
    asked_at     integer not null,
    expires_at   integer not null,
    decided_at   integer,
    decided_by   text
);
create index penstock_approvals_scope on penstock_approvals (layer_table, scope);
create index penstock_approvals_expires on penstock_approvals (expires_at);
create index penstock_approvals_listed on penstock_approvals (sync, id);
create index penstock_approvals_asked on penstock_approvals (sync, account) where status = 'asked';

create table penstock_approval_keys (
    approval_id  integer not null,
    key          text not null,
    primary key (approval_id, key)
) without rowid;

create table penstock_sync_plans (
    id         integer primary key autoincrement,
    sync       text not null,
    layers     text not null,
    loaded_at  integer not null
);

create table penstock_planned_changes (
    plan_id    integer not null,
    subject    text not null,
    layer      text not null,
    key        text not null,
    kind       text not null check (kind in ('create', 'update', 'delete', 'adopt')),
    digest     blob,
    remote_id  text,
    primary key (plan_id, subject, layer, key)
) without rowid;

create table penstock_contacts (
    layer_table   text not null,
    scope         text not null,
    contacted_at  integer,
    begun_at      integer,
    place         text,
    findings      text,
    audited_at    integer,
    primary key (layer_table, scope)
) without rowid;

create table penstock_periodic (
    name        text primary key,
    spec        text not null,
    reached_at  integer not null,
    tick_at     integer,
    paused_at   integer
) without rowid;

create table penstock_gates (
    key        text primary key,
    state      text not null check (state in ('open', 'closed', 'probing')),
    until_at   integer,
    reason     text,
    failures   integer not null default 0,
    closed_at  integer,
    closed_by  text
) without rowid;
create index penstock_gates_shut on penstock_gates (key) where state <> 'open';

create table penstock_limits (
    key          text not null,
    name         text not null,
    part         integer not null default 0,
    next_us      integer not null default 0,
    since_us     integer not null default 0,
    seen_us      integer not null default 0,
    interval_us  integer,
    slowed_at    integer,
    grown_at     integer,
    turns        integer not null default 0,
    spent        text not null default '[]',
    primary key (key, name, part)
) without rowid;

create table penstock_permit_holders (
    id          integer primary key autoincrement,
    name        text not null,
    expires_at  integer not null
);

create table penstock_sync_subjects (
    sync     text not null,
    subject  text not null,
    account  text not null,
    due_at   integer not null,
    seen_at  integer not null,
    primary key (sync, subject)
) without rowid;
create index penstock_sync_subjects_due on penstock_sync_subjects (sync, due_at);

create table penstock_trace_totals (
    hour       integer not null,
    kind       text not null,
    name       text not null,
    process    text not null,
    traces     integer not null,
    failed     integer not null,
    total_us   integer not null,
    max_us     integer not null,
    cpu_us     integer,
    phases     text not null,
    durations  text not null,
    primary key (hour, kind, name, process)
) without rowid;

create table penstock_trace_statements (
    hour         integer not null,
    kind         text not null,
    name         text not null,
    fingerprint  text not null,
    database     text not null,
    driver       text not null,
    process      text not null,
    calls        integer not null,
    failed       integer not null,
    rows         integer not null,
    total_us     integer not null,
    max_us       integer not null,
    locked_us    integer not null,
    at_most_one  integer not null,
    traces       integer not null,
    most_calls   integer not null,
    monotone     integer,
    sites        text not null,
    samples      text not null,
    by_position  text not null,
    primary key (hour, kind, name, fingerprint, database, driver, process)
);

create table penstock_statement_texts (
    fingerprint    text not null,
    database       text not null,
    driver         text not null,
    text           text not null,
    first_seen_at  integer not null,
    last_seen_at   integer not null,
    primary key (fingerprint, database, driver)
);
create index penstock_statement_texts_seen on penstock_statement_texts (last_seen_at);

create table penstock_trace_calls (
    hour        integer not null,
    kind        text not null,
    name        text not null,
    method      text not null,
    host        text not null,
    route       text not null,
    process     text not null,
    calls       integer not null,
    failed      integer not null,
    total_us    integer not null,
    max_us      integer not null,
    traces      integer not null,
    most_calls  integer not null,
    sites       text not null,
    primary key (hour, kind, name, method, host, route, process)
);

create table penstock_trace_flames (
    day      integer not null,
    kind     text not null,
    name     text not null,
    process  text not null,
    stacks   text not null,
    primary key (day, kind, name, process)
);

create table penstock_slow_traces (
    day       integer not null,
    kind      text not null,
    name      text not null,
    process   text not null,
    place     integer not null,
    began_at  integer not null,
    took_us   integer not null,
    failed    integer not null,
    job_id    integer,
    run_id    integer,
    subject   text,
    account   text,
    content   text not null,
    primary key (day, kind, name, process, place)
);

create table penstock_plans (
    fingerprint    text not null,
    database       text not null,
    shape          text not null,
    first_seen_at  integer not null,
    last_seen_at   integer not null,
    seen           integer not null,
    flags          text not null,
    plan           text not null,
    primary key (fingerprint, database, shape)
);
create index penstock_plans_seen on penstock_plans (last_seen_at);

create table penstock_advice (
    id           text not null,
    fingerprint  text not null,
    database     text not null,
    name         text not null,
    candidate    text not null,
    verdict      text not null,
    state        text not null,
    before       text,
    after        text,
    content      text not null,
    made_at      integer not null,
    changed_at   integer not null,
    primary key (id)
);
create index penstock_advice_of on penstock_advice (name, changed_at);
create index penstock_advice_changed on penstock_advice (changed_at);

create table penstock_journal (
    id      integer primary key autoincrement,
    at      integer not null,
    actor   text not null,
    action  text not null,
    about   text not null,
    before  text,
    after   text,
    said    text
);
create index penstock_journal_at on penstock_journal (at);
create index penstock_journal_about on penstock_journal (about, id);
create index penstock_journal_actor on penstock_journal (actor, id);
