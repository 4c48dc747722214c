-- Alerts: those that fire, what is yet to be told of them, and what whoever looks next has to know.

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

create index penstock_approvals_asked on penstock_approvals (sync, account) where status = 'asked';
create index penstock_sync_runs_waiting on penstock_sync_runs (sync, run_at) where status = 'pending';
