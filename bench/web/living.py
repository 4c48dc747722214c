"""What waits and runs, through the public API: jobs in every state, keyed ones in lines, runs, gates, records."""

from collections.abc import Iterator
from datetime import timedelta

from bench.web.finished import WORDS, script
from bench.web.shop import ACCOUNTS, KINDS, SUBJECTS, app, settle_account, subject, tasks
from penstock.domain.jobs import Call, Outcome
from penstock.queue.claim import claim_queue, settle

_WORKERS, _SLOTS = 24, 8
_LASTING_MS = 86_400_000
_AGAIN = ("TimeoutError", "HTTPStatusError", "Throttled")


def living_jobs(jobs: int) -> None:
    """So many jobs: three fifths available, a fifth scheduled, and tenths that wait in lines or for another try."""
    store = app.store
    again = jobs // 10
    app.enqueue_many(_calls(again + _WORKERS * _SLOTS, 0))
    workers = [_worker(number) for number in range(_WORKERS)]
    for place, worker in enumerate(workers):
        claim_queue(store, worker, _QUEUES[place % len(_QUEUES)], _SLOTS)
    left = again
    while left > 0:
        claimed = [job for kind in _QUEUES for job in claim_queue(store, workers[0], kind, min(left, 1000))]
        if not claimed:
            break
        settle(store, [Outcome(job.id, job.lease, "retryable", delay_ms=60_000 + job.id % 7_200_000,
                               error_class=_AGAIN[job.id % 3], error=f"{_AGAIN[job.id % 3]}: no answer within 10 s")
                       for job in claimed], sorted({job.lease for job in claimed}))
        left -= len(claimed)
    app.enqueue_many(_calls(jobs * 6 // 10, 0))
    app.enqueue_many(_calls(jobs * 2 // 10, 3_600))
    app.enqueue_many(settle_account.call(number % 1_000, f"A-{number}") for number in range(jobs // 10))
    app.batch([tasks["mail.send_digest"].call(number, "A-1") for number in range(max(jobs // 500, 10))],
              then=tasks["reports.daily"].call(1, "A-1"))


_QUEUES = tuple(dict.fromkeys(kind.queue for kind in KINDS))


def _calls(count: int, later: int) -> Iterator[Call]:
    """Calls of all tasks by their shares; `later` is within how many seconds from an hour on they are due."""
    kinds = [tasks[kind.name] for kind in KINDS for _ in range(max(kind.share // 10, 1))]
    shaped = [(task.using(tags=(f"customer:{number}",), priority=5 if number % 50 == 0 else 0) if not later else
               task.using(tags=(f"customer:{number}",), run_after=timedelta(seconds=3_600 + number * later // 500)))
              for number, task in enumerate(kinds * 5)]
    for number in range(count):
        yield shaped[number % len(shaped)].call(number % 5_000, f"A-{100_000 + number % 800_000}")


def _worker(number: int) -> int:
    row = app.store.run("worker_start", {"name": f"shop-{number // 8}.example:{4_000 + number}",
                                         "lease_ms": _LASTING_MS})
    return int(row[0][0])


def living_runs(runs: int) -> None:
    """Requests of some subjects, folded into runs that wait, of which the first are admitted."""
    wanted = [subject(number) for number in range(0, SUBJECTS, max(SUBJECTS // max(runs // 200, 1), 1))]
    app.request([{"sync": "directory", "subject": each.key, "account": each.account, "priority": place % 3,
                  "reason": "the order was changed"} for place, each in enumerate(wanted)])
    dispatcher = app.dispatcher()
    for _ in range(3):
        dispatcher.step()


def records(count: int) -> None:
    """The state of the layers: one in a hundred failed, some blocked, in doubt or disabled; deletes that wait."""
    words = WORDS[app.store.dialect]
    people, groups = (next(table.table for table in app.layer_tables if table.layer == name)
                      for name in ("People", "Groups"))
    schema = "penstock." if app.store.dialect == "postgres" else "penstock_"
    group = "'group-' || substr(cast(9999 + i as text), 2)"
    tables: tuple[tuple[str, int, str, str], ...] = (
        (people, count, f"'customer-' || substr(cast(100 + i % {ACCOUNTS} as text), 2)", "'E' || (100000 + i)"),
        (groups, SUBJECTS, group, group))
    for table, rows, scope, key in tables:
        script(app, f"""
            insert into {schema}{table} (scope, key, remote_id, status, error_class, error, attempts, retry_at,
                                         changed_at, run_id)
            select {scope}, {key}, case status when 'synced' then 'r-' || i end, status,
                   case when status = 'failed' and i % 3 = 0 then 'uniqueness'
                        when status = 'failed' then 'invalidValue' when status = 'blocked' then 'ParentFailed'
                        when status = 'in_doubt' then 'ambiguous' end,
                   case status when 'failed' then 'emails[0].value: expected an e-mail address, got "n/a"' end,
                   case status when 'failed' then 1 + i % 5 end,
                   case status when 'failed' then penstock.now() + i % 3600000 end, penstock.now() - i * 1000,
                   1 + i % 1000
            from (
                select i, case when i % 101 = 1 then 'failed' when i % 211 = 2 then 'blocked'
                               when i % 997 = 3 then 'in_doubt' when i % 499 = 4 then 'disabled' else 'synced'
                          end as status
                from ({words.numbers(1, rows)}) as numbers
            ) as r
            order by 1, 2""")
    for number in range(5):
        script(app, f"""
            insert into penstock.approvals (layer_table, scope, sync, layer, subject, account, status, reason, records,
                                            run_id, asked_at, expires_at)
            values ('{people}', 'customer-0{number}', 'directory', 'People', 'group-000{number}', 'customer-0{number}',
                    'asked', '40 deletes, more than 20% of the 150 live rows of the account', 40, {number + 1},
                    penstock.now() - 3600000, penstock.now() + 600000000)""")
    script(app, "insert into penstock.approval_keys (approval_id, key)"
                " select a.id, 'E' || (100000 + i) from penstock.approvals a"
                f" cross join ({words.numbers(1, 40)}) as numbers")


def limits() -> None:
    """A gate that is closed, one of an account, a queue and a sync's account that are paused."""
    with app.limit("crm"):
        pass
    with app.limit("mail"):
        pass
    app.gate("billing").close("the bank answered 503: maintenance", lasting=timedelta(hours=6))
    for number in range(12):
        app.gate(f"sync:directory:customer-{number:02}").close("429 Too Many Requests",
                                                               lasting=timedelta(minutes=30 + number))
    app.pause("media")
    app.pause(sync="directory", account="customer-49")
