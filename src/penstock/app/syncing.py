"""What people ask of syncs and do with them: the commands and the pages go through here.

Whatever is given is bounded, and whatever is a list comes page by page.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import msgspec

from penstock.app.explaining import Explaining
from penstock.domain.errors import ConfigurationError, UnknownApproval
from penstock.domain.names import did_you_mean
from penstock.domain.options import Audit, RunOptions
from penstock.domain.records import Subject
from penstock.sync.declaring.address import key_of, layer_of
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.requesting import Requesting
from penstock.sync.deleting.approvals import Approval, withheld_keys, withheld_page
from penstock.sync.serving.bounded import Bound
from penstock.sync.state.failures import ErrorClass, error_classes
from penstock.sync.state.runs import latest_runs
from penstock.sync.state.statistics import Statistics, statistics
from penstock.sync.telling.failing import STATUSES, FailingPage, Wanted, failing
from penstock.sync.telling.previewed import PlannedSubject, planned_subject
from penstock.sync.telling.runs import TREND, RunTold, Took, account_trends, run_told, trends
from penstock.sync.telling.told import Why
from penstock.sync.telling.why import why
from penstock.sync.window.row import WindowRow, window_numbered

_MOST_COUNTED = 1000
_MOST_ASKED = 100
_MOST_RECORDS, _LOOK_SECONDS = 20_000, 10.0
_FIRST = 20
_MOST_LOOKS = 40


class SyncState(msgspec.Struct, frozen=True):
    """A sync as it stands. `running` and `pending` count runs, and `asked` questions about withheld deletes, each up to
    a bound (1,000, and 100). `trend` is for how many milliseconds the last runs that succeeded were served, the oldest
    first."""

    name: str
    layers: list[str]
    statistics: Statistics
    running: int
    pending: int
    asked: int
    paused_at: int | None
    max_concurrent: int
    per_account: int
    every_seconds: float | None
    audit_every_seconds: float | None
    window_seconds: float | None
    trend: list[int]


class Syncing(Explaining):
    """Looks at syncs, runs and records, and acts on them."""

    look_monotonic: Callable[[], float] = staticmethod(time.monotonic)
    """The clock by which looks at sources are bounded."""

    def sync_states(self, names: Iterable[str] | None = None) -> list[SyncState]:
        """Every sync of this app, or those of these names. Raises `ConfigurationError` for one that there is not."""
        paused = {each.sync: each.paused_at for each in self.paused() if each.sync is not None and each.account is None}
        return [self._sync_state(self.definition(name), paused.get(name))
                for name in (self.syncs if names is None else names)]

    def _sync_state(self, definition: SyncDefinition, paused_at: int | None) -> SyncState:
        name, options, store = definition.name, definition.options, self.store
        known = statistics(store, name, kind="sync", count=1)
        running, pending = self._up_to(name, "running"), self._up_to(name, "pending")
        asked = withheld_page(store, name, count=_MOST_ASKED)
        timed = store.look("runs_timed", {"sync": name, "count": TREND})
        return SyncState(
            name, [layer.name for layer in definition.layers],
            known[0] if known else Statistics(name, "sync", "", ""), running, pending,
            sum(each.status == "asked" for each in asked), paused_at, options.max_concurrent, options.per_account,
            None if options.every is None else options.every.total_seconds(),
            None if options.audit_every is None else options.audit_every.total_seconds(),
            None if options.window is None else options.window.total, [took_ms for _, took_ms in reversed(timed)])

    def _up_to(self, sync: str, status: str) -> int:
        return int(self.store.look("runs_up_to", {"sync": sync, "status": status, "count": _MOST_COUNTED})[0][0])

    def subject_trends(self, sync: str, subjects: Sequence[str]) -> dict[str, list[Took]]:
        """The last twenty runs of each of these subjects, the oldest first. Raises `ConfigurationError`."""
        return trends(self.store, self.definition(sync).name, subjects)

    def account_trends(self, sync: str, accounts: Sequence[str]) -> dict[str, list[Took]]:
        """The last twenty runs of each of these accounts that succeeded or failed, the oldest first.

        Raises `ConfigurationError`.
        """
        return account_trends(self.store, self.definition(sync).name, accounts)

    def known_subject(self, sync: str, key: str) -> Subject:
        """A subject with the account of its last run; one that has had none is asked of `subjects()`.

        Raises `UnknownSubject`, and `ConfigurationError` for a sync that there is not.
        """
        runs, _ = latest_runs(self.store, self.definition(sync).name, [key])
        return Subject(key, runs[0].account) if runs and runs[0].account else self.subject(sync, key)

    def run(self, id: int) -> RunTold | None:
        """One run: what it did in each layer, and which windows served it. None where there is none (any more)."""
        return run_told(self.store, id)

    def window(self, id: int) -> WindowRow | None:
        """One window: what it served and where its time went. None where there is none (any more)."""
        return window_numbered(self.store, id)

    def cancel_run(self, id: int, reason: str) -> str | None:
        """Call a run off: `cancelled` if it waited; `asked` if it is served, and ends where it may stop next; None
        where it has ended, was asked already, or there is none.

        What it has sent stays sent. Requests that came since make the next run.
        """
        if not reason or "\0" in reason:
            raise ConfigurationError(f"reason: expected a few words on why, got {reason!r}")
        params = {"id": id, "reason": reason[:500]}
        if self.store.write(lambda tx: tx.rows("run_cancel", params)):
            self.store.wake()
            return "cancelled"
        return "asked" if self.store.write(lambda tx: tx.rows("run_cancel_ask", params)) else None

    def raise_run(self, id: int, priority: int, reason: str = "by hand") -> bool:
        """Have a run that waits go with at least this priority, from when a dispatcher has seen it; False where it
        does not wait. Raises `ConfigurationError`."""
        told = self.run(id)
        if told is None or told.run.status != "pending":
            return False
        run = told.run
        asking = Requesting(self.definition(run.sync), self).using(priority=priority, reason=reason)
        replace(asking, options=RunOptions.read(run.options)).request(run.subject, account=run.account)
        self.store.wake()
        return True

    def request_subject(self, sync: str, subject: str, *, account: str | None = None, priority: int = 0,
                        reason: str = "by hand", full: bool = False, audit: bool = False) -> None:
        """Ask that a subject be brought up to date; where its run waits already, with the higher of their priorities.

        `full`: everything is sent again; `audit`: the destination is read back, and nothing is sent. Raises
        `ConfigurationError` for what cannot be asked.
        """
        if full and audit:
            raise ConfigurationError("expected a full run or an audit, got both")
        definition = self.definition(sync)
        asking = Requesting(definition, self).using(priority=priority, reason=reason)
        options = RunOptions.of(full, audit=Audit() if audit else None)
        replace(asking, options=options).request(subject, account=account)
        self.store.wake()

    def error_classes(self, sync: str, *, subject: str | None = None, most: int = 10_000) -> list[ErrorClass]:
        """What is wrong with the records of a sync, or of one subject of it, by class of identical errors, the most
        frequent first; of at most the first `most` records. Raises `ConfigurationError` and `UnknownSubject`."""
        subjects = [] if subject is None else [self.known_subject(sync, subject)]
        return error_classes(self.store, self.definition(sync), subjects, most=most, most_looks=_MOST_LOOKS).classes

    def _scopes(self, sync: str, subject: str | None) -> dict[str, str] | None:
        """The scope that a subject has in each layer."""
        if subject is None:
            return None
        known = self.known_subject(sync, subject)
        return {each.name: each.scope(known.key, known.account) for each in self.definition(sync).layers}

    def failing(self, sync: str, *, layer: str | None = None, subject: str | None = None, status: str | None = None,
                begins: str = "", error_class: str | None = None, after: str | None = None,
                limit: int = 50) -> FailingPage:
        """A page of the records that failed, are blocked or in doubt: of a layer, a subject, a state, a class of errors
        (or a code), or with keys that begin so. The next page is `after` what this one gives as `next`.

        Raises `ConfigurationError` for a layer or a status that there is not, and `UnknownSubject`.
        """
        definition = self.definition(sync)
        if status is not None and status not in STATUSES:
            raise ConfigurationError(f"status: expected one of {', '.join(STATUSES)}, got {status!r}"
                                     f"{did_you_mean(status, STATUSES)}")
        if layer is not None:
            layer_of(definition, layer)
        wanted = Wanted(STATUSES if status is None else (status,), begins, error_class, self._scopes(sync, subject))
        return failing(self.store, definition, wanted, layer=layer, after=after, count=limit)

    def approvals_page(self, sync: str, *, after: int = 0, limit: int = 50) -> list[Approval]:
        """The deletes that were withheld, question by question; the next page is `after` the id of the last."""
        return withheld_page(self.store, self.definition(sync).name, after=after, count=limit)

    def approval(self, sync: str, id: int, *, after: str = "", limit: int = 100) -> Approval:
        """One question with a page of the keys that it names (as `first`), those after one.

        Raises `UnknownApproval`.
        """
        found = withheld_keys(self.store, self.definition(sync).name, id, after=after, count=limit)
        if found is None:
            raise UnknownApproval(f"{sync} has no question {id}: it was carried out, or replaced by one that names"
                                  " more")
        return found

    def plan_subject(self, sync: str, subject: str, *, first: int = _FIRST, show_values: bool = False
                     ) -> PlannedSubject:
        """What a run of one subject would do now. Its source is read; nothing is written, and nothing is sent.

        At most 20,000 records are read, and no page is begun after ten seconds: `OutOfTime` is raised beyond. Raises
        `UnknownSubject`, and what the source raises.
        """
        return planned_subject(self.store, self.definition(sync), self.known_subject(sync, subject), first=first,
                               show_values=show_values, bound=self._bound(f"`penstock plan {sync} --subject {subject}`"
                                                                          " has no such bound"))

    def why_record(self, sync: str, subject: str, layer: str, key: str, *, remote: bool = False,
                   show_values: bool = False) -> Why:
        """Why a record was sent, or not. Its source is read, within the bound of `plan_subject`; `remote`: the
        destination is asked what it holds. Without `show_values`, of fields only the names are told.

        Raises `ConfigurationError` and `UnknownSubject`.
        """
        definition = self.definition(sync)
        found_layer = layer_of(definition, layer)
        bound = self._bound(f"`penstock why {sync} {subject} {layer} {key}` has no such bound")
        found = why(self.store, definition, self.known_subject(sync, subject), found_layer, key_of(found_layer, key),
                    remote=remote, bound=bound)
        return found if show_values else found.without_values()

    def _bound(self, instead: str) -> Bound:
        return Bound(_MOST_RECORDS, _LOOK_SECONDS, instead, self.look_monotonic)
