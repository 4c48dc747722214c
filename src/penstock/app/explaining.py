"""Why something waits, asked through the app: what it declares is what its dispatcher goes by."""

from functools import partial

from penstock.admission.runs import SyncRoom
from penstock.admission.why import Answer, why_job, why_run
from penstock.app.working import Working
from penstock.domain.jobs import Job, id_of
from penstock.domain.limits import key_of
from penstock.schedule.subjects import period_ms
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.permits import gate_key


class Explaining(Working):
    """`why`, for jobs and for subjects."""

    def why_job(self, job_id: Job | int) -> Answer:
        """Why a job waits, or what became of it: always an answer (`waits` is `unknown` where there is no such job)."""
        return why_job(self.store, id_of(job_id), self.tasks)

    def why_run(self, sync: str, subject: str) -> Answer:
        """Why a subject of a sync is not being brought up to date just now.

        Where nothing is known of it, `subjects()` is asked. Raises `ConfigurationError` for a sync that there is not.
        """
        definition = self.definition(sync)
        return why_run(self.store, definition.name, subject, rooms=self.rooms(), tasks=self.tasks,
                       subjects=lambda: (each.key for each in definition.sync.subjects()))

    def rooms(self) -> dict[str, SyncRoom]:
        """How many runs of each sync may be under way, and the gates before an account's."""
        return {name: SyncRoom(sync.options.max_concurrent, sync.options.per_account, partial(_gates, sync),
                               None if sync.options.every is None else period_ms(sync.options.every))
                for name, sync in self.syncs.items()}


def _gates(sync: SyncDefinition, account: str) -> list[str]:
    """The gates before the runs of an account: its own, and those of the sync's limits."""
    return [gate_key(sync.name, account),
            *(key_of(limit, sync.name, {"account": account}) for limit in sync.options.limits)]
