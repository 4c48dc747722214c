"""The nightly calculation, as people write it: with a cursor, as a drain that marks what is done, and as proposed
without any DDL. Each gives seconds, batches and rows."""

import time
from typing import NamedTuple

import psycopg

from penstock.domain.advice import Rewrite

BATCH = 1000
KEYSET = ("SELECT id, payload FROM records WHERE client_id = %s AND status = 'pending' AND id > %s ORDER BY id"
          f" LIMIT {BATCH}")
DRAIN = f"SELECT id, payload FROM records WHERE client_id = %s AND status = 'pending' ORDER BY id LIMIT {BATCH}"
MARK = "UPDATE records SET status = 'done' WHERE id = ANY(%s)"


class Done(NamedTuple):
    """What a job came to: `checked` is the same whenever it saw the same rows."""

    seconds: float
    batches: int
    rows: int
    checked: int


def keyset(url: str, client: int) -> Done:
    """All pending records, each batch beginning behind the last one."""
    last = batches = rows = checked = 0
    with psycopg.connect(url, autocommit=True) as database:
        began = time.perf_counter()
        while found := database.execute(KEYSET, (client, last)).fetchall():
            batches, rows = batches + 1, rows + len(found)
            checked ^= hash(tuple(found))
            last = found[-1][0]
        return Done(time.perf_counter() - began, batches, rows, checked)


def drain(url: str, client: int) -> Done:
    """All pending records without a cursor: each batch is marked done before the next is asked for."""
    batches = rows = checked = 0
    with psycopg.connect(url, autocommit=True) as database:
        began = time.perf_counter()
        while found := database.execute(DRAIN, (client,)).fetchall():
            database.execute(MARK, ([row[0] for row in found],))
            batches, rows = batches + 1, rows + len(found)
            checked ^= hash(tuple(found))
        return Done(time.perf_counter() - began, batches, rows, checked)


def ids_first(url: str, client: int, rewrite: Rewrite) -> Done:
    """The keyset job as the proposal words it: the keys once, then the rows by batches of keys."""
    assert rewrite.once is not None
    assert rewrite.after is not None
    given = (client, 0)
    batches = rows = checked = 0
    with psycopg.connect(url, autocommit=True) as database:
        began = time.perf_counter()
        first = database.execute(rewrite.once.encode(), [given[number - 1] for number in rewrite.once_takes])
        keys = [row[0] for row in first.fetchall()]
        for place in range(0, len(keys), BATCH):
            found = database.execute(rewrite.after.encode(), [
                given[number - 1] if number else keys[place:place + BATCH] for number in rewrite.takes]).fetchall()
            batches, rows = batches + 1, rows + len(found)
            checked ^= hash(tuple(found))
        return Done(time.perf_counter() - began, batches, rows, checked)
