"""What is wrong now. Every question is answered by an index or by maintained counters, and is bounded.

One cause gives one condition: subjects that fail are told of by account, and where many accounts of a sync fail, keys'
gates are closed or approvals are wanted, one condition stands for all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from penstock.alerts.ends import Notes, note_ends, note_move
from penstock.domain.alerts import Alerts, Condition, Firing, Kind, Name
from penstock.store.port import Transaction

_MOST = 1000
_SHOWN = 5
_FIRST_RUNS = 50


def look(tx: Transaction, rules: Alerts, syncs: Iterable[str], firing: Mapping[Name, Firing], notes: Notes,
         now: int) -> list[Condition]:
    """All that is wrong with what the store holds. `notes` are of the last look, and are brought up to date."""
    names = sorted({*syncs, *(str(alert.details["sync"]) for alert in firing.values() if "sync" in alert.details)})
    note_ends(notes, tx.rows("ended_counts"), now)
    of_syncs = (each for sync in names for each in _sync(tx, rules, sync, firing, notes, now))
    return [*_failing_tasks(rules, notes), *of_syncs, *_queues(tx, rules, notes, now), *_gates(tx, rules, firing, now),
            *_withheld(tx, rules, firing)]


def _failing_tasks(rules: Alerts, notes: Notes) -> Iterator[Condition]:
    if rules.failing_jobs is None:
        return
    for task, tally in sorted(notes.tasks.items()):
        if tally.streak >= rules.failing_jobs:
            yield Condition("failing", f"task {task}", f"task {task} fails: {tally.streak:,} jobs were discarded, and"
                            " no more than that were completed since", {"task": task, "discarded": tally.streak})


def _sync(tx: Transaction, rules: Alerts, sync: str, firing: Mapping[Name, Firing], notes: Notes,
          now: int) -> Iterator[Condition]:
    if rules.failing_runs is not None:
        yield from _failing_accounts(tx, rules, sync, firing)
    oldest = _oldest_run(tx, sync)
    counts = tx.row("statistics_subject", {"sync": sync, "kind": "sync", "name": ""})
    moving = tx.row("runs_moving", {"sync": sync})
    moved_at = note_move(notes.syncs, sync, (counts[4] if counts else 0, *map(int, moving or ())), now)
    if oldest is None:
        return
    subject, account, run_at, run_id = oldest
    run, due = f"the run of {subject} ({account})", lasting(now - run_at)
    see = f"see `penstock why {sync} {subject}`"
    details = {"sync": sync, "subject": subject, "account": account, "run_id": run_id, "waited_ms": now - run_at}
    if _longer(now - run_at, rules.run_waits):
        yield Condition("backlog", f"sync {sync}", f"sync {sync} is behind: {run} has been due for {due}; {see}",
                        details)
    if _longer(now - max(run_at, moved_at), rules.no_progress):
        still = lasting(now - moved_at)
        yield Condition("no progress", f"sync {sync}", f"nothing of sync {sync} has moved for {still}, though {run} has"
                        f" been due for {due}; {see}", {**details, "still_ms": now - moved_at})


def _oldest_run(tx: Transaction, sync: str) -> Any:
    """The run that has been due for the longest, of the accounts that people have not paused; None if none is due."""
    rows = tx.rows("oldest_pending_runs", {"sync": sync, "count": _FIRST_RUNS})
    paused = {what.removeprefix("account:") for what, *_ in tx.rows("pauses")} if rows else set()
    held = {tuple(msgspec.json.decode(what)) for what in paused if what.startswith("[")}
    return next((row for row in rows if (sync, row[1]) not in held), None)


def _failing_accounts(tx: Transaction, rules: Alerts, sync: str, firing: Mapping[Name, Firing]) -> Iterator[Condition]:
    rows = {row[0]: row for row in tx.rows("failing_accounts", {"sync": sync, "count": _MOST})}
    for alert in firing.values():  # beyond the first thousand
        mine = alert.kind == "failing" and alert.details.get("sync") == sync
        account = alert.details.get("account") if mine else None
        if account is not None and account not in rows:
            for row in tx.rows("failing_account", {"sync": sync, "account": account}):
                rows[row[0]] = row

    def worst(account: str) -> list[Any]:
        return tx.rows("failing_subjects", {"sync": sync, "account": account, "count": _SHOWN})

    def of_account(account: str) -> Condition:
        _, subjects, failing_at = rows[account]
        longest = worst(account)
        error = next((f"{row[2]}: {row[3] or ''}".rstrip(": ") for row in longest if row[2]), "no error was noted")
        some = ", ".join(row[0] for row in longest) + (" …" if subjects > len(longest) else "")
        return Condition("failing", f"account {account} of sync {sync}",
                         f"sync {sync} fails for account {account}: {_counted(subjects, 'subject')} ({some}): {error}",
                         {"sync": sync, "account": account, "subjects": subjects, "some": [row[0] for row in longest],
                          "streak": longest[0][1] if longest else 0, "failing_at": failing_at, "error": error})

    assert rules.failing_runs is not None
    least = rules.failing_runs
    accounts = [account for account in rows if least == 1 or any(row[1] >= least for row in worst(account)[:1])]

    def of_all() -> Condition:
        return Condition("failing", f"sync {sync}", f"sync {sync} fails for {_many(accounts)} accounts, such as"
                         f" {', '.join(accounts[:_SHOWN])}; see `penstock runs {sync} --status failed`",
                         {"sync": sync, "accounts": len(accounts), "some": accounts[:_SHOWN]})

    yield from _gathered("failing", f"sync {sync}", of_all,
                         {f"account {account} of sync {sync}": account for account in accounts}, of_account, firing,
                         rules.accounts)


def _queues(tx: Transaction, rules: Alerts, notes: Notes, now: int) -> Iterator[Condition]:
    waiting = [row[0] for row in tx.rows("queues_waiting")]
    for queue in waiting:
        found = [tx.row(name, {"queue": queue}) for name in ("oldest_ready", "oldest_turn")]
        since = min((row[0] for row in found if row is not None and row[0] is not None), default=None)
        if since is None:
            continue
        waited = now - since
        tally = notes.queues.get(queue)
        moved_at = min(tally.moved_at, now) if tally else since
        details = {"queue": queue, "waited_ms": waited}
        if _longer(waited, rules.job_waits):
            yield Condition("backlog", f"queue {queue}", f"queue {queue} is behind: a job has been due for"
                            f" {lasting(waited)}", details)
        if _longer(now - max(since, moved_at), rules.no_progress):
            yield Condition("no progress", f"queue {queue}", f"no job of queue {queue} has ended for"
                            f" {lasting(now - moved_at)}, though one has been due for {lasting(waited)}",
                            {**details, "still_ms": now - moved_at})


def _gates(tx: Transaction, rules: Alerts, firing: Mapping[Name, Firing], now: int) -> Iterator[Condition]:
    if rules.gate_closed is None:
        return
    groups: dict[str, dict[str, Any]] = {}
    for row in tx.rows("alert_gates", {"count": _MOST}):
        key, closed_at = row[0], row[4]
        if closed_at is not None and _longer(now - closed_at, rules.gate_closed):
            groups.setdefault(_whose(key), {})[f"gate {key}"] = row

    def of_one(row: Any) -> Condition:
        key, state, until_at, reason, closed_at, closed_by = row
        by = f" by {closed_by}" if closed_by else ""
        return Condition("gate closed", f"gate {key}", f"the gate of {key} has been closed{by} for"
                         f" {lasting(now - closed_at)}: {reason or 'no reason was given'}",
                         {"gate": key, "state": state, "until_at": until_at, "reason": reason, "closed_at": closed_at,
                          "closed_by": closed_by})

    for name, gates in groups.items():
        def of_all(name: str = name, gates: Mapping[str, Any] = gates) -> Condition:
            some = [row[0] for row in gates.values()][:_SHOWN]
            return Condition("gate closed", f"gates of {name}", f"{_many(gates)} gates of {name} have been closed for"
                             f" more than {lasting(_ms(rules.gate_closed))}, such as {', '.join(some)}",
                             {"gates": len(gates), "some": some})

        yield from _gathered("gate closed", f"gates of {name}", of_all, gates, of_one, firing, rules.accounts)


def _whose(key: str) -> str:
    """What a gate's key is one of: the sync or the task in `sync:NAME:ACCOUNT` and `NAME:VALUE`."""
    first, _, rest = key.partition(":")
    return f"sync {rest.partition(':')[0]}" if first == "sync" and ":" in rest else first


def _withheld(tx: Transaction, rules: Alerts, firing: Mapping[Name, Firing]) -> Iterator[Condition]:
    if not rules.deletes_withheld:
        return
    groups: dict[str, dict[str, Any]] = {}
    for row in tx.rows("approvals_waiting", {"count": _MOST}):
        groups.setdefault(row[0], {})[f"account {row[1]} of sync {row[0]}"] = row

    def of_one(row: Any) -> Condition:
        sync, account, approvals, records, asked_at = row
        return Condition("deletes withheld", f"account {account} of sync {sync}",
                         f"{_counted(int(records), 'delete')} of account {account} of sync {sync}"
                         f" {'waits' if records == 1 else 'wait'} for approval; see `penstock approve {sync}`",
                         {"sync": sync, "account": account, "approvals": approvals, "records": int(records),
                          "asked_at": asked_at})

    for sync, accounts in groups.items():
        def of_all(sync: str = sync, accounts: Mapping[str, Any] = accounts) -> Condition:
            records = sum(int(row[3]) for row in accounts.values())
            return Condition("deletes withheld", f"sync {sync}", f"{_counted(records, 'delete')} of {_many(accounts)}"
                             f" accounts of sync {sync} wait for approval; see `penstock approve {sync}`",
                             {"sync": sync, "accounts": len(accounts), "records": records})

        yield from _gathered("deletes withheld", f"sync {sync}", of_all, accounts, of_one, firing, rules.accounts)


def _gathered(kind: Kind, group: str, of_all: Callable[[], Condition], items: Mapping[str, Any],
              of_one: Callable[[Any], Condition], firing: Mapping[Name, Firing], most: int) -> Iterator[Condition]:
    """A condition for each, or, where they are too many, one for all of them, beside those that fire already.

    One that stands for all goes on until they are half as many.
    """
    if len(items) <= (most // 2 if Name(kind, group) in firing else most):
        yield from map(of_one, items.values())
        return
    yield of_all()
    for about, item in items.items():
        if Name(kind, about) in firing:
            yield of_one(item)


def _ms(time: timedelta | None) -> int:
    return 0 if time is None else time // timedelta(milliseconds=1)


def _longer(ms: int, than: timedelta | None) -> bool:
    return than is not None and ms > _ms(than)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _many(items: Any) -> str:
    return f"{len(items):,}" if len(items) < _MOST else f"{_MOST:,} or more"


def lasting(ms: int) -> str:
    """A duration in words, in its greatest unit."""
    for unit, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if ms >= 2 * size or (ms >= size and unit != "minute"):
            return _counted(ms // size, unit)
    return _counted(ms // 1000, "second")
