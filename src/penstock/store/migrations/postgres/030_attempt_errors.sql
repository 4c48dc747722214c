-- The errors of attempts after which their jobs went on; the error of the last attempt of one that has ended is in its row. A
-- lease is in the key, since a job that is put back counts its attempts anew. Jobs that have ended go by whole parts, so
-- `look_at` says when it is time to see whether the job is there still.

create table penstock.attempt_errors (
    job_id       bigint not null,
    lease        bigint not null,
    attempt      integer not null,
    failed_at    bigint not null,
    error_class  text not null,
    error        text,
    look_at      bigint not null,
    primary key (job_id, lease)
);
create index attempt_errors_look on penstock.attempt_errors (look_at);
