"""The one front door: statements that were seen, and databases that may be asked, make advice.

The explained database is only read, in transactions that are rolled back. What is built is built on the copy alone,
which was named for it, or in Penstock's own PostgreSQL, and is gone when this returns.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from penstock.advise.asking.keeping import PlansKept
from penstock.advise.asking.opening import open_examined
from penstock.advise.asking.options import Options
from penstock.advise.judging.examining import Examination, examine
from penstock.advise.judging.trying import advise_on
from penstock.advise.parsing.parse import parse
from penstock.advise.trial.choosing import choose
from penstock.domain.advice import Advice
from penstock.domain.traces import StatementSeen

MOST_SIBLINGS = 20
"""So many other statements of a trace are looked at, the slowest: what took little cannot lose much."""


def advise(statements: Sequence[StatementSeen], url: str, *, copy: str | None = None, own: str | None = None,
           options: Options | None = None, kept: PlansKept | None = None, siblings: Sequence[StatementSeen] = (),
           tell: Callable[[str], None] = lambda line: None) -> list[Advice]:
    """Advice on each statement, in the order given.

    `url` is the explained database, `copy` one that may be experimented on (None: nothing is confirmed), `own` where
    Penstock lives if that is PostgreSQL (for scratch schemas). `kept` remembers plans, so that a flip is noticed.
    `tell` hears in words what is being done, for who waits. The statements are each other's siblings, and
    `siblings` are others that are not advised on: an index for one is checked for harm to those that share a table.

    Raises `AdviceUnavailable` where a database cannot be reached, and `TrialFailed` where something was left behind.
    What is wrong with one statement is said in its advice, and stops no other.
    """
    options = options or Options()
    with ExitStack() as stack:
        database = stack.enter_context(open_examined(url, options.limits))
        # First, so that what an earlier trial left behind is gone before anybody looks at the tables.
        means = choose(stack, database, copy=copy, own=own, options=options, tell=tell)
        examined: list[Examination] = []
        for statement in statements:
            tell(f"explaining {statement.fingerprint}")
            examined.append(examine(database, statement, kept=kept, analyse=options.analyse))
        tables = {table for each in examined for table in each.query.tables}
        others = [*examined, *(examine(database, each) for each in _slowest(siblings)
                               if {*parse(each.text, database.dialect).tables} & tables)]
        return [advise_on(each, [other for other in others if other is not each], database, means, tell)
                for each in examined]


def _slowest(siblings: Sequence[StatementSeen]) -> list[StatementSeen]:
    return sorted(siblings, key=lambda each: -each.total_us)[:MOST_SIBLINGS]
