"""What has ended: jobs and runs, in bulk by SQL, with the counters that are true of them.

The numbers look as if they were drawn, and are the same each time. Where the dialects differ in how they write a series
or a list of words, `Words` says how; everything else stands once.
"""

from datetime import timedelta
from typing import NamedTuple

from bench.web.shop import ACCOUNTS, KINDS, SUBJECTS
from penstock import Penstock
from penstock.schedule.history import History
from penstock.store.port import Transaction
from penstock.store.statements import compile_sql

_BLOCK = 250_000
_DAY_MS = 86_400_000
_SPAN_MS = 22 * 3_600_000
_ERRORS = ("TimeoutError", "ConnectionError", "HTTPStatusError", "ValidationError", "Throttled", "KeyError",
           "IntegrityError", "InsufficientFunds")
_REASONS = ("the order was changed", "the price list was changed", "every 6 hours", "asked for by a person")


class Words(NamedTuple):
    """How a dialect writes the numbers from one to another, a list of two tags, a job's slot, and that rows are
    `numbered` by whoever inserts them."""

    series: str
    tags: str
    slot: str
    numbered: str

    def numbers(self, first: int, last: int) -> str:
        return self.series.format(first=first, last=last)


WORDS = {
    "postgres": Words("select i from generate_series(cast({first} as bigint), {last}) as s (i)", "array[{0}, {1}]",
                      "case when {keep} <= 86400000 then (at + {keep}) / 10800000 % 10"
                      " when {keep} <= 2764800000 then 10 + (at + {keep}) / 345600000 % 10 else 20 end",
                      "overriding system value"),
    "sqlite": Words("with recursive s (i) as (select {first} union all select i + 1 from s where i < {last})"
                    " select i from s", "json_array({0}, {1})", "0", ""),
}


def script(app: Penstock, sql: str) -> None:
    """Run SQL as it stands in the catalogue, in a transaction."""
    text = compile_sql(sql, app.store.dialect).sql.replace("%%", "%")

    def work(tx: Transaction) -> None:
        tx.script(text)

    app.store.write(work)


def finished_jobs(app: Penstock, jobs: int) -> None:
    """So many jobs that have ended within 22 hours, with numbers from 1 on; those with higher numbers ended later."""
    words = WORDS[app.store.dialect]
    for first in range(1, jobs + 1, _BLOCK):
        script(app, _jobs(words, words.numbers(first, min(first + _BLOCK - 1, jobs)), jobs))
    script(app, "insert into penstock.count_deltas (queue, task, state, slot, n)"
                " select queue, task, state, slot, count(*) from penstock.finished_jobs group by 1, 2, 3, 4")
    script(app, f"select setval('penstock.job_seq', {jobs})" if app.store.dialect == "postgres" else
                f"update penstock.sequences set value = {jobs} where name = 'job'")


def _jobs(words: Words, numbers: str, jobs: int) -> str:
    slot = words.slot.format(keep="keep_ms")
    tags = words.tags.format("'customer:' || customer", "'shop:' || (customer % 7)")
    return f"""
        insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts,
                                            run_at, enqueued_at, attempted_at, finished_at, prune_at, lease, tags,
                                            error_class, error)
        select i, {slot}, task, queue, case when i % 50 = 0 then 5 else 0 end, state,
               '{{"customer":' || customer || ',"order":"A-' || (100000 + i % 800000) || '"}}',
               case when state = 'discarded' then 25 when state = 'cancelled' then 0 when drawn % 31 = 0 then 2
                    else 1 end,
               25, at - took - waited, at - took - waited, case when state = 'cancelled' then null else at - took end,
               at, at + keep_ms, i, {tags},
               case when state = 'discarded' then error_class when state = 'cancelled' then 'Cancelled' end,
               case when state = 'discarded' then
                    'Traceback (most recent call last):' || :line
                    || '  File "shop/' || queue || '.py", line ' || (20 + drawn % 300) || ', in ' || task || :line
                    || '    answer = client.post(f"/orders/{{order}}", json=payload, timeout=10)' || :line
                    || '  File "shop/http.py", line 88, in post' || :line
                    || '    raise ' || error_class || '(answer.text)' || :line
                    || error_class || ': order A-' || (100000 + i % 800000) || ' of customer ' || customer
                    || ': the other side said no'
                    when state = 'cancelled' then 'invalidated' end
        from (
            select i, k.task, k.queue, k.took_ms / 2 + drawn % 97 * k.took_ms / 97 as took, drawn, customer, at, waited,
                   case when drawn % 1000 < k.failing then 'discarded' when drawn % 1000 > 992 then 'cancelled'
                        else 'completed' end as state,
                   case when drawn % 1000 < k.failing then 2592000000 when k.took_ms > 9000 then 604800000
                        else {_DAY_MS} end as keep_ms,
                   e.error_class
            from (
                select i, (i * 7919 + i / 13) % 99991 as drawn, (i * 31 + i / 64) % 5000 as customer,
                       (i * 613 + i / 7) % 1000 as place, (i * 17 + i / 11) % {len(_ERRORS)} as error,
                       (i * 101 + i / 3) % 3000 as waited,
                       penstock.now() - cast({_SPAN_MS} as bigint) * ({jobs} - i) / {jobs} as at
                from ({numbers}) as numbers
            ) as n
            join ({_kinds()}) as k on n.place >= k.lower and n.place < k.upper
            join ({_values("place", "error_class", enumerate(_ERRORS))}) as e on e.place = n.error
        ) as j
        order by i""".replace(":line", "'\n'")


def _kinds() -> str:
    rows, lower = [], 0
    for kind in KINDS:
        rows.append(f"select '{kind.name}' as task, '{kind.queue}' as queue, {kind.took_ms} as took_ms,"
                    f" {kind.failing} as failing, {lower} as lower, {lower + kind.share} as upper")
        lower += kind.share
    assert lower == 1000, f"expected shares of 1000 together, got {lower}"
    return " union all ".join(rows)


def _values(number: str, word: str, pairs: "enumerate[str]") -> str:
    return " union all ".join(f"select {place} as {number}, '{text}' as {word}" for place, text in pairs)


def finished_runs(app: Penstock, runs: int) -> None:
    """So many runs of the sync's subjects within 30 days, each counted into the statistics by what counts them."""
    words = WORDS[app.store.dialect]
    for first in range(1, runs + 1, _BLOCK):
        script(app, _runs(words, words.numbers(first, min(first + _BLOCK - 1, runs)), runs))
    if app.store.dialect == "postgres":
        script(app, f"select setval(pg_get_serial_sequence('penstock.sync_runs', 'id'), {runs})")
    script(app, _windows(words.numbers(1, max(runs // 20, 1)), runs))
    history = History(app.store, timedelta(days=60))
    while history.count():
        pass


def _runs(words: Words, numbers: str, runs: int) -> str:
    return f"""
        insert into penstock.sync_runs (id, sync, subject, account, size, status, priority, reasons, requested_at,
                                        run_at, started_at, finished_at, attempt, job_id, read, created, updated,
                                        deleted, skipped, failed, blocked, read_calls, write_calls, permits, limited_ms,
                                        took_ms, error_class, error)
        {words.numbered}
        select i, 'directory', 'group-' || substr(cast(10000 + subject as text), 2),
               'customer-' || substr(cast(100 + subject % {ACCOUNTS} as text), 2),
               50 + subject % 400, status, case when i % 40 = 0 then 5 else 0 end,
               '["' || case i % 4 when 0 then '{_REASONS[0]}' when 1 then '{_REASONS[1]}' when 2 then '{_REASONS[2]}'
                                  else '{_REASONS[3]}' end || '"]',
               at - took - 40000, at - took - 40000, at - took, at, case status when 'failed' then 3 else 1 end,
               1 + i % 1000, case status when 'failed' then 50 else 50 + subject % 400 end, drawn % 5, drawn % 9,
               drawn % 3,
               50 + subject % 400 - 14, case when drawn % 11 = 0 then drawn % 4 else 0 end,
               case when drawn % 11 = 0 then drawn % 3 else 0 end, 2, 1 + drawn % 4, 20, drawn % 2000, took,
               case status when 'failed' then 'Unavailable' end,
               case status when 'failed' then 'the directory answered 503: maintenance' end
        from (
            select i, subject, drawn, 3000 + (subject * 37 + drawn) % 90000 as took,
                   case when drawn % 100 < 5 or subject % 211 = 0 then 'failed' when drawn % 100 = 50 then 'cancelled'
                        else 'succeeded' end as status,
                   penstock.now() - cast(2505600000 as bigint) * ({runs} - i) / {runs} - 60000 as at
            from (select i, (i * 7 + i / {SUBJECTS}) % {SUBJECTS} as subject, (i * 7919 + i / 13) % 99991 as drawn
                  from ({numbers}) as numbers) as n
        ) as r
        order by i"""


def _windows(numbers: str, runs: int) -> str:
    windows = max(runs // 20, 1)
    return f"""
        insert into penstock.sync_windows (sync, account, job_id, began_at, ended_at, total_ms, headroom_ms, served,
                                           failed, put_back, skipped, used_ms, unused_ms, ended_by, steps)
        select 'directory', 'customer-' || substr(cast(100 + i % {ACCOUNTS} as text), 2), i, at - used, at, 500000,
               100000,
               1 + i % 12, case when i % 9 = 0 then 1 else 0 end, i % 2, i % 3, used, 500000 - used,
               case i % 4 when 0 then 'gate' when 1 then 'nothing more' else 'out of time' end,
               '{{"load": 2.1, "read": 8.5, "apply": 20.2}}'
        from (
            select i, 120000 + i * 7919 % 370000 as used,
                   penstock.now() - cast(2505600000 as bigint) * ({windows} - i) / {windows} - 60000 as at
            from ({numbers}) as numbers
        ) as w
        order by i"""
