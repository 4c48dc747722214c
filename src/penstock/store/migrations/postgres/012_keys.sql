-- What a keyed job takes along: the terms of its line, so that it waits there again when it is staged or requeued; and
-- the places that are kept for jobs that were settled before they ran (at most once), until they have told or are lost.

alter table penstock.live_jobs add column terms text;
alter table penstock.finished_jobs add column line text, add column also text, add column terms text;

create table penstock.kept_places (
    job_id  bigint primary key,
    lease   bigint not null,
    line    text not null,
    also    text
);
