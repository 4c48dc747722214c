"""Patterns: known ways of being slow, each found by a rule, named with its evidence. See docs/slow.md."""

from penstock.observe.patterns.batches import offset_paging, slow_batches
from penstock.observe.patterns.calls import chatty_calls, shared_fetch
from penstock.observe.patterns.columns import unused_columns
from penstock.observe.patterns.contract import PATTERNS, REST, Pattern, PatternKind, PlanSeen, Rule, Work
from penstock.observe.patterns.loops import loop_of_queries, single_writes
from penstock.observe.patterns.n_plus_one import n_plus_one
from penstock.observe.patterns.plans import plan_flip, sort_spill
from penstock.observe.patterns.waits import limit_wait, lock_wait

__all__ = ["PATTERNS", "Pattern", "PatternKind", "PlanSeen", "Work", "patterns"]

RULES: tuple[Rule, ...] = (n_plus_one, loop_of_queries, single_writes, slow_batches, offset_paging, plan_flip,
                           sort_spill, unused_columns, lock_wait, limit_wait, chatty_calls, shared_fetch)


def patterns(work: Work) -> list[Pattern]:
    """All that the evidence allows to be named, what takes the most time first.

    Of a trace with too many different statements or routes the rest is told as one (`REST`), of which nothing can be
    said.
    """
    known = work._replace(statements=[each for each in work.statements if each.fingerprint != REST],
                          calls=[each for each in work.calls if each.host != "*"])
    return sorted((found for rule in RULES for found in rule(known)), key=lambda each: -each.took_us)
