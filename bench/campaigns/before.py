"""Before: the design of case study A. `python -m bench.campaigns.before STORE SOURCE ADS CUSTOMER` makes one sync.

The product's whole tree is built by a query for each parent, the tree of the last sync is loaded as compressed JSON
from a column of bytes, the two are compared in memory, and the new one is saved in the same way. What differs is sent
by a cascade of jobs, a call each, parents before children and deletes in reverse; the last of them makes the new tree
the current one. Remote ids have a table, so that no job but the first loads a tree.

It is written as we would have written it: statements prepared, rows looked up by index, one query for all the remote
ids of a call, and every large step taken once. The jobs are Penstock's.
"""

import json
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bench.campaigns.shop import KINDS, PRODUCT
from bench.resident import peak_mb
from bench.tally import say
from penstock import Penstock
from tests.examples.ads.ads_client import AdsClient

BATCH = 500
_CHILDREN = {"campaign": ("ad_group",), "ad_group": ("ad", "keyword"), "ad": (), "keyword": ()}
_STEPS = [*((kind, verb) for kind in KINDS for verb in ("create", "update")),
          *((kind, "remove") for kind in reversed(KINDS))]
_TABLES = """
create table if not exists tree (product text, current boolean, body bytea, primary key (product, current));
create table if not exists remote (kind text, reference text, id text not null, primary key (kind, reference));
create table if not exists change (place integer generated always as identity primary key, step integer not null,
                                   reference text not null, parent text, payload jsonb);
create index if not exists change_step on change (step, place);
"""

Nodes = dict[str, dict[str, Any]]
"""By reference: `row`, and under the name of each kind of children those."""


def built(connection: "psycopg.Connection[Any]", kind: str, above: str | None = None) -> Nodes:
    """All records of a kind under one parent, with all that is under them."""
    parent, _ = KINDS[kind]
    where = "" if parent is None else f" and {parent} = %s"
    rows = connection.execute(f"select * from {kind} where product_id = %s{where}",
                              (PRODUCT,) if parent is None else (PRODUCT, above)).fetchall()
    return {row["reference_id"]: {"row": row, **{each: built(connection, each, row["reference_id"])
                                                 for each in _CHILDREN[kind]}} for row in rows}


@dataclass
class Changes:
    """What differs between two trees: for each step reference, parent and payload."""

    steps: dict[tuple[str, str], list[tuple[str, str | None, Any]]] = field(
        default_factory=lambda: {step: [] for step in _STEPS})

    def compare(self, kind: str, old: Nodes, new: Nodes, above: str | None = None) -> None:
        """Note what has to be done to the records of a kind under one parent, and to all under them."""
        _, columns = KINDS[kind]
        for reference, node in new.items():
            before, row = old.get(reference), node["row"]
            if before is None:
                self.steps[kind, "create"].append((reference, above, {name: row[name] for name in columns}))
            elif before["row"] != row:
                payload = {name: row[name] for name in columns}
                if payload != {name: before["row"][name] for name in columns}:
                    self.steps[kind, "update"].append((reference, above, payload))
            for each in _CHILDREN[kind]:
                self.compare(each, before[each] if before else {}, node[each], reference)
        for reference in old.keys() - new.keys():
            self._gone(kind, reference, old[reference])

    def _gone(self, kind: str, reference: str, node: dict[str, Any]) -> None:
        self.steps[kind, "remove"].append((reference, None, None))
        for each in _CHILDREN[kind]:
            for under, child in node[each].items():
                self._gone(each, under, child)


def load(connection: "psycopg.Connection[Any]") -> Nodes:
    """The tree of the last sync."""
    row = connection.execute("select body from tree where product = %s and current", (PRODUCT,), binary=True).fetchone()
    return json.loads(zlib.decompress(row[0])) if row else {}


def save(connection: "psycopg.Connection[Any]", tree: Nodes) -> None:
    """Keep a tree, which is to be the last one when all is sent."""
    body = zlib.compress(json.dumps(tree, separators=(",", ":")).encode())
    connection.execute("insert into tree values (%s, false, %b) on conflict (product, current) do update"
                       " set body = excluded.body", (PRODUCT, body))


def kept(connection: "psycopg.Connection[Any]", kind: str, references: Sequence[str]) -> dict[str, str]:
    """The remote ids of records of a kind."""
    return dict(connection.execute("select reference, id from remote where kind = %s and reference = any(%s)",
                                   (kind, list(references))).fetchall())


def batches(connection: "psycopg.Connection[Any]", step: int) -> Iterator[tuple[int, int]]:
    """The first and last place of each call of a step."""
    places = [row[0] for row in connection.execute("select place from change where step = %s order by place",
                                                   (step,)).fetchall()]
    for first in range(0, len(places), BATCH):
        yield places[first], places[min(first + BATCH, len(places)) - 1]


def push(connection: "psycopg.Connection[Any]", client: AdsClient, step: int, first: int, last: int) -> None:
    """Make one call, and keep the remote ids that it gave."""
    kind, verb = _STEPS[step]
    parent, _ = KINDS[kind]
    rows = connection.execute("select reference, parent, payload from change where step = %s"
                              " and place between %s and %s order by place", (step, first, last)).fetchall()
    ids = {} if verb == "create" else kept(connection, kind, [row[0] for row in rows])
    above = kept(connection, parent.removesuffix("_id"), list({row[1] for row in rows})) if parent else {}
    answer = client.mutate(kind, [{verb: payload, "id": ids.get(reference), "parent": above.get(under)}
                                  for reference, under, payload in rows])
    bad = [result for result in answer.results if not result.ok]
    if bad or len(answer.results) != len(rows):
        raise SystemExit(f"expected {len(rows)} records to {verb}, got {bad[:3]}")
    references = [row[0] for row in rows]
    with connection.transaction():
        if verb == "remove":
            connection.execute("delete from remote where kind = %s and reference = any(%s)", (kind, references))
        elif verb == "create":
            connection.execute("insert into remote select %s, * from unnest(%s::text[], %s::text[])",
                               (kind, references, [result.id for result in answer.results]))


def synced(store: str, source: str, ads: str, customer: str) -> float:
    """Make one sync by jobs; seconds from its request to its last job's end."""
    app, done = Penstock(store), threading.Event()
    with app, psycopg.connect(store, autocommit=True) as connection, AdsClient(ads, customer) as client:
        app.migrate()
        connection.execute(_TABLES)

        @app.task(name="sync", queue="sync")
        def sync() -> None:
            with psycopg.connect(source, row_factory=dict_row) as tables:
                new = built(tables, "campaign")
            changes = Changes()
            changes.compare("campaign", load(connection), new)
            save(connection, new)
            with connection.transaction():
                connection.execute("truncate change restart identity")
                with connection.cursor().copy("copy change (step, reference, parent, payload) from stdin") as copy:
                    for number, step in enumerate(_STEPS):
                        for reference, parent, payload in changes.steps[step]:
                            copy.write_row((number, reference, parent, payload and json.dumps(payload)))
            go_on.enqueue(0)

        @app.task(name="go_on", queue="sync")
        def go_on(step: int) -> None:
            for number in range(step, len(_STEPS)):
                calls = list(batches(connection, number))
                if calls:
                    send.enqueue(number, calls)
                    return
            with connection.transaction():
                connection.execute("delete from tree where current and exists (select 1 from tree where not current)")
                connection.execute("update tree set current = true")
            done.set()

        @app.task(name="send", queue="sync")
        def send(step: int, calls: list[tuple[int, int]]) -> None:
            push(connection, client, step, *calls[0])
            if len(calls) > 1:
                send.enqueue(step, calls[1:])
            else:
                go_on.enqueue(step + 1)

        worker = app.worker({"sync": 1})
        worker.start()
        began = time.perf_counter()
        sync.enqueue()
        done.wait()
        seconds = time.perf_counter() - began
        worker.stop()
    return seconds


if __name__ == "__main__":
    say(seconds=synced(*sys.argv[1:]), peak_mb=peak_mb())
