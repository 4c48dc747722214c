"""Planning a layer: its source's pages held against its state. Unchanged records cost a rendering and a digest."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any, cast

from penstock.domain.digest import DIGEST_BYTES, encode, refuse_unwritable
from penstock.store.spool import Entry, Spool
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.contact import is_due
from penstock.sync.planning.buckets import Buckets, Span, find_buckets
from penstock.sync.planning.changes import Differing
from penstock.sync.planning.dropped import Dropped
from penstock.sync.planning.incremental import find_increment
from penstock.sync.planning.links import UNLINKED, Linked, Links
from penstock.sync.planning.matching import Matching
from penstock.sync.planning.moving import Before, find_moving
from penstock.sync.planning.pile import Pile
from penstock.sync.planning.plan import Item, LayerPlan, entry
from penstock.sync.planning.read import Page, Unreadable, bucket_pages, changed_pages, pages
from penstock.sync.planning.removal import lay_absent
from penstock.sync.state.intents import recover
from penstock.sync.state.layer import LayerState

_NO_ROW = (None, -1, None)


def plan_layer(layer: LayerDefinition, run: Run, state: LayerState, states: Mapping[str, LayerState],
               planned: Mapping[str, Spool] | None = None, spool: Spool | None = None,
               whole: bool = False) -> LayerPlan:
    """Read the layer's source to its end and lay what differs from its state on a spool. The caller closes it.

    `whole`: read all that there is, also where the source could tell that it did not change.
    """
    if state.fenced:
        recover(state)
    plan = LayerPlan(layer, state, spool=spool or Spool(), whole=whole)
    matching = plan.matches = Matching(plan) if layer.verb("read") is not None else None
    try:
        plan.unread = not state.fenced and is_due(layer, state)
        _read(plan, run, Links(layer, states, planned), Pile(plan, Dropped(plan, run.subject.key)),
              find_moving(plan, states))
        if matching is not None:
            matching.settle()
    except BaseException:
        plan.spool.close()
        raise
    finally:
        if matching is not None:
            matching.close()
    return plan


def _read(plan: LayerPlan, run: Run, links: Links, pile: Pile, before: Before | None) -> None:
    if run.gone:
        _read_nothing(plan, run)
        return
    increment = None if plan.whole else find_increment(plan.layer, plan.state, run)
    buckets = None if increment or plan.whole else find_buckets(plan.layer, plan.state, run)
    whole = True
    if buckets is not None:
        plan.complete = True
        whole = _read_buckets(plan, run, links, pile, buckets, before)
        plan.after_upserts.append(lambda: buckets.settle(plan))
    elif increment is not None and increment.since is not None:
        increment.next = _read_pages(
            plan, run, links, pile, before, changed_pages(plan.layer, run, increment.since))
    else:
        plan.complete = _read_pages(plan, run, links, pile, before, pages(plan.layer, run)) is not None
    if increment is not None:
        plan.after_upserts.append(lambda: increment.settle(plan))
    pile.settle()
    pile.dropped.settle()
    if plan.counts.failed:
        plan.complete = False  # a record without a key may be the very one that looks absent
    if not plan.complete or plan.layer.on_delete == "keep" or plan.layer.account_scoped:
        return
    if not whole:
        plan.proven = True  # there are as many rows as records, so nothing is absent
    elif plan.counts.read:
        lay_absent(plan)


def _read_nothing(plan: LayerPlan, run: Run) -> None:
    """Of a subject that is gone nothing is left: that is a whole read, which no source has to prove."""
    plan.gone = plan.complete = True
    if plan.layer.on_delete != "keep" and not plan.layer.account_scoped:
        lay_absent(plan)
    if plan.state.fenced:  # if it comes back, nothing that was told of its source is true
        for name in ("buckets_remove", "cursor_remove"):
            plan.state.note(name, {"subject": run.subject.key})


def _read_pages(plan: LayerPlan, run: Run, links: Links, pile: Pile, before: Before | None,
                stream: Generator[Page, None, Any]) -> Any:
    """Hold every page against state; return what the stream returned."""
    while True:
        try:
            page = next(stream)
        except StopIteration as stop:
            return stop.value
        plan.counts.read += len(page)
        if before is not None:
            before(page)
        _difference(plan, run, links, pile, page)


def _read_buckets(plan: LayerPlan, run: Run, links: Links, pile: Pile, buckets: Buckets,
                  before: Before | None) -> bool:
    """Read what changed; and the rest as well, which it tells, where the state has rows that the source has no more."""
    def read(spans: Sequence[Span]) -> None:
        for number, page in bucket_pages(plan.layer, run, buckets.bounds, spans):
            plan.counts.read += len(page)
            if before is not None:
                before(page)
            _difference(plan, run, links, pile, page, number)

    read([(number, number) for number in buckets.changed])
    if buckets.unread and len(plan.seen) + buckets.unread == plan.state.live_count():
        plan.counts.skipped += buckets.unread
        return False
    read(buckets.others)
    return True


def _difference(plan: LayerPlan, run: Run, links: Links, pile: Pile, page: Sequence[Any], bucket: int = -1) -> None:
    """Hold one page against state. This loop is the price of every unchanged record: keep it bare."""
    records, keys = _keyed(plan, page)
    rows = plan.state.digests(keys)
    aligned = [row[0] for row in rows] == keys
    if not aligned:
        held = {row[0]: row for row in rows}
        rows = [held.get(key, _NO_ROW) for key in keys]
    linked: Iterable[Linked] = links.resolve(records) if links else repeat(UNLINKED, len(records))
    render = plan.layer.render or _no_payload
    differing: list[Differing] = []
    entries: list[Entry] = []
    dropped = pile.dropped
    for record, key, row, link in zip(records, keys, rows, linked, strict=True):
        try:
            payload = render(record, run)
            canonical = encode((payload, link.parent_id, link.reference_ids))
            sent = blake2b(canonical, digest_size=DIGEST_BYTES).digest()
            if row[2] != sent:
                refuse_unwritable(payload)
        except Exception as error:
            entries.append(entry("failed", Item(key, parent_key=link.parent_key, error_class="render", bucket=bucket,
                                                error=f"{type(error).__name__}: {error}")))
            continue
        if dropped.watching:
            dropped.saw(canonical)
        if row[2] != sent or link.blocked_class is not None:
            differing.append(Differing(record, key, canonical, sent, link))
    plan.counts.skipped += len(records) - len(differing) - len(entries)
    again = plan.seen.add([row[1] for row in rows] if aligned else [row[1] for row in rows if row is not _NO_ROW])
    entries += [entry("duplicate", Item(row[0], bucket=bucket)) for row in rows if row[1] in again] if again else []
    if entries:
        plan.spool.lay(entries)
    if differing:
        pile.add(differing, bucket)


def _no_payload(record: Any, run: Run) -> None:
    """A layer without `render` sends only remote ids."""


def _keyed(plan: LayerPlan, page: Sequence[Any]) -> tuple[Sequence[Any], list[str]]:
    """The records of a page that have a key, with their keys; the others are counted as failed and reported."""
    try:
        keys = plan.layer.keys(page)
    except (TypeError, AttributeError, KeyError):
        keys = [None]
    if None not in keys:
        return page, cast("list[str]", keys)
    records, found = [], []
    for record in page:
        try:
            key = None if isinstance(record, Unreadable) else plan.layer.keys([record])[0]
            fault = record.error if isinstance(record, Unreadable) else "a record without its key"
        except (TypeError, AttributeError, KeyError) as error:
            key, fault = None, f"a record whose key cannot be read: {error}"
        if key is None:
            plan.counts.failed += 1
            plan.problem(fault)
        else:
            records.append(record)
            found.append(key)
    return records, found
