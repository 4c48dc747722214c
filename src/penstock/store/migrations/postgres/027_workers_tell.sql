-- What a worker tells of itself: its memory, its process, its slots and when it was last heard of; and the stacks of its
-- slots, where somebody has asked for them. `worker_stacks` has one row a worker at most, and empties itself.

alter table penstock.workers add column slots text;
alter table penstock.workers add column host text;
alter table penstock.workers add column pid integer;
alter table penstock.workers add column rss_bytes bigint;
alter table penstock.workers add column renewed_at bigint;

create table penstock.worker_stacks (
    worker_id    bigint primary key,
    asked_at     bigint not null,
    answered_at  bigint,
    stacks       text
);
