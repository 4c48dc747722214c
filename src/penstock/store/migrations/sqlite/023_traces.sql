-- Traces: where time went. Each process writes rows of its own, by hour, with what they have come to, so that writing them
-- again changes nothing; whoever reads adds up those of all processes. Times are microseconds, moments milliseconds of
-- the epoch.

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
