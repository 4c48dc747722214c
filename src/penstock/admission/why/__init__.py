"""Why something waits: always an answer, and from the policy's own reason where the policy decides.

One job or one subject is looked at when somebody asks; nothing is written, and no count goes on beyond a bound.

    answer   what is said
    serving  which workers live, and what they serve
    line     one line, judged by the policy as if it were its turn
    job      a job, by its number
    run      the run of a subject, or the requests for it
"""

from penstock.admission.why.answer import Answer, Fact
from penstock.admission.why.job import why_job
from penstock.admission.why.run import why_run

__all__ = ["Answer", "Fact", "why_job", "why_run"]
