-- The errors of attempts after which their jobs went on; the error of the last attempt of one that has ended is in its row. A
-- lease is in the key, since a job that is put back counts its attempts anew.

create table penstock_attempt_errors (
    job_id       integer not null,
    lease        integer not null,
    attempt      integer not null,
    failed_at    integer not null,
    error_class  text not null,
    error        text,
    primary key (job_id, lease)
);
