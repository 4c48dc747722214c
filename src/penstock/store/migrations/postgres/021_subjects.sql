-- When each subject of a sync with `every=` is to be requested next.

create table penstock.sync_subjects (
    sync     text not null,
    subject  text not null,
    account  text not null,
    due_at   bigint not null,
    seen_at  bigint not null,
    primary key (sync, subject)
);
create index sync_subjects_due on penstock.sync_subjects (sync, due_at);
