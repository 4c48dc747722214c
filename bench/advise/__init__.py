"""`bench advise`: 30 statements over 6 domains, for 20 of which a person knows the index; the others need none.

Each is proposed for from its text, its parameters and the statistics of a real PostgreSQL, and the first proposal is
held against what was written down. Every proposal is then built and run: one that halves neither blocks nor time is
useless. What other advisers would say stands beside it where HypoPG is installed; `others` says by which rules.
"""

from rich.console import Console
from rich.table import Table

from bench.advise.calendar import CALENDAR
from bench.advise.directory import DIRECTORY
from bench.advise.events import EVENTS
from bench.advise.ledger import LEDGER
from bench.advise.others import OTHERS, Others, others
from bench.advise.proposing import Outcome, filled, outcome
from bench.advise.queue import QUEUE
from bench.advise.shop import SHOP
from bench.report import report
from bench.server import postgres

DOMAINS = (SHOP, EVENTS, CALENDAR, LEDGER, DIRECTORY, QUEUE)


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    import psycopg

    rows = 150_000 if quick else 400_000
    outcomes: list[Outcome] = []
    with postgres() as server, others() as beside:
        for domain in DOMAINS:
            with server.database() as url, psycopg.connect(url, autocommit=True) as connection:
                filled(connection, domain, rows)
                outcomes += [outcome(connection, domain.name, case) for case in domain.cases]
            beside.say(domain, rows, outcomes)
        settings = dict(server.settings)
    _print(outcomes, beside)
    none = [each for each in outcomes if each.case.needs_none]
    figures: dict[str, float] = {
        "right": round(sum(each.right for each in outcomes) / len(outcomes), 3),
        "useless": sum(len(each.useless) for each in outcomes),
        "without_reason": sum(len(each.unexplained) for each in outcomes),
        "proposed_where_none_is_needed": sum(bool(each.definitions) for each in none),
        "proposals": sum(len(each.definitions) for each in outcomes),
    }
    for name in OTHERS:
        judged = [each.case.among(each.others[name]) for each in outcomes if name in each.others]
        if judged:
            figures[f"right_{name}"] = round(sum(judged) / len(judged), 3)
    report("advise", {"statements": len(outcomes), "needing_none": len(none), "domains": len(DOMAINS), "rows": rows},
           figures, {"right": (">=", 0.9), "useless": ("<=", 0), "without_reason": ("<=", 0)},
           others=beside.version, **settings)


def _print(outcomes: list[Outcome], beside: Others) -> None:
    table = Table(title="bench advise: first proposals, and blocks read before, after, and by the known best",
                  caption=beside.caption)
    table.add_column("case")
    table.add_column("first proposal")
    table.add_column("")
    for name in ("before", "after", "best"):
        table.add_column(name, justify="right")
    for name in OTHERS:
        table.add_column(name.replace("_", " "))
    for each in outcomes:
        table.add_row(
            f"{each.domain}: {each.case.name}", each.definitions[0] if each.definitions else "none",
            "right" if each.right else f"WRONG: {each.case.best[0] if each.case.best else 'none'}",
            *(f"{ran.blocks:,}" if ran else "" for ran in (each.before, each.after, each.best)),
            *(_said(each, name) for name in OTHERS))
        if each.useless:
            table.add_row("", "useless: " + "; ".join(each.useless))
    Console(width=200).print(table)


def _said(outcome: Outcome, name: str) -> str:
    if name not in outcome.others:
        return "not run"
    said = outcome.others[name]
    return ("right: " if outcome.case.among(said) else "wrong: ") + ("; ".join(said) or "none")
