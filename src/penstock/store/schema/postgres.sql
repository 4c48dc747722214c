-- The whole schema as it is today, to be read. It is the sum of the migrations (a test compares the two), and `penstock
-- migrate` applies those, never this file. The tables of layers are not here: see `create_layer` in ../sql/layers.sql.
-- Times are milliseconds since 1970 in UTC, always by the database's clock.

create schema penstock;

create table penstock.migrations (
    version     integer primary key,
    name        text not null,
    applied_at  bigint not null
);

create sequence penstock.lease_seq;

create table penstock.workers (
    id          bigint generated always as identity primary key,
    name        text not null,
    started_at  bigint not null,
    expires_at  bigint not null,
    queues      text,
    slots       text,
    host        text,
    pid         integer,
    rss_bytes   bigint,
    renewed_at  bigint
);

create sequence penstock.job_seq;

create table penstock.live_jobs (
    id            bigint primary key default nextval('penstock.job_seq'),
    task          text not null,
    queue         text not null,
    priority      integer not null default 0,
    state         text not null check (state in ('scheduled', 'pending', 'available', 'retryable')),
    arguments     text not null,
    attempt       integer not null default 0,
    max_attempts  integer not null,
    run_at        bigint not null,
    enqueued_at   bigint not null,
    lease         bigint not null default 0,
    lost          integer not null default 0,
    number        bigint,
    tags          text[],
    unique_key    text,
    deadline_at   bigint,
    error_class   text,
    error         text,
    line          text,
    also          text,
    in_order      boolean,
    terms         text,
    batch         bigint,
    awaited       boolean,
    waits         integer
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);
create index live_jobs_due on penstock.live_jobs (run_at, id) where state in ('scheduled', 'retryable');

create table penstock.ready_jobs (
    queue       text not null,
    rank        bigint not null,
    id          bigint not null,
    unique_key  text,
    jobs        integer not null default 1,
    primary key (queue, rank, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);

create table penstock.pending_jobs (
    line   text collate "C" not null,
    rank   bigint not null,
    id     bigint not null,
    queue  text not null,
    primary key (line, rank, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);

create table penstock.line_news (
    line     text collate "C" not null,
    freed    integer not null,
    most     integer,
    pace_us  bigint,
    gates    text,
    xact     xid8 not null default pg_current_xact_id(),
    rank     bigint
);
create index line_news_xact on penstock.line_news (xact);

create table penstock.line_folds (
    xact  xid8 not null
);
insert into penstock.line_folds (xact) values ('0');

create table penstock.lines (
    line            text collate "C" primary key,
    kind            text not null check (kind in ('job', 'run', 'key')),
    room            text not null,
    account         text,
    most            integer,
    pace_us         bigint,
    running         integer not null default 0,
    served_at       bigint,
    turn            bigint,
    gates           text,
    held            text,
    head_rank       bigint,
    head_id         bigint,
    head_priority   integer,
    head_also       text,
    head_also_most  integer,
    paced_us        bigint,
    until_at        bigint,
    awaited         boolean not null default false,
    served_id       bigint
);
create index lines_turn on penstock.lines (kind, room, turn) where turn is not null and held is null;
create index lines_held on penstock.lines (held, turn) where held is not null;
create index lines_until on penstock.lines (until_at) where until_at is not null;

create table penstock.pauses (
    what       text collate "C" primary key,
    paused_at  bigint not null
);

create table penstock.leases (
    id          bigint primary key default nextval('penstock.lease_seq'),
    worker_id   bigint not null,
    job_ids     bigint[] not null,
    claimed_at  bigint not null
);
create index leases_worker on penstock.leases (worker_id);

create table penstock.finished_jobs (
    id            bigint not null,
    slot          smallint not null,
    task          text not null,
    queue         text not null,
    priority      integer not null,
    state         text not null check (state in ('completed', 'cancelled', 'discarded')),
    arguments     text not null,
    attempt       integer not null,
    max_attempts  integer not null,
    run_at        bigint not null,
    enqueued_at   bigint not null,
    attempted_at  bigint,
    finished_at   bigint not null,
    prune_at      bigint not null,
    lease         bigint not null,
    tags          text[],
    unique_key    text,
    error_class   text,
    error         text,
    line          text,
    also          text,
    terms         text,
    batch         bigint,
    primary key (id, slot)
) partition by list (slot);
create table penstock.finished_jobs_00 partition of penstock.finished_jobs for values in (0);
create table penstock.finished_jobs_01 partition of penstock.finished_jobs for values in (1);
create table penstock.finished_jobs_02 partition of penstock.finished_jobs for values in (2);
create table penstock.finished_jobs_03 partition of penstock.finished_jobs for values in (3);
create table penstock.finished_jobs_04 partition of penstock.finished_jobs for values in (4);
create table penstock.finished_jobs_05 partition of penstock.finished_jobs for values in (5);
create table penstock.finished_jobs_06 partition of penstock.finished_jobs for values in (6);
create table penstock.finished_jobs_07 partition of penstock.finished_jobs for values in (7);
create table penstock.finished_jobs_08 partition of penstock.finished_jobs for values in (8);
create table penstock.finished_jobs_09 partition of penstock.finished_jobs for values in (9);
create table penstock.finished_jobs_10 partition of penstock.finished_jobs for values in (10);
create table penstock.finished_jobs_11 partition of penstock.finished_jobs for values in (11);
create table penstock.finished_jobs_12 partition of penstock.finished_jobs for values in (12);
create table penstock.finished_jobs_13 partition of penstock.finished_jobs for values in (13);
create table penstock.finished_jobs_14 partition of penstock.finished_jobs for values in (14);
create table penstock.finished_jobs_15 partition of penstock.finished_jobs for values in (15);
create table penstock.finished_jobs_16 partition of penstock.finished_jobs for values in (16);
create table penstock.finished_jobs_17 partition of penstock.finished_jobs for values in (17);
create table penstock.finished_jobs_18 partition of penstock.finished_jobs for values in (18);
create table penstock.finished_jobs_19 partition of penstock.finished_jobs for values in (19);
create table penstock.finished_jobs_20 partition of penstock.finished_jobs for values in (20);
create index finished_jobs_20_prune on penstock.finished_jobs_20 (prune_at);
create index finished_jobs_uncompleted on penstock.finished_jobs (state, id) where state <> 'completed';

create table penstock.kept_places (
    job_id  bigint primary key,
    lease   bigint not null,
    line    text not null,
    also    text
);

create table penstock.job_waits (
    on_id   bigint not null,
    job_id  bigint not null,
    anyway  boolean not null,
    primary key (on_id, job_id)
);
create index job_waits_job on penstock.job_waits (job_id);

create table penstock.wait_news (
    id     bigint not null,
    batch  boolean not null,
    what   text not null,
    n      bigint not null default 1,
    xact   xid8 not null default pg_current_xact_id()
);
create index wait_news_xact on penstock.wait_news (xact);

create table penstock.wait_folds (
    xact  xid8 not null
);
insert into penstock.wait_folds (xact) values ('0');

create table penstock.kept_news (
    job_id   bigint primary key,
    lease    bigint not null,
    awaited  boolean not null,
    batch    bigint
);

create table penstock.batches (
    id           bigint primary key,
    closed       boolean not null,
    total        bigint not null,
    completed    bigint not null,
    cancelled    bigint not null,
    discarded    bigint not null,
    made_at      bigint not null,
    finished_at  bigint,
    prune_at     bigint
);
create index batches_prune on penstock.batches (prune_at) where prune_at is not null;

create table penstock.unique_keys (
    key      text primary key,
    job_id   bigint not null,
    keeps    text[] not null,
    until    bigint
);
create index unique_keys_until on penstock.unique_keys (until) where until is not null;

create table penstock.keys_left (
    job_id  bigint primary key,
    key     text not null,
    state   text not null,
    until   bigint
);

create table penstock.tag_marks (
    tag        text primary key,
    number     bigint not null,
    marked_at  bigint not null
);
create index tag_marks_number on penstock.tag_marks (number);

create table penstock.cancellations (
    job_id    bigint primary key,
    asked_at  bigint not null
);

create table penstock.worker_stacks (
    worker_id    bigint primary key,
    asked_at     bigint not null,
    answered_at  bigint,
    stacks       text
);

create table penstock.progress (
    job_id    bigint primary key,
    percent   double precision,
    note      text,
    told_at   bigint not null,
    lease     bigint not null default 0,
    cursor    text
);

create table penstock.job_results (
    job_id    bigint primary key,
    prune_at  bigint not null,
    result    text not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);
create index job_results_prune on penstock.job_results (prune_at);

create table penstock.attempt_errors (
    job_id       bigint not null,
    lease        bigint not null,
    attempt      integer not null,
    failed_at    bigint not null,
    error_class  text not null,
    error        text,
    look_at      bigint not null,
    primary key (job_id, lease)
);
create index attempt_errors_look on penstock.attempt_errors (look_at);

create table penstock.queues (
    queue      text primary key,
    paused_at  bigint
);

create table penstock.count_deltas (
    queue  text not null,
    task   text not null,
    state  text not null,
    slot   smallint not null,
    n      bigint not null,
    xact   xid8 not null default pg_current_xact_id()
);
create index count_deltas_xact on penstock.count_deltas (xact);

create table penstock.count_folds (
    xact  xid8 not null
);
insert into penstock.count_folds (xact) values ('0');

create table penstock.counts (
    queue  text not null,
    task   text not null,
    state  text not null,
    slot   smallint not null,
    n      bigint not null,
    primary key (queue, task, state, slot)
);

create table penstock.job_rates (
    span   text not null check (span in ('minute', 'hour')),
    at     bigint not null,
    queue  text not null,
    task   text not null,
    state  text not null,
    n      bigint not null,
    primary key (span, at, queue, task, state)
);

create view penstock.jobs as
select j.id, j.task, j.queue, j.priority,
       case when l.id is null then j.state else 'executing' end as state,
       j.arguments, case when l.id is null then j.attempt else j.attempt + 1 end as attempt, j.max_attempts,
       j.run_at, j.enqueued_at, l.claimed_at as attempted_at, cast(null as bigint) as finished_at,
       l.id as lease, l.worker_id, j.tags, j.unique_key, j.error_class, j.error
from penstock.live_jobs j
left join lateral (
    select id, worker_id, claimed_at from penstock.leases
    where j.state = 'available' and j.id = any (job_ids) and id > j.lease
    order by id desc
    limit 1
) as l on true
union all
select id, task, queue, priority, state, arguments, attempt, max_attempts, run_at, enqueued_at, attempted_at, finished_at,
       null, null, tags, unique_key, error_class, error
from penstock.finished_jobs;

create table penstock.sync_requests (
    id            bigint generated always as identity primary key,
    sync          text not null,
    subject       text not null,
    account       text,
    priority      integer not null,
    reason        text not null,
    requested_at  bigint not null,
    options       text not null default ''
);

create table penstock.sync_runs (
    id            bigint generated always as identity primary key,
    sync          text not null,
    subject       text not null,
    account       text not null,
    size          bigint,
    status        text not null check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    priority      integer not null,
    reasons       text not null,
    requested_at  bigint not null,
    run_at        bigint not null,
    started_at    bigint,
    finished_at   bigint,
    attempt       integer not null default 0,
    lease         bigint,
    job_id        bigint,
    read          bigint not null default 0,
    created       bigint not null default 0,
    updated       bigint not null default 0,
    deleted       bigint not null default 0,
    skipped       bigint not null default 0,
    failed        bigint not null default 0,
    blocked       bigint not null default 0,
    read_calls    bigint not null default 0,
    write_calls   bigint not null default 0,
    cursor        text,
    error_class   text,
    error         text,
    withheld      bigint not null default 0,
    options       text not null default '',
    permits       bigint not null default 0,
    limited_ms    bigint not null default 0,
    superseded    boolean,
    took_ms       bigint not null default 0,
    delayed       boolean not null default false,
    layers        text not null default '',
    windows       text not null default '',
    cancelled_by  text
);
create unique index sync_runs_live on penstock.sync_runs (sync, subject) where status in ('pending', 'running');
create index sync_runs_pending
    on penstock.sync_runs (sync, account, (requested_at - priority * cast(60000 as bigint)), id)
    where status = 'pending' and not delayed;
create index sync_runs_delayed on penstock.sync_runs (run_at) where status = 'pending' and delayed;
create index sync_runs_running on penstock.sync_runs (sync, account) where status = 'running';
create index sync_runs_history on penstock.sync_runs (sync, subject, id);
create index sync_runs_uncounted on penstock.sync_runs (finished_at, id) where finished_at is not null and superseded is null;
create index sync_runs_superseded on penstock.sync_runs (finished_at, id) where superseded;
create index sync_runs_listed on penstock.sync_runs (sync, status, id);
create index sync_runs_account on penstock.sync_runs (sync, account, status, id);
create index sync_runs_waiting on penstock.sync_runs (sync, run_at) where status = 'pending';

create table penstock.run_statistics (
    sync          text not null,
    kind          text not null check (kind in ('sync', 'account', 'subject')),
    name          text not null,
    account       text not null,
    runs          bigint not null,
    failures      bigint not null,
    cancelled     bigint not null,
    streak        bigint not null,
    failing       bigint not null,
    durations     text not null,
    p50_ms        bigint not null,
    p95_ms        bigint not null,
    read          bigint not null,
    created       bigint not null,
    updated       bigint not null,
    deleted       bigint not null,
    failed        bigint not null,
    calls         bigint not null,
    permits       bigint not null,
    run_id        bigint not null,
    status        text not null,
    finished_at   bigint not null,
    succeeded_at  bigint,
    failing_at    bigint,
    error_class   text,
    error         text,
    audited_at    bigint,
    primary key (sync, kind, name)
);
create index run_statistics_slowest on penstock.run_statistics (sync, kind, p95_ms, name);
create index run_statistics_account on penstock.run_statistics (sync, account, kind, p95_ms, name);
create index run_statistics_failing on penstock.run_statistics (sync, kind, account, streak) where failing > 0;
create index run_statistics_failed on penstock.run_statistics (finished_at) where failing > 0 and kind = 'subject';
create index run_statistics_streak on penstock.run_statistics (sync, kind, streak, name) where failing > 0;

create table penstock.sync_windows (
    id           bigint generated always as identity primary key,
    sync         text not null,
    account      text not null,
    job_id       bigint not null,
    began_at     bigint not null,
    ended_at     bigint,
    total_ms     bigint,
    headroom_ms  bigint,
    served       integer not null default 0,
    failed       integer not null default 0,
    put_back     integer not null default 0,
    skipped      integer not null default 0,
    used_ms      bigint,
    unused_ms    bigint,
    ended_by     text,
    steps        text,
    fetch_ms     bigint not null default 0,
    runs         text not null default ''
);
create index sync_windows_sync on penstock.sync_windows (sync, id);
create index sync_windows_open on penstock.sync_windows (job_id) where ended_at is null;
create index sync_windows_account on penstock.sync_windows (sync, account, id);

create table penstock.alerts (
    kind      text not null,
    about     text not null,
    since_at  bigint not null,
    calm_at   bigint,
    summary   text not null,
    details   text not null,
    primary key (kind, about)
);

create table penstock.alert_news (
    id          bigint generated always as identity primary key,
    kind        text not null,
    about       text not null,
    state       text not null check (state in ('firing', 'recovered')),
    since_at    bigint not null,
    changed_at  bigint not null,
    summary     text not null,
    details     text not null,
    tries       bigint not null default 0,
    next_at     bigint not null,
    told_at     bigint
);
create index alert_news_due on penstock.alert_news (next_at, id) where told_at is null;
create index alert_news_name on penstock.alert_news (kind, about, id) where told_at is null;
create index alert_news_changed on penstock.alert_news (changed_at);

create table penstock.alert_notes (
    name      text primary key,
    noted_at  bigint not null,
    content   text not null
);

create table penstock.removed_rows (
    layer_table  text not null,
    scope        text collate "C" not null,
    key          text collate "C" not null,
    removed_at   bigint not null,
    primary key (layer_table, scope, key)
);
create index removed_rows_at on penstock.removed_rows (removed_at);

create table penstock.layers (
    layer_table  text primary key,
    sync         text not null,
    layer        text not null,
    created_at   bigint not null,
    version      integer not null default 1,
    keys         text,
    keys_were    text,
    first_table  text
);

create table penstock.sync_reads (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    began_at     bigint not null,
    primary key (layer_table, scope, subject)
);

create table penstock.layer_shapes (
    number       bigint generated always as identity primary key,
    layer_table  text not null,
    names        text not null,
    unique (layer_table, names)
);

create table penstock.renderers (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    renderer     text not null,
    primary key (layer_table, scope, subject)
);

create table penstock.buckets (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    number       integer not null,
    lower        text,
    row_count    bigint not null,
    digest       bytea,
    version      text not null,
    primary key (layer_table, scope, subject, number)
);

create table penstock.cursors (
    layer_table  text not null,
    scope        text not null,
    subject      text not null,
    cursor       text not null,
    full_at      bigint,
    primary key (layer_table, scope, subject)
);

create table penstock.intents (
    id           bigint generated always as identity primary key,
    layer_table  text not null,
    scope        text not null,
    run_id       bigint not null,
    entries      text not null,
    believed_at  bigint not null
);
create index intents_layer on penstock.intents (layer_table, scope);

create table penstock.removals (
    layer_table  text not null,
    run_id       bigint not null,
    account      text not null,
    lease        bigint not null,
    removed      bigint not null,
    about_to     bigint not null,
    removed_at   bigint not null,
    primary key (layer_table, run_id)
);

create table penstock.approvals (
    id           bigint generated always as identity primary key,
    layer_table  text not null,
    scope        text not null,
    sync         text not null,
    layer        text not null,
    subject      text not null,
    account      text not null,
    status       text not null check (status in ('noted', 'asked', 'approved', 'refused')),
    reason       text not null,
    records      bigint not null,
    run_id       bigint not null,
    asked_at     bigint not null,
    expires_at   bigint not null,
    decided_at   bigint,
    decided_by   text
);
create index approvals_scope on penstock.approvals (layer_table, scope);
create index approvals_expires on penstock.approvals (expires_at);
create index approvals_listed on penstock.approvals (sync, id);
create index approvals_asked on penstock.approvals (sync, account) where status = 'asked';

create table penstock.approval_keys (
    approval_id  bigint not null,
    key          text collate "C" not null,
    primary key (approval_id, key)
);

create table penstock.sync_plans (
    id         bigint generated always as identity primary key,
    sync       text not null,
    layers     text not null,
    loaded_at  bigint not null
);

create table penstock.planned_changes (
    plan_id    bigint not null,
    subject    text collate "C" not null,
    layer      text collate "C" not null,
    key        text collate "C" not null,
    kind       text not null check (kind in ('create', 'update', 'delete', 'adopt')),
    digest     bytea,
    remote_id  text,
    primary key (plan_id, subject, layer, key)
);

create table penstock.contacts (
    layer_table   text not null,
    scope         text not null,
    contacted_at  bigint,
    begun_at      bigint,
    place         text,
    findings      text,
    audited_at    bigint,
    primary key (layer_table, scope)
);

create table penstock.periodic (
    name        text primary key,
    spec        text not null,
    reached_at  bigint not null,
    tick_at     bigint,
    paused_at   bigint
);

create table penstock.gates (
    key        text collate "C" primary key,
    state      text not null check (state in ('open', 'closed', 'probing')),
    until_at   bigint,
    reason     text,
    failures   integer not null default 0,
    closed_at  bigint,
    closed_by  text
);
create index gates_shut on penstock.gates (key) where state <> 'open';

create table penstock.limits (
    key          text collate "C" not null,
    name         text collate "C" not null,
    part         integer not null default 0,
    next_us      bigint not null default 0,
    since_us     bigint not null default 0,
    seen_us      bigint not null default 0,
    interval_us  bigint,
    slowed_at    bigint,
    grown_at     bigint,
    turns        integer not null default 0,
    spent        text not null default '[]',
    primary key (key, name, part)
) with (fillfactor = 50);

create table penstock.permit_holders (
    id          bigint generated always as identity primary key,
    name        text not null,
    expires_at  bigint not null
);

create table penstock.sync_subjects (
    sync     text not null,
    subject  text not null,
    account  text not null,
    due_at   bigint not null,
    seen_at  bigint not null,
    primary key (sync, subject)
);
create index sync_subjects_due on penstock.sync_subjects (sync, due_at);

create table penstock.trace_totals (
    hour       bigint not null,
    kind       text not null,
    name       text not null,
    process    text not null,
    traces     bigint not null,
    failed     bigint not null,
    total_us   bigint not null,
    max_us     bigint not null,
    cpu_us     bigint,
    phases     text not null,
    durations  text not null,
    primary key (hour, kind, name, process)
);

create table penstock.trace_statements (
    hour         bigint not null,
    kind         text not null,
    name         text not null,
    fingerprint  text not null,
    database     text not null,
    driver       text not null,
    process      text not null,
    calls        bigint not null,
    failed       bigint not null,
    rows         bigint not null,
    total_us     bigint not null,
    max_us       bigint not null,
    locked_us    bigint not null,
    at_most_one  bigint not null,
    traces       bigint not null,
    most_calls   bigint not null,
    monotone     boolean,
    sites        text not null,
    samples      text not null,
    by_position  text not null,
    primary key (hour, kind, name, fingerprint, database, driver, process)
);

create table penstock.statement_texts (
    fingerprint    text not null,
    database       text not null,
    driver         text not null,
    text           text not null,
    first_seen_at  bigint not null,
    last_seen_at   bigint not null,
    primary key (fingerprint, database, driver)
);
create index statement_texts_seen on penstock.statement_texts (last_seen_at);

create table penstock.trace_calls (
    hour        bigint not null,
    kind        text not null,
    name        text not null,
    method      text not null,
    host        text not null,
    route       text not null,
    process     text not null,
    calls       bigint not null,
    failed      bigint not null,
    total_us    bigint not null,
    max_us      bigint not null,
    traces      bigint not null,
    most_calls  bigint not null,
    sites       text not null,
    primary key (hour, kind, name, method, host, route, process)
);

create table penstock.trace_flames (
    day      bigint not null,
    kind     text not null,
    name     text not null,
    process  text not null,
    stacks   text not null,
    primary key (day, kind, name, process)
);

create table penstock.slow_traces (
    day       bigint not null,
    kind      text not null,
    name      text not null,
    process   text not null,
    place     integer not null,
    began_at  bigint not null,
    took_us   bigint not null,
    failed    boolean not null,
    job_id    bigint,
    run_id    bigint,
    subject   text,
    account   text,
    content   text not null,
    primary key (day, kind, name, process, place)
);

create table penstock.plans (
    fingerprint    text not null,
    database       text not null,
    shape          text not null,
    first_seen_at  bigint not null,
    last_seen_at   bigint not null,
    seen           bigint not null,
    flags          text not null,
    plan           text not null,
    primary key (fingerprint, database, shape)
);
create index plans_seen on penstock.plans (last_seen_at);

create table penstock.advice (
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
    made_at      bigint not null,
    changed_at   bigint not null,
    primary key (id)
);
create index advice_of on penstock.advice (name, changed_at);
create index advice_changed on penstock.advice (changed_at);

create table penstock.journal (
    id      bigint generated always as identity primary key,
    at      bigint not null,
    actor   text not null,
    action  text not null,
    about   text not null,
    before  text,
    after   text,
    said    text
);
create index journal_at on penstock.journal (at);
create index journal_about on penstock.journal (about, id);
create index journal_actor on penstock.journal (actor, id);
