"""Repair: what an audit found to be drifted is sent again, and what is missing is created again.

What is wrong is noted in the state first, as what it is: of a drifted record it is not known any more what the
destination has, and a missing one has no row. Then the source is read again, and of what differs just these are sent,
as any run sends them; what is not sent for some reason goes with the next run. Nothing is deleted.

A destination that seems to have lost too many records is not believed: it may have been read in part, or with other
rights. Then nothing that is missing is created again, in any layer, unless somebody says so.
"""

from collections.abc import Mapping, Sequence

from penstock.domain.options import Audit
from penstock.domain.records import Counts, Subject
from penstock.store.spool import Spool
from penstock.sync.applying.apply import Applier
from penstock.sync.applying.doubt import wait_for_doubts
from penstock.sync.auditing.audit import LayerAudit, held_of
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.contact import make_contacts
from penstock.sync.destination.seen import can_tell
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.restricting.restrict import SomeOf
from penstock.sync.state.findings import DRIFTED, IN_STEP, MISSING
from penstock.sync.state.layer import LayerState


def audit_run(definition: SyncDefinition, run: Run, verbs: Verbs, states: Mapping[str, LayerState],
              asked: Audit) -> dict[str, list[str]]:
    """Audit a subject, and put right what is wrong if so asked.

    Return what is to be said, by the error class that it gives the run: what is wrong with the source, if anything, and
    what was not created again, and why.
    """
    planned: dict[str, Spool] = {}
    audits: list[LayerAudit] = []
    problems: list[str] = []
    try:
        for layer in definition.layers:
            plan = plan_layer(layer, run, states[layer.name], states, planned)
            planned[layer.name] = plan.spool
            problems += plan.problems
            if can_tell(layer):
                audits.append(LayerAudit(plan, run, verbs))
                audits[-1].look(asked)
        withheld = [] if not asked.repair or asked.force else _too_many(definition.name, audits)
        for audit in audits:
            _note(audit, run.subject, repair=asked.repair, missing=not withheld)
        if asked.repair:
            make_contacts(definition.layers, run, verbs, states)
            _send(audits, run, verbs, states)
    finally:
        for spool in planned.values():
            spool.close()
        for audit in audits:
            audit.close()
    return {"SourceProblems": problems, "RepairsWithheld": withheld}


def _too_many(sync: str, audits: Sequence[LayerAudit]) -> list[str]:
    """What is said of layers of which more is missing than anybody would have deleted by hand."""
    found = []
    for audit in audits:
        guard = audit.plan.layer.layer.guard
        if audit.missing and (audit.missing == audit.looked or guard.trips(audit.missing, audit.looked)):
            audit.findings.withheld = (
                f"{audit.plan.layer.name}: {audit.missing:,} of {audit.looked:,} records are not at the destination;"
                f" none is created again, since it may have been read in part: look at it, and say so with `penstock"
                f" audit {sync} --repair --force`")
            found.append(audit.findings.withheld)
    return found


def _note(audit: LayerAudit, subject: Subject, *, repair: bool, missing: bool) -> None:
    """Say in the state what is wrong, and how far the audit came."""
    for verdict, name in ((DRIFTED, "audit_drifted"), (IN_STEP, "audit_answered")):
        for entries in audit.wrong.take(verdict) if repair or verdict == IN_STEP else ():
            audit.state.note_answers(name, {key: held_of(encoded) for key, encoded in entries})
            audit.findings.repaired += len(entries) if verdict == DRIFTED else 0
    for entries in audit.wrong.take(MISSING) if repair and missing else ():
        audit.state.save([], Counts(), gone=[key for key, _ in entries])
        audit.findings.repaired += len(entries)
    if repair and audit.findings.repaired:
        for name in ("buckets_remove", "cursor_remove"):
            audit.state.note(name, {"subject": subject.key})
    audit.save(stays=repair and not missing and audit.missing > 0)


def _send(audits: Sequence[LayerAudit], run: Run, verbs: Verbs, states: Mapping[str, LayerState]) -> None:
    """Send again what was noted to be wrong; parents first, as the audits are ordered."""
    sent: list[LayerPlan] = []
    try:
        for audit in audits:
            kinds = audit.wrong.counts()
            if not kinds.get(DRIFTED) and not kinds.get(MISSING):
                continue
            layer = audit.plan.layer
            plan = plan_layer(layer, run, states[layer.name], states, spool=SomeOf(_Wrong(audit.wrong)), whole=True)
            sent.append(plan)
            plan.after_upserts.clear()  # what is saved there has to be true of all records
            plan.counts.skipped = 0
            Applier(plan, run, verbs).upserts()
        wait_for_doubts(sent)
    finally:
        for plan in sent:
            plan.spool.close()


class _Wrong:
    """The keys of what is wrong, on disk."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def __contains__(self, key: object) -> bool:
        return self._spool.kind(str(key)) in (DRIFTED, MISSING)
