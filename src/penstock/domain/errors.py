"""Every error that Penstock raises on purpose, in one tree.

    PenstockError
    ├── ConfigurationError            a setting, a URL or a declaration is wrong; lists every fault at once
    │   └── DeclarationError          a task, sync or layer cannot work as it is declared
    ├── StoreError                    the database that Penstock lives in
    │   ├── StoreUnavailable          it cannot be opened or reached
    │   ├── StoreBusy                 its write lock could not be had in time
    │   │   └── CallerHoldsWriteLock  because the caller itself holds it
    │   ├── StoreForked               it was opened before a fork and used after it
    │   └── SchemaError               its tables do not fit this version of Penstock
    │       ├── SchemaMissing         a migration has not been run
    │       └── SchemaTooNew          a newer Penstock migrated it
    ├── JobError
    │   ├── InvalidArguments          the arguments do not fit the task's signature, or cannot be encoded
    │   │   └── SealBroken            sealed arguments were changed, or moved from another job
    │   ├── ArgumentsHeld             the arguments cannot be read here and now; the job waits, and counts no attempt
    │   │   ├── NewerArguments        they were made by newer code
    │   │   └── MissingKey            this app does not have the key that they were sealed with
    │   ├── InvalidOutcomes           a call with many jobs said something of them that cannot be
    │   ├── UnknownTask               a job names a task that this app does not declare
    │   ├── NoCurrentJob              `current_job()` was called outside of a job
    │   ├── InvalidCheckpoint         a checkpoint cannot be kept, or a job cannot be resumed as it is told
    │   ├── ResultError               a job's result is not to be had
    │   │   ├── ResultTimeout         the job has not ended in time
    │   │   ├── NotCompleted          it was cancelled or discarded
    │   │   ├── NoResult              its task records none
    │   │   ├── ResultGone            it is not kept any more
    │   │   └── InvalidResult         it could not be recorded, or does not fit what the task says that it returns
    │   ├── JobCancelled              somebody cancelled the job while it ran
    │   ├── JobTimedOut               the attempt took longer than its task's `timeout`
    │   ├── JobStalled                the attempt made no checkpoint for longer than its task's `stale_after`
    │   ├── DeadlinePassed            the job's deadline passed while it ran
    │   ├── NoWorkerProcess           no child process can run the job's body here
    │   ├── WorkerProcessDied         the child process that ran the job's body died
    │   └── RaisedInProcess           the job's body raised an error in its child process; says which, and where
    ├── UnknownConnection             `using(connection=…)` was given something that Penstock cannot write through
    ├── SyncError
    │   ├── UnknownSubject            a request names a subject that `subjects()` does not give
    │   ├── SurgeryRefused            a change of state by hand would contradict what is there
    │   │   └── RunAtWork             a window is at work on that very state
    │   ├── UnknownApproval           an answer to a question about withheld deletes that is not open
    │   ├── PlanRefused               a plan that cannot be applied as it is, or at all
    │   ├── SourceError               the source could not be read
    │   │   └── LoaderFailed          `load` of a sync or of its snapshot failed; costs the run no attempt
    │   └── DestinationError          a whole call failed; raised by verbs
    │       ├── Refused               it was refused for what is in it; it is split until the bad record is alone
    │       ├── Throttled             it was refused for its rate; nothing was carried out
    │       └── Unavailable           it could not be made, or its answer was lost
    │           └── StillInDoubt      creates were not found, and it is too early to believe that they are absent
    ├── AdviceError                   a statement could not be advised on
    │   ├── AdviceUnavailable         a database that is to be explained or experimented on cannot be reached
    │   └── TrialFailed               a trial broke off; nothing of it is left behind unless the message says so
    ├── Limited                       no permit can be had in time; says when to come again
    │   └── GateClosed                because the gate of a key is closed
    ├── Stopping                      the worker was asked to stop; the work goes on elsewhere
    │   ├── OutOfTime                 the window's time is used up; the run goes on in a later one
    │   └── RunCancelled              somebody cancelled the run while it was served
    └── StaleLease                    somebody else owns this work now; what it would have written is dropped

A message says what was expected, what was got, and what to do next.
"""

from collections.abc import Sequence
from typing import Self


class PenstockError(Exception):
    """The root of the tree."""


class ConfigurationError(PenstockError):
    """Something that a person wrote is wrong. `faults` holds every fault that was found."""

    def __init__(self, faults: str | Sequence[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class DeclarationError(ConfigurationError):
    """A task, sync or layer cannot work as it is declared."""


class StoreError(PenstockError):
    """Something is wrong with the database that Penstock lives in."""


class StoreUnavailable(StoreError):
    """The store cannot be opened or reached."""


class StoreBusy(StoreError):
    """The store's write lock could not be had in time; the message names who holds it, where that can be told."""


class CallerHoldsWriteLock(StoreBusy):
    """The caller holds the SQLite file's write lock itself, so waiting would never end."""


class StoreForked(StoreError):
    """A store that was opened in a parent process was used in a forked child."""


class SchemaError(StoreError):
    """The store's tables do not fit this version of Penstock."""


class SchemaMissing(SchemaError):
    """Migrations are waiting; the message names the command that runs them."""


class SchemaTooNew(SchemaError):
    """A newer version of Penstock has migrated this store."""


class LayerCarried(SchemaError):
    """A newer version of the app gave a layer another name or other keys, and this one would not find its state."""


class StateUnclear(SchemaError):
    """It cannot be told which state of a layer is the true one; a person is to decide."""


class JobError(PenstockError):
    """Something is wrong with a job."""


class InvalidArguments(JobError):
    """A call's arguments do not fit the task's signature, or cannot be encoded as JSON."""


class SealBroken(InvalidArguments):
    """Sealed arguments do not open with the key that they name: they were changed, or belong to another job."""


class ArgumentsHeld(JobError):
    """A job's arguments cannot be read by this worker; nothing is wrong with them: the job waits for one that can."""


class NewerArguments(ArgumentsHeld):
    """A job's arguments are of a version that this code does not know yet: they were made by newer code."""


class MissingKey(ArgumentsHeld):
    """A job's arguments are sealed with a key that this app does not have."""


class InvalidOutcomes(JobError):
    """A call with many jobs said something of jobs that it was not given, or something that is no outcome."""


class UnknownTask(JobError):
    """A job names a task that this app does not declare."""


class NoCurrentJob(JobError):
    """`current_job()` was called outside of a job."""


class InvalidCheckpoint(JobError):
    """What a checkpoint was given cannot be kept, or rows cannot be resumed in the order in which they come."""


class ResultError(JobError):
    """A job's result is not to be had."""


class ResultTimeout(ResultError, TimeoutError):
    """The job whose result is waited for has not ended in time. It goes on."""


class NotCompleted(ResultError):
    """The job whose result is asked for was cancelled or discarded (`state`); of what: `error_class`, `error`."""

    def __init__(self, message: str, state: str, error_class: str | None = None, error: str | None = None) -> None:
        self.state = state
        self.error_class = error_class
        self.error = error
        super().__init__(message)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (str(self), self.state, self.error_class, self.error)


class NoResult(ResultError):
    """The job whose result is asked for has completed, and its task does not record what it returns."""


class ResultGone(ResultError):
    """The result was kept for as long as its task says, or its job is not there any more."""


class InvalidResult(ResultError):
    """What a body returned is too large or cannot be JSON; or what is recorded does not fit the task's annotation."""


class JobCancelled(JobError):
    """Somebody cancelled the job while it ran; it ends as cancelled."""


class JobTimedOut(JobError):
    """The attempt took longer than its task's `timeout`; it counts as failed."""


class JobStalled(JobError):
    """The attempt made no checkpoint for longer than its task's `stale_after`; it counts as failed."""


class DeadlinePassed(JobError):
    """The job's deadline passed while it ran; it ends as cancelled."""


class NoWorkerProcess(JobError):
    """No child process can be started, or it cannot import the task. The job waits, at no attempt."""


class WorkerProcessDied(JobError):
    """The child process that ran the job's body died; the attempt counts as failed."""


class RaisedInProcess(JobError):
    """A body raised an error in its child process. The job keeps that error's class and traceback."""


class UnknownConnection(PenstockError):
    """`using(connection=…)` was given something that Penstock cannot write through."""


class SyncError(PenstockError):
    """Something is wrong with a sync."""


class UnknownSubject(SyncError):
    """A request names a subject that the sync's `subjects()` does not give."""


class SurgeryRefused(SyncError):
    """A change of a layer's state by hand would contradict what is there; nothing was changed."""


class RunAtWork(SurgeryRefused):
    """A window is at work on the state that was to be changed by hand, and would write over it."""


class UnknownApproval(SyncError):
    """An answer names a question about withheld deletes that nobody asked, or that is not open any more."""


class PlanRefused(SyncError):
    """What was given as a plan is none of this sync, cannot be read, or is no longer kept; nothing was applied."""


class SourceError(SyncError):
    """The source could not be read; what was read so far proves nothing about what is absent."""


class LoaderFailed(SourceError):
    """`load` of a sync, or of its snapshot, failed. The run keeps its place and tries again later, at no attempt.

    `shared`: it was the snapshot's, which other runs need as well.
    """

    def __init__(self, message: str, *, shared: bool = False) -> None:
        self.shared = shared
        super().__init__(message)


class DestinationError(SyncError):
    """A whole call to the destination failed; a verb raises it.

    `outcomes` is what earlier calls of the same verb had settled before this one failed, one entry per change from
    the first on: `Done`, `Rejected`, or None for a change in doubt. Changes beyond its length were not carried
    out, except where `Unavailable.sent` says that they may have been.
    """

    outcomes: Sequence[object] = ()


class Refused(DestinationError):
    """The destination refused a call as a whole, for something in it; nothing beyond `outcomes` was carried out.

    The changes are sent again in two halves, and so on, until the bad record is alone: that one fails with `code` and
    `message`, as by `Rejected`, and the others are carried out.
    """

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(message or f"the destination refused the call as a whole ({code})")


class Throttled(DestinationError):
    """The destination refused a call for its rate; nothing of it was carried out.

    `retry_after` is the destination's own word in seconds, or None if it gave none. A job that ends with it goes again
    later, and counts no attempt.
    """

    def __init__(self, retry_after: float | None = None, message: str = "") -> None:
        self.retry_after = retry_after
        wait = f"; it asks to wait {retry_after:g} s" if retry_after is not None else ""
        super().__init__(message or f"the destination refused the call for its rate{wait}")


class Unavailable(DestinationError):
    """A call could not be made, or its answer was lost.

    `sent` is False only where nothing beyond `outcomes` was carried out (a refused connection, a refused token);
    where it may have been, its creates stay in doubt until they have been looked up.
    """

    def __init__(self, message: str = "the destination cannot be reached", *, sent: bool = True,
                 retry_after: float | None = None) -> None:
        self.sent = sent
        self.retry_after = retry_after
        super().__init__(message)


class StillInDoubt(Unavailable):
    """Creates whose answer was lost were not found, and the layer's `in_doubt_delay` is not over: look again later."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, sent=False, retry_after=retry_after)


class AdviceError(PenstockError):
    """A statement could not be advised on."""


class AdviceUnavailable(AdviceError):
    """A database that is to be explained or experimented on cannot be reached."""


class TrialFailed(AdviceError):
    """A trial broke off: a full disk, a lock, a time-out. Nothing of it is left behind unless the message says so."""


class Limited(PenstockError):
    """No permit can be had in time; nothing was sent. A job that raises it goes again then, and it counts no attempt.

    `key` is whose limit it is, `seconds` how long it takes until it is worth another try; infinite where nobody can
    say.
    """

    def __init__(self, key: str, seconds: float, reason: str) -> None:
        self.key = key
        self.seconds = seconds
        self.reason = reason
        self.sent = False
        wait = "until somebody opens it" if seconds == float("inf") else f"for {seconds:,.1f} s"
        super().__init__(f"{key}: {reason}; wait {wait}")


class GateClosed(Limited):
    """The gate of a key is closed: its destination asked for a pause, cannot be reached, or a person closed it."""


class Stopping(PenstockError):
    """The worker was asked to stop; the work is given back and costs no attempt.

    `outcomes` is what a verb that was stopped between two calls had settled, as in `DestinationError`; changes
    beyond its length were not carried out.
    """

    outcomes: Sequence[object] = ()


class OutOfTime(Stopping):
    """What is to be done next cannot end within its window; the run goes on in a later one, at no attempt."""


class RunCancelled(Stopping):
    """Somebody cancelled the run while it was served; it ends as cancelled where it is, and its window goes on."""


class StaleLease(PenstockError):
    """The lease that guards this work has passed to somebody else."""
