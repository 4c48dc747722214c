"""How times of jobs read on the command line."""

from datetime import UTC, datetime, timedelta

from penstock.domain.listing import JobListed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: int) -> str:
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"


def when(job: JobListed) -> str:
    """What is the time to know of a job in its state."""
    if job.finished_at is not None:
        return f"ended {moment(job.finished_at)}"
    if job.state == "executing" and job.attempted_at is not None:
        return f"since {moment(job.attempted_at)}"
    return f"due {moment(job.run_at)}" if job.state in ("scheduled", "retryable") else "-"
