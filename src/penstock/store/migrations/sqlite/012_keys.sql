-- What a keyed job takes along: the terms of its line, so that it waits there again when it is staged or requeued; and
-- the places that are kept for jobs that were settled before they ran (at most once), until they have told or are lost.

alter table penstock_live_jobs add column terms text;
alter table penstock_finished_jobs add column line text;
alter table penstock_finished_jobs add column also text;
alter table penstock_finished_jobs add column terms text;

create table penstock_kept_places (
    job_id  integer primary key,
    lease   integer not null,
    line    text not null,
    also    text
);
