-- When each subject of a sync with `every=` is to be requested next.

create table penstock_sync_subjects (
    sync     text not null,
    subject  text not null,
    account  text not null,
    due_at   integer not null,
    seen_at  integer not null,
    primary key (sync, subject)
) without rowid;
create index penstock_sync_subjects_due on penstock_sync_subjects (sync, due_at);
