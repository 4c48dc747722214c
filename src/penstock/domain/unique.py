"""When two jobs are the same job: a key over a task and its arguments, kept in a set of states."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Literal, get_args

from penstock.domain.errors import DeclarationError
from penstock.domain.jobs import FINAL_STATES, LIVE_STATES
from penstock.domain.names import did_you_mean

Conflict = Literal["skip", "replace", "keep_schedule"]
CONFLICTS: tuple[str, ...] = get_args(Conflict)


@dataclass(frozen=True, slots=True)
class Unique:
    """At most one job with the same key: an enqueue that meets one gives back the job it met, and makes none.

    `conflict` says what becomes of the job that is met. With `skip` it stays as it is. With `replace` one that waits is
    what was enqueued last, with its arguments, options and schedule; with `keep_schedule` likewise, but it stays due
    when it was. Behind one that runs these two put a new job, which begins once that one has ended.

    `args` names the arguments that make the key; None means all, an empty tuple none, so that the task itself is
    unique. `states` are those in which a job keeps its key: all live ones by default; more may be added, down to
    `scheduled` alone it may be narrowed. `period` bounds for how long after its enqueue a job keeps it. Raises
    `DeclarationError`.
    """

    args: tuple[str, ...] | None = None
    states: Collection[str] = LIVE_STATES
    period: timedelta | None = None
    conflict: Conflict = "skip"

    def __post_init__(self) -> None:
        faults = []
        known = (*LIVE_STATES, *FINAL_STATES)
        states = {str(state) for state in self.states}
        faults += [f"unique: {state!r} is no state of a job{did_you_mean(state, known)}" for state in sorted(states)
                   if state not in known]
        if "scheduled" not in states:
            faults.append(f"unique: expected states to include 'scheduled', got {', '.join(sorted(states)) or 'none'}")
        elif states - {"scheduled", "pending"} and (missing := set(LIVE_STATES) - {"pending"} - states):
            faults.append(f"unique: a set of states with {', '.join(sorted(states - {'scheduled', 'pending'}))} must"
                          f" include {', '.join(sorted(missing))}, or a job could leave the set and meet its double")
        given: object = self.args
        if given is not None and not (isinstance(given, tuple) and all(isinstance(name, str) for name in given)):
            faults.append(f"unique: expected args to be a tuple of parameter names, got {self.args!r}")
        if self.period is not None and not (isinstance(self.period, timedelta) and self.period > timedelta(0)):
            faults.append(f"unique: expected period to be a timedelta above zero, got {self.period!r}")
        if self.conflict not in CONFLICTS:
            faults.append(f"unique: expected conflict to be one of {', '.join(CONFLICTS)}, got {self.conflict!r}"
                          f"{did_you_mean(str(self.conflict), CONFLICTS)}")
        if faults:
            raise DeclarationError(faults)

    @property
    def keeps(self) -> list[str]:
        """The states as a list in the order of a job's life."""
        return [state for state in (*LIVE_STATES, *FINAL_STATES) if state in self.states]


def unique_key(task: str, arguments: dict[str, bytes], secret: bytes = b"") -> str:
    """The key of a job: the task's name, and 16 bytes of BLAKE2b over the chosen arguments, by name, as JSON.

    Without the `secret` that it was made with, nobody can find out which arguments a key stands for by trying some.
    """
    digest = blake2b(digest_size=16, key=secret)
    for name in sorted(arguments):
        digest.update(f"{len(name)}:{name}={len(arguments[name])}:".encode() + arguments[name])
    return f"{task}:{digest.hexdigest()}"
