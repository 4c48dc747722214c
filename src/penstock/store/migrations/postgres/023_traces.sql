-- Traces: where time went. Each process writes rows of its own, by hour, with what they have come to, so that writing them
-- again changes nothing; whoever reads adds up those of all processes. Times are microseconds, moments milliseconds of
-- the epoch.

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
