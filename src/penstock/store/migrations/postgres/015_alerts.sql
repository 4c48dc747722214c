-- Alerts: those that fire, what is yet to be told of them, and what whoever looks next has to know.

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

create index approvals_asked on penstock.approvals (sync, account) where status = 'asked';
create index sync_runs_waiting on penstock.sync_runs (sync, run_at) where status = 'pending';
