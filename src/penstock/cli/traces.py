"""`penstock traces`: which work takes the time, by name, statement or single trace, and where it goes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.choice import Choice
from penstock.cli.documents import TIMES, json_option, written
from penstock.cli.finding import find_app
from penstock.cli.spans import span
from penstock.cli.table import short, table
from penstock.domain.errors import ConfigurationError
from penstock.domain.lasting import lasting
from penstock.domain.slow import SlowTrace
from penstock.domain.speedscope import Speedscope
from penstock.domain.traces import CallSeen, Kind
from penstock.observe.patterns import Pattern
from penstock.observe.rank import BY, Ranked
from penstock.observe.rank_runs import RankedRuns
from penstock.observe.rank_statements import RankedStatement
from penstock.observe.trend import Trend

_TRACES = ("KIND", "NAME", "TRACES", "FAILED", "TOTAL", "SHARE", "P50", "P95", "P99", "MAX", "CPU", "WHERE")
_RUNS = ("SYNC", "NAME", "ACCOUNT", "RUNS", "FAILED", "TOTAL", "SHARE", "P50", "P95", "P99", "MAX")
_SINGLE = ("BEGAN", "KIND", "NAME", "TOOK", "FAILED", "JOB", "RUN", "SUBJECT", "ACCOUNT", "MOST OF IT")
_STATEMENTS = ("TOTAL", "SHARE", "CALLS", "ROWS", "MEAN", "MAX", "NAME", "AT", "STATEMENT")
_CALLS = ("TOTAL", "CALLS", "FAILED", "MEAN", "MAX", "ROUTE")
_KINDS = ("task", "window", "run", "layer", "trace", "subject", "account")
_OF_RUNS = ("subject", "account")
_PHASES_SHOWN, _LEAST_SHOWN = 3, 0.01
_OF_ONE = 10
_STATEMENT_CHARACTERS = 100


class Traced(Ranked, frozen=True, kw_only=True):
    """Work of one name, with what became of it where that was asked for."""

    trend: Trend | msgspec.UnsetType = msgspec.UNSET


class Traces(msgspec.Struct):
    """Work by name."""

    traces: list[Traced]


class Named(msgspec.Struct):
    """Work of one name: by kind, its patterns, and the statements and calls that cost the most."""

    traces: list[Traced]
    patterns: list[Pattern]
    statements: list[RankedStatement]
    calls: list[CallSeen]


class Subjects(msgspec.Struct):
    """Subjects or accounts, by what their runs take."""

    runs: list[RankedRuns]


class Statements(msgspec.Struct):
    """The slowest statements."""

    statements: list[RankedStatement]


class Single(msgspec.Struct):
    """The slowest single traces."""

    traces: list[SlowTrace]


class Stacks(msgspec.Struct):
    """Sampled stacks with their counts of samples."""

    stacks: dict[str, int]


@click.command()
@click.argument("name", required=False, shell_complete=completing.work)
@click.option("--by", type=Choice(BY), help="What to order by, if not by total (subjects and accounts: by p95). A"
                                                  " phase is an order too.")
@click.option("--kind", type=Choice(_KINDS), help="Only of this kind; subjects and accounts of syncs (of the sync"
                                                        " NAME) come from the statistics of all their runs.")
@click.option("--since", default="24h", show_default=True, metavar="TIME", help="What ended in this time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--trend", is_flag=True, help="Beside each, whether the last day was slower than the week before it; of a"
                                      " NAME it is told anyway.")
@click.option("--runs", is_flag=True, help="The slowest single traces: attempts, windows, runs.")
@click.option("--failed", is_flag=True, help="Of single traces (--runs) only those that failed, the last of them"
                                             " first.")
@click.option("--statements", is_flag=True, help="The slowest statements.")
@click.option("--flame", metavar="NAME", shell_complete=completing.work,
              help="The sampled stacks of a name, one a line with its count of samples, as flame graph tools read"
                   " them.")
@click.option("--speedscope", metavar="NAME", shell_complete=completing.work,
              help="The same as a file of https://www.speedscope.app.")
@json_option(Traces, Named, Subjects, Statements, Single, Stacks, Speedscope,
             says="durations are microseconds, "+TIMES)
@click.pass_context
def traces(context: click.Context, name: str | None, by: Any, kind: Any, since: str, limit: int, trend: bool,
           runs: bool, failed: bool, statements: bool, flame: str | None, speedscope: str | None,
           as_json: bool) -> None:
    """List what takes the time, the worst first; of a NAME also its patterns, statements and calls."""
    closer = (runs, statements, trend, flame is not None, speedscope is not None)
    if sum(closer) > 1:
        raise ConfigurationError("expected at most one of --runs, --statements, --trend, --flame and --speedscope")
    if kind in _OF_RUNS and any(closer):
        raise ConfigurationError(f"--kind {kind}: statistics know of no single traces: expected no --runs,"
                                 " --statements, --trend, --flame or --speedscope beside it")
    asked = {"kind": kind, "since": span(since, "--since")}
    if failed and not runs:
        raise ConfigurationError("--failed: expected --runs beside it, whose single traces it is of")
    with find_app(context) as app:
        app.check()
        if flame is not None:
            text = _flame(app.flame(flame, **asked), as_json)
        elif speedscope is not None:
            text = written(app.speedscope(speedscope, **asked))
        elif kind in _OF_RUNS:
            text = _table(Subjects, _RUNS, app.slowest_runs(name, of=kind, by=by or "p95", limit=limit), _run, as_json)
        elif statements:
            text = _table(Statements, _STATEMENTS, app.slowest_statements(
                name, by=by or "total", limit=limit, **asked), _statement, as_json)
        elif runs:
            found = app.slowest_traces(name, failed=failed or None, newest=failed, limit=limit, **asked)
            text = _NONE_FAILED if failed and not found and not as_json else _table(
                Single, _SINGLE, found, _single, as_json)
        elif name is not None:
            text = _one(app, name, by or "total", asked, as_json)
        else:
            text = _all(app, by or "total", asked, limit, trend, as_json)
        if text == _NOTHING and name is not None and (guess := app.near(name)):
            click.echo(f"note: nothing is called {name!r}{guess}", err=True)
    click.echo(text)


def _all(app: Penstock, by: Any, asked: dict[str, Any], limit: int, trend: bool, as_json: bool) -> str:
    found = app.traces(by=by, limit=limit, **asked)
    trends = app.trends((each.kind, each.name) for each in found) if trend else {}
    if as_json:
        return written(Traces(_with(trends, found)))
    if not found:
        return _NOTHING
    if not trend:
        return table(_TRACES, map(_trace, found))
    return table((*_TRACES[:-1], "TREND"), ((*_trace(each)[:-1], trends[each.kind, each.name].says)
                                           for each in found))


def _with(trends: dict[tuple[Kind, str], Trend], found: Sequence[Ranked]) -> list[Traced]:
    """Rows as JSON has them, with what became of each if that was asked for."""
    return [Traced(**msgspec.structs.asdict(each), trend=trends[each.kind, each.name] if trends else msgspec.UNSET)
            for each in found]


def _one(app: Penstock, name: str, by: Any, asked: dict[str, Any], as_json: bool) -> str:
    found = app.traces(name, by=by, limit=len(_KINDS), **asked)
    if not found:
        return written(Traces([])) if as_json else _NOTHING
    work = app.work(name, **asked)
    statements = app.slowest_statements(name, limit=_OF_ONE, **asked)
    patterns = app.patterns(work)
    trends = app.trends((each.kind, each.name) for each in found)
    if as_json:
        return written(Named(_with(trends, found), patterns, statements, list(work.calls)))
    parts = [table(_TRACES, map(_trace, found)),
             "\n".join(f"trend of each {each.kind}: {trends[each.kind, name].says}" for each in found)]
    parts += ["\n".join(f"{each.kind}: {each.says}\n  faster: {each.faster}" for each in patterns)] if patterns else []
    parts += [table(_STATEMENTS, map(_statement, statements))] if statements else []
    calls = sorted(work.calls, key=lambda each: -each.total_us)[:_OF_ONE]
    parts += [table(_CALLS, map(_call, calls))] if calls else []
    return "\n\n".join(parts)


_NONE_FAILED = "no trace that failed is kept of that time; without --failed those that did not are listed"
_NOTHING = ("nothing was traced in that time: work of a worker is, and any code in `with penstock.trace(…)`; see"
            " docs/traces.md")


def _table(document: Callable[[list[Any]], Any], headings: Sequence[str], rows: Sequence[Any], shown: Any,
           as_json: bool) -> str:
    if as_json:
        return written(document(list(rows)))
    return table(headings, map(shown, rows)) if rows else _NOTHING


def _flame(stacks: dict[str, int], as_json: bool) -> str:
    if as_json:
        return written(Stacks(stacks))
    return "\n".join(f"{stack} {count}" for stack, count in sorted(stacks.items())) or _NOTHING


def _trace(each: Ranked) -> tuple[str, ...]:
    cpu = "-" if each.cpu_us is None else lasting(each.cpu_us)
    return (each.kind, each.name, f"{each.traces:,}", f"{each.failed:,}", lasting(each.total_us), f"{each.share:.0%}",
            *map(lasting, (each.p50_us, each.p95_us, each.p99_us, each.max_us)), cpu, where(each.phases, each.total_us))


def where(phases: dict[str, int], total_us: int) -> str:
    """`queried 95%, computed 3%`: the phases that most of the time went to. What was waited comes before it began, and
    so is no part of it."""
    spent = sorted(((us, phase) for phase, us in phases.items() if phase != "waited"), reverse=True)[:_PHASES_SHOWN]
    return ", ".join(f"{phase} {us / total_us:.0%}" for us, phase in spent
                     if total_us and us >= _LEAST_SHOWN * total_us) or "-"


def _run(each: RankedRuns) -> tuple[str, ...]:
    return (each.sync, each.name, each.account or "-", f"{each.runs:,}", f"{each.failed:,}", lasting(each.total_us),
            f"{each.share:.0%}", *map(lasting, (each.p50_us, each.p95_us, each.p99_us, each.max_us)))


def _statement(each: RankedStatement) -> tuple[str, ...]:
    text = short(each.text, _STATEMENT_CHARACTERS) or "(all others)"
    return (lasting(each.total_us), f"{each.share:.0%}", f"{each.calls:,}", f"{each.rows:,}", lasting(each.mean_us),
            lasting(each.max_us), each.name, each.site or "-", text)


def _single(each: SlowTrace) -> tuple[str, ...]:
    known = (str(each.job_id or "-"), str(each.run_id or "-"), each.subject or "-", each.account or "-")
    most = f"{lasting(each.parts[0].total_us)} {short(each.parts[0].what)}" if each.parts else "-"
    return (time(each.began_at), each.kind, each.name, lasting(each.took_us), "yes" if each.failed else "-", *known,
            most)


def _call(each: CallSeen) -> tuple[str, ...]:
    return (lasting(each.total_us), f"{each.calls:,}", f"{each.failed:,}", lasting(each.total_us / max(each.calls, 1)),
            lasting(each.max_us), f"{each.method} {each.host}{each.route}")


def time(at: int) -> str:
    """A moment, to the second."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"
