"""Which job a log line belongs to: every record gets `job_id` and `task`, with "-" outside of a job."""

import logging

from penstock.queue.attempt import current

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(job_id)s %(task)s]: %(message)s"
_OUTSIDE = "-"


class JobContext(logging.Filter):
    """Gives each record `job_id` and `task`; lets every record pass.

    Put it on a handler, so that the records of all loggers get them, and name them in its format. What a record has
    by those names already (`extra={"task": …}`) is left as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        attempt = current.get(None)
        for name, value in (("job_id", attempt.job.id), ("task", attempt.job.task)) if attempt else _NOTHING:
            if name not in record.__dict__:
                record.__dict__[name] = value
        return True


_NOTHING = (("job_id", _OUTSIDE), ("task", _OUTSIDE))


def install(level: int) -> None:
    """Log to standard error in `FORMAT`, unless logging has been set up already; then only the filter is added."""
    logging.basicConfig(level=level, format=FORMAT)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, JobContext) for each in handler.filters):
            handler.addFilter(JobContext())
