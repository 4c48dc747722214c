"""Why a record was sent, or not: its source, its state and, if asked, its destination, looked at side by side.

What the next run would do is told by planning it, with the code that runs use, of this one record. Nothing is written,
and the destination is asked nothing unless `remote` says so.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import msgspec

from penstock.domain.records import RecordState, Subject
from penstock.store.port import Row, Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.deleting.approvals import ScopeApprovals
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.plan import AMBIGUOUS, MATCH, MATCHED, Item, LayerPlan, decode_item
from penstock.sync.restricting.restrict import SomeOf, in_source
from penstock.sync.serving.bounded import Bound
from penstock.sync.serving.opening import layer_states, loaded, opened
from penstock.sync.serving.snapshots import Snapshots
from penstock.sync.state.fence import Fence
from penstock.sync.state.layer import LayerState
from penstock.sync.state.messages import kept
from penstock.sync.state.runs import latest_runs
from penstock.sync.state.shapes import Shapes
from penstock.sync.telling.remote import ask_remote
from penstock.sync.telling.told import Kept, Linked, RunSays, SourceSays, Why
from penstock.sync.telling.verdict import Verdict, verdict

_MOST_CLAIMANTS = 10
_KINDS = ("create", "update", "delete", "blocked", "failed", "duplicate", "waiting", "rebase", MATCH, MATCHED,
          AMBIGUOUS)


class Unsent(LayerState):
    """State that does not tell what was sent of one record, so that a plan shows what would be."""

    key = ""

    def digests(self, keys: Sequence[str]) -> list[Row]:
        return [(key, id, None if key == self.key else digest) for key, id, digest in super().digests(keys)]


def why(store: Store, definition: SyncDefinition, subject: Subject, layer: LayerDefinition, key: str, *,
        remote: bool = False, bound: Bound | None = None) -> Why:
    """Look at one record. `remote`: connect, and ask the destination too. A source that is beyond a `bound` is said not
    to be readable.
    """
    return _Examination(store, definition, subject, bound).record(layer, key, remote)


class _Examination:
    """Looks at records of one subject."""

    def __init__(self, store: Store, definition: SyncDefinition, subject: Subject, bound: Bound | None) -> None:
        self._bound = bound
        self._store = store
        self._definition = definition
        self._subject = subject
        self._states = layer_states(store, definition, subject)

    def record(self, layer: LayerDefinition, key: str, remote: bool) -> Why:
        with ExitStack() as stack:
            run: Run | None = None
            planned: _Planned | None = None
            try:
                run = stack.enter_context(opened(self._definition, self._subject)) if remote else \
                    loaded(self._definition, self._subject)
                if self._bound is not None:
                    self._bound.put_on(run)
                run.shared = Snapshots().shared(self._store, self._definition, run)
                planned = stack.enter_context(_Planned(self, layer, key, run))
                source = SourceSays(planned.present, planned.plan.counts.read, planned.plan.complete)
            except Exception as error:
                source = SourceSays(False, error=kept(f"{type(error).__name__}: {error}"))
            state = self._kept(layer, key)
            links = self._links(layer, planned.record) if planned and planned.record is not None else []
            found = Why(self._definition.name, self._subject.key, self._subject.account, layer.name,
                        layer.scope(self._subject.key, self._subject.account), key, source,
                        Verdict("unknown", "the source could not be read"), state, links=links,
                        match_field=layer.layer.match)
            if planned is not None:
                self._explain(found, layer, planned)
            found.run = self._run(state.run_id) if state is not None and state.run_id is not None else None
            found.live = self._live()
            found.claims = self._claims(layer, state)
            found.deletion = self._deletion(layer, key)
            if remote and run is not None:
                found.remote = ask_remote(layer, run, found)
            return found

    def _explain(self, found: Why, layer: LayerDefinition, planned: "_Planned") -> None:
        item = planned.item
        if found.links and planned.kind == "blocked":
            self._look_for_parents(found.links, planned.run)
        blockers = [f"{link.layer} {link.key}" for link in found.links if _blocks(link)]
        created_first = all(link.status is None and link.in_source for link in found.links if _blocks(link))
        found.verdict = verdict(
            layer, planned.kind, item, found.source, found.state, blockers if created_first else None,
            source_has=planned.present)
        if item is not None and item.canonical:
            found.payload = msgspec.json.decode(item.canonical)[0]
            found.rendered = item.digest.hex() if item.digest else None
            found.match = item.match

    def plan(self, layer: LayerDefinition, key: str, run: Run) -> LayerPlan:
        state = Unsent(self._store, layer.table, self._states[layer.name].scope, None,
                       Shapes(self._store, layer.table), field_digests=layer.field_digests)
        state.key = key
        return plan_layer(layer, run, state, self._states, spool=SomeOf(frozenset({key})), whole=True)

    def _kept(self, layer: LayerDefinition, key: str) -> Kept | None:
        params = {"scope": self._states[layer.name].scope, "key": key}
        row = self._store.read(lambda tx: tx.row("state_row", params, layer=layer.table))
        if row is None:
            return None
        values = list(row)
        values[5] = None if row[5] is None else bytes(row[5]).hex()
        return Kept(**dict(zip(Kept.__struct_fields__, values, strict=True)))

    def _links(self, layer: LayerDefinition, record: Any) -> list[Linked]:
        found = []
        by_name = {each.name: each for each in self._definition.layers}
        for role, link in [("parent", layer.parent), *(("reference", each) for each in layer.references)]:
            if link is None:
                continue
            linked = Linked(role, link.target, link.keys([record])[0])
            row = self._kept(by_name[link.target], linked.key) if linked.key is not None else None
            if row is not None:
                linked.status, linked.remote_id = row.status, row.remote_id
                linked.error_class, linked.error = row.error_class, row.error
            found.append(linked)
        return found

    def _look_for_parents(self, links: list[Linked], run: Run) -> None:
        """Whether what has no remote id is in the source, so that the next run would create it first."""
        by_name = {each.name: each for each in self._definition.layers}
        for link in links:
            if link.key is not None and _blocks(link):
                with _Planned(self, by_name[link.layer], link.key, run) as planned:
                    link.in_source = planned.present

    def _run(self, id: int) -> RunSays | None:
        row = self._store.read(lambda tx: tx.row("run_of", {"id": id}))
        return RunSays(*row) if row is not None else None

    def _live(self) -> RunSays | None:
        """The subject's run that waits or is under way, if there is one."""
        runs, _ = latest_runs(self._store, self._definition.name, [self._subject.key])
        return next((RunSays(run.id, run.subject, run.status, run.requested_at, None, run.error_class, run.error)
                     for run in runs if run.status in ("pending", "running")), None)

    def _claims(self, layer: LayerDefinition, state: Kept | None) -> list[str] | None:
        if not layer.account_scoped or state is None:
            return None
        params = {"id": state.id, "count": _MOST_CLAIMANTS}
        return [row[0] for row in self._store.read(lambda tx: tx.rows("claimants", params, layer=layer.table))]

    def _deletion(self, layer: LayerDefinition, key: str) -> str | None:
        """What people were asked about its deletion, and said."""
        now = self._store.read(lambda tx: tx.row("now"))
        approvals = ScopeApprovals(self._store, layer.table, self._states[layer.name].scope, Fence(0, 0),
                                   now[0] if now else 0)
        standing = approvals.named([key]).get(key)
        return f"{standing[0].standing} (question {standing[0].id})" if standing else None


class _Planned:
    """One record as the next run would take it, read from the source now. Closed as a context manager."""

    def __init__(self, examination: _Examination, layer: LayerDefinition, key: str, run: Run) -> None:
        self.run = run
        self.record: Any = None

        def catching(records: Sequence[Any]) -> list[str | None]:
            keys = layer.keys(records)
            if key in keys:
                self.record = records[keys.index(key)]
            return keys

        self.plan = examination.plan(replace(layer, keys=catching), key, run)
        self.kind = self.plan.spool.kind(key)
        self.item: Item | None = None
        for kind in _KINDS if self.kind else ():
            for entries in self.plan.spool.take(kind):
                self.item = decode_item(entries[0][1])
        self.present = self.record is not None or (self.kind is None and in_source(self.plan, key))

    def __enter__(self) -> "_Planned":
        return self

    def __exit__(self, *exception: object) -> None:
        self.plan.spool.close()


def _blocks(link: Linked) -> bool:
    return link.remote_id is None or link.status == RecordState.IN_DOUBT
