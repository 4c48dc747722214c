-- What a worker tells of itself: its memory, its process, its slots and when it was last heard of; and the stacks of its
-- slots, where somebody has asked for them. `worker_stacks` has one row a worker at most, and empties itself.

alter table penstock_workers add column slots text;
alter table penstock_workers add column host text;
alter table penstock_workers add column pid integer;
alter table penstock_workers add column rss_bytes integer;
alter table penstock_workers add column renewed_at integer;

create table penstock_worker_stacks (
    worker_id    integer primary key,
    asked_at     integer not null,
    answered_at  integer,
    stacks       text
);
