"""What `penstock advise --json` prints."""

import msgspec

from penstock.app.advising import Advised
from penstock.domain.advice import Advice, Plan, Proposal, Verdict
from penstock.domain.traces import CallSite, Kind, StatementSeen


class Unneeded(msgspec.Struct):
    """An index that only costs."""

    index: str
    table: str
    fault: str
    says: str


class OneAdvice(msgspec.Struct):
    """What is known of one statement, and what is proposed for it; calls, rows and times are those that were traced."""

    fingerprint: str
    text: str
    database: str
    plans: tuple[Plan, ...]
    trap: str | None
    flipped: str | None
    proposal: Proposal | None
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    calls: int
    rows: int
    total_us: int
    sites: list[CallSite]


class AllAdvice(msgspec.Struct):
    """The advice on work of one name. `left` says why other statements were left, `before` what became of what was
    advised before."""

    kind: Kind
    name: str
    total_us: int
    left: list[str]
    before: list[str]
    unneeded: list[Unneeded]
    advice: list[OneAdvice]


class Migrations(msgspec.Struct):
    """Migrations, as text."""

    migrations: list[str]


def document(found: Advised) -> AllAdvice:
    """Advice as it is printed."""
    return AllAdvice(
        kind=found.kind, name=found.name, total_us=found.total_us, left=found.left,
        before=[each.says for each in found.followed],
        unneeded=[Unneeded(each.index, each.table, each.fault, each.says) for each in found.unneeded],
        advice=[_one(advice, seen) for advice, seen in zip(found.advice, found.seen, strict=True)])


def _one(advice: Advice, seen: StatementSeen) -> OneAdvice:
    return OneAdvice(advice.fingerprint, advice.text, advice.database, advice.plans, advice.trap, advice.flipped,
                     advice.proposal, advice.verdicts, advice.notes, seen.calls, seen.rows, seen.total_us, seen.sites)
