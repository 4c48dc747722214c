"""Advice in lines, for people: what is slow, what to do about it, and what not."""

from collections.abc import Iterator

from penstock.app.advising import Advised
from penstock.cli.table import short
from penstock.domain.advice import Advice, Plan, Verdict
from penstock.domain.lasting import lasting
from penstock.domain.traces import StatementSeen

_WIDTH = 13
_STATEMENT, _PLAN, _REASON = 160, 110, 400
_REJECTED = 4
_PLAN_LINES = 3


def lines(found: Advised) -> Iterator[str]:
    """The whole of it; the statement that took the longest comes first."""
    count = len(found.advice)
    yield (f"{found.name} ({found.kind}): {count} {'statement' if count == 1 else 'statements'}"
           f" of {lasting(found.total_us)} in all")
    for number, (advice, seen) in enumerate(zip(found.advice, found.seen, strict=True), 1):
        yield ""
        share = f", {seen.total_us / found.total_us:.0%}" if found.total_us else ""
        yield f"{number}. {short(advice.text, _STATEMENT)}"
        yield from (f"   {f'{what}:' if what else '':<{_WIDTH}} {says}" for what, says in _about(advice, seen, share))
    for followed in found.followed:
        yield f"before: {followed.says}"
    for unneeded in found.unneeded:
        yield f"{unneeded.fault}: {unneeded.says}"
    for each in found.left:
        yield f"left: {each}"
    if not found.advice and not found.left:
        yield "no statement of it was seen: `penstock.instrument(\"psycopg\")` and the like show them"
    shipped = [each.first for each in found.advice if each.first is not None and each.first.candidate is not None]
    if shipped and all(each.confidence != "confirmed" for each in shipped):
        yield f"next: penstock advise {found.name} --on URL   measures it with a real index on a copy"
    elif shipped:
        yield f"next: penstock advise {found.name} --migration sql   writes the migration, which you run"


def _about(advice: Advice, seen: StatementSeen, share: str) -> Iterator[tuple[str, str]]:
    site = seen.sites[0] if seen.sites else None
    at = f" at {site.file}:{site.line} in {site.function}" if site else ""
    yield "took", f"{lasting(seen.total_us)}{share}: {seen.calls:,} calls in {advice.database}{at}"
    if advice.trap:
        yield "trap", advice.trap
    if advice.flipped:
        yield "flip", advice.flipped
    for verdict in advice.verdicts:
        if verdict.decision != "reject":
            yield from _verdict(verdict)
    rejected = [each for each in advice.verdicts if each.decision == "reject"]
    for verdict in rejected[:_REJECTED]:
        yield "reject", f"{_what(verdict)}: {short(verdict.reason, _REASON)}"
    tried = [each.candidate for each in advice.verdicts]
    rejections = [each for each in (advice.proposal.rejections if advice.proposal else ())
                  if each.candidate is None or each.candidate not in tried]
    for each in rejections[:_REJECTED]:
        yield "not", f"{each.what}: {short(each.reason, _REASON)}"
    if not advice.verdicts and not rejections:
        yield "nothing", "no index and no other text would serve it better, as far as can be told"
    for note in advice.notes:
        yield "note", short(note, _REASON)


def _verdict(verdict: Verdict) -> Iterator[tuple[str, str]]:
    sure = f" ({verdict.confidence}{f', {verdict.by}' if verdict.by else ''})" if verdict.confidence else ""
    yield verdict.decision, f"{_what(verdict)}{sure}"
    yield "", short(verdict.reason, _REASON)
    if verdict.candidate is not None and verdict.candidate.why:
        yield "", short(verdict.candidate.why, _REASON)
    for what, plan in (("before", verdict.before), ("after", verdict.after)):
        yield from _plan(what, plan)
    costs = []
    if verdict.size:
        costs.append(f"about {verdict.size / 1_000_000:,.1f} MB")
    if verdict.write_cost is not None and verdict.write_cost.insert_us is not None:
        costs.append(f"{verdict.write_cost.insert_us:,.1f} µs more for each insert")
    if verdict.write_cost is not None and verdict.write_cost.wal_bytes is not None:
        costs.append(f"{verdict.write_cost.wal_bytes:,.0f} bytes more of write-ahead log")
    if costs:
        yield "costs", ", ".join(costs)
    if verdict.rewrite is not None and verdict.rewrite.after:
        yield "as", " ".join(verdict.rewrite.after.split())
        if verdict.rewrite.once:
            yield "once before", " ".join(verdict.rewrite.once.split())


def _what(verdict: Verdict) -> str:
    if verdict.candidate is not None:
        candidate = verdict.candidate
        keys = ", ".join((key.column or f"({key.expression})") + (" DESC" if key.descending else "")
                         for key in candidate.keys)
        include = f" include ({', '.join(candidate.include)})" if candidate.include else ""
        where = f" where {candidate.predicate}" if candidate.predicate else ""
        instead = f", instead of {', '.join(candidate.replaces)}" if candidate.replaces else ""
        return f"index {candidate.name} on {candidate.table} ({keys}){include}{where}{instead}"
    return f"without an index: {verdict.rewrite.kind.replace('_', ' ')}" if verdict.rewrite is not None else "nothing"


def _plan(what: str, plan: Plan | None) -> Iterator[tuple[str, str]]:
    if plan is None:
        return
    shown = [line.rstrip() for line in plan.text.splitlines() if line.strip()][:_PLAN_LINES]
    for number, line in enumerate(shown):
        yield what if not number else "", short(line, _PLAN) if not number else f"  {short(line, _PLAN)}"
