-- Every tick of a periodic task up to reached_at is dealt with; tick_at is the last one that gave a job.

create table penstock_periodic (
    name        text primary key,
    spec        text not null,
    reached_at  integer not null,
    tick_at     integer,
    paused_at   integer
) without rowid;
