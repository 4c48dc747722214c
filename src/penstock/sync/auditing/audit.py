"""An audit: what the destination holds now, beside what it was sent and what the source says.

It reads all of a layer by `read`, which also shows what is unmanaged; or asks by `fetch`, walking the state from where
the last audit stopped, where there is no `read` or it would take more calls than there are. A layer is begun while the
budget of calls lasts; one that is fetched stops anywhere, one that is read is read to its end. The verdicts are
those of findings.py; what is to be put right is sent by repair.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from penstock.domain.fields import held_digests
from penstock.domain.options import Audit
from penstock.domain.records import Counts, RecordState
from penstock.store.spool import Spool
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.contact import finish_reading, observe
from penstock.sync.destination.seen import read_pages
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.state.findings import CHANGED, DRIFTED, IN_STEP, MISSING, UNMANAGED, Findings, compared, implied

_PAGE = 1000
_ROW, _OTHER, _MET = "row", "other", "met"
_AUDITED = (RecordState.SYNCED, RecordState.FAILED, RecordState.IN_DOUBT)
_IN_STEP_KINDS = (None, "rebase")


class _Row(NamedTuple):
    """A row of the state, as an audit needs it."""

    key: str
    remote_id: str
    status: str
    fields: bytes | None
    answered: bytes | None
    unknown: bool


class LayerAudit:
    """The audit of one layer. `wrong` has what is drifted or missing, by key, with what is held there instead."""

    def __init__(self, plan: LayerPlan, run: Run, verbs: Verbs) -> None:
        self.plan = plan
        self.state = plan.state
        self.wrong = Spool()
        self.looked = self.missing = 0
        self._run = run
        self._verbs = verbs
        begun_at, place, findings = next(iter(self.state.ask("audit_place", {})), (None, None, None))
        self._now = self.state.ask("now", {})[0][0]
        self._began_at = begun_at or self._now
        self._place = place or ""
        self.findings = msgspec.json.decode(findings, type=Findings) if begun_at and findings else Findings()
        self._complete = False
        self._also = implied(plan.layer)

    def look(self, budget: Audit) -> None:
        """Ask the destination, as far as the budget goes."""
        if self._run.calls.read >= budget.calls:
            return
        if self._is_fetched(budget.calls - self._run.calls.read):
            self._fetch(budget.calls)
        else:
            self._read()

    def _is_fetched(self, most: int) -> bool:
        """Whether to ask record by record; a read is taken to give as many records a call as a write carries."""
        layer = self.plan.layer
        if layer.verb("fetch") is None or layer.verb("read") is None:
            return layer.verb("fetch") is not None
        return bool(self._place) or self.state.count(observed=False) > most * layer.batch_size

    def _fetch(self, most: int) -> None:
        size = min(self.plan.layer.batch_size, _PAGE)
        while self._run.calls.read < most:
            self._run.check()
            rows = self._rows(self._place, size)
            if not rows:
                self._complete = True
                return
            asked = [row for row in rows if row.status in _AUDITED]
            held = self._verbs.fetch(self.plan.layer, [row.remote_id for row in asked]) if asked else {}
            for row in asked:
                known = held.get(row.remote_id)
                self._judge(row, None if known is None else held_digests(known))
            self._place = rows[-1].key

    def _read(self) -> None:
        known = Spool()
        try:
            for rows in self._all_rows():
                known.lay((row.remote_id, _ROW if row.status in _AUDITED else _OTHER, _encode(row)) for row in rows)
            for page in read_pages(self.plan.layer, self._run, self._verbs):
                unmanaged = []
                for seen in page:
                    kind, encoded = known.item(seen.remote_id) or (None, b"")
                    if kind == _ROW:
                        self._judge(_decode(encoded), seen.fields)
                    elif kind is None:
                        unmanaged.append(seen)
                observe(self.state, unmanaged, self._verbs)
                known.change_kind([seen.remote_id for seen in page], _MET)
            for left in known.take(_ROW):
                for _, encoded in left:
                    self._judge(_decode(encoded), None)
        finally:
            known.close()
        finish_reading(self.state, self._now)
        self.state.note("contact_save", {})
        self._show_unmanaged()
        self._complete = True

    def _all_rows(self) -> Iterator[list[_Row]]:
        after = ""
        while rows := self._rows(after, _PAGE):
            after = rows[-1].key
            yield rows

    def _rows(self, after: str, count: int) -> list[_Row]:
        rows = self.state.ask("audit_page", {"after": after, "count": count})
        return [_Row(key, remote_id, status, None if fields is None else bytes(fields),
                     None if answered is None else bytes(answered), bool(unknown))
                for key, remote_id, status, fields, answered, unknown in rows]

    def _judge(self, row: _Row, held: Mapping[str, bytes] | None) -> None:
        self.looked += 1
        kind = self.plan.spool.kind(row.key)
        if held is None:
            gone = kind == "delete" or row.status == RecordState.IN_DOUBT  # that run looks for it, or sends it
            self.missing += not gone
            self.findings.add(CHANGED if gone else MISSING, row.key)
            if not gone:
                self.wrong.lay([(row.key, MISSING, b"")])
            return
        if kind not in _IN_STEP_KINDS and not row.unknown:
            self.findings.add(CHANGED, row.key)
            return
        sent, answered = self.state.decoded(row.fields), self.state.decoded(row.answered)
        verdict, names = compared(sent, answered, held, self._also)
        if row.unknown:  # as a repair leaves it that was broken off before it was sent
            verdict, names = DRIFTED, []
        self.findings.add(verdict, row.key, names)
        if verdict == DRIFTED or (verdict == IN_STEP and any(name in sent and held.get(name) != was
                                                            for name, was in answered.items())):
            self.wrong.lay([(row.key, verdict, msgspec.msgpack.encode(dict(held)))])

    def _show_unmanaged(self) -> None:
        after = ""
        while rows := self.state.ask("observed_page", {"after": after, "count": _PAGE}):
            after = rows[-1][0]
            for key, _ in rows:
                self.findings.add(UNMANAGED, key)

    def save(self, *, stays: bool) -> None:
        """Save how far it came and what it found; `stays`: the next audit begins anew, for nothing was put right."""
        over = self._complete or stays
        self.state.note("audit_save", {
            "begun_at": None if over else self._began_at, "place": None if over else self._place,
            "findings": msgspec.json.encode(self.findings).decode(), "whole": int(self._complete and not stays)})
        self.state.save([], Counts(calls=self._verbs.new_calls()))

    def close(self) -> None:
        self.wrong.close()


_encode = msgspec.msgpack.Encoder().encode


def _decode(encoded: bytes) -> _Row:
    return _Row(*msgspec.msgpack.decode(encoded, type=tuple[str, str, str, bytes | None, bytes | None, bool]))


Held = dict[str, bytes]


def held_of(encoded: bytes) -> Any:
    """What the destination holds of a record that is wrong; None where it is missing."""
    return msgspec.msgpack.decode(encoded, type=Held) if encoded else None
