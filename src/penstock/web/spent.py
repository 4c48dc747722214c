"""What pages say of where time went: values that several of them show, without what not everybody may see.

Texts of statements, routes and errors are masked as everywhere. Parameters are those that the store keeps, which are
redacted when they are kept, and are left out where nobody with the scope `sensitive` looks.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from penstock.domain.masking import HIDDEN
from penstock.domain.slow import SlowTrace
from penstock.domain.traces import PHASES, CallSeen, CallSite, Kind, Sample, StatementSeen
from penstock.observe.patterns.contract import REST
from penstock.web.declared import Seen

Since = Literal["1h", "6h", "24h", "7d", "30d"]
SPANS: dict[Since, timedelta] = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "24h": timedelta(days=1),
                                 "7d": timedelta(days=7), "30d": timedelta(days=30)}
LONGEST_TEXT = 8000


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement came to. Times are microseconds, `share` is that of the time of the work. `advice` is the id of
    what was advised for it. `samples` are examples; None for whoever may not see parameters."""

    fingerprint: str
    text: str
    database: str | None
    calls: int
    failed: int
    rows: int
    total_us: int
    mean_us: int
    max_us: int
    locked_us: int
    share: float
    sites: list[CallSite]
    samples: list[Sample] | None
    advice: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one route came to."""

    method: str
    host: str
    route: str
    calls: int
    failed: int
    total_us: int
    mean_us: int
    max_us: int
    share: float
    sites: list[CallSite]


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """A trace that was kept as it was: `key` is its address, `most` what took the most of its time."""

    key: str
    kind: Kind
    name: str
    began_at: int
    took_us: int
    failed: bool
    job_id: int | None
    run_id: int | None
    subject: str | None
    account: str | None
    error: str | None
    phases: dict[str, int]
    most: str | None
    most_us: int


def statement(seen: Seen, found: StatementSeen, wall_us: int, advice: Mapping[str, str]) -> Statement:
    text = "(all others)" if found.fingerprint == REST else seen.masked(found.text[:LONGEST_TEXT])
    return Statement(
        fingerprint=found.fingerprint, text=text, calls=found.calls, failed=found.failed,
        database=found.database and seen.database(found.database), rows=found.rows, total_us=found.total_us,
        mean_us=found.total_us // max(found.calls, 1), max_us=found.max_us, locked_us=found.locked_us,
        share=min(found.total_us / wall_us, 1.0) if wall_us else 0.0, sites=found.sites,
        samples=[_sample(seen, each) for each in found.samples] if seen.may("sensitive") else None,
        advice=advice.get(found.fingerprint))


def _sample(seen: Seen, sample: Sample) -> Sample:
    """An example, without the values of parameters that have the names of secrets."""
    if not isinstance(sample.parameters, dict):
        return sample
    return msgspec.structs.replace(sample, parameters={
        name: msgspec.structs.replace(each, value=HIDDEN) if seen.masking.hides(name) else each
        for name, each in sample.parameters.items()})


def route(seen: Seen, found: CallSeen, wall_us: int) -> Route:
    return Route(
        method=found.method, host=found.host, route=seen.masked(found.route), calls=found.calls, failed=found.failed,
        total_us=found.total_us, mean_us=found.total_us // max(found.calls, 1), max_us=found.max_us, sites=found.sites,
        share=min(found.total_us / wall_us, 1.0) if wall_us else 0.0)


def kept_rows(seen: Seen, found: Iterable[SlowTrace]) -> list[KeptRow]:
    return [KeptRow(
        key=str(each.key), kind=each.kind, name=each.name, began_at=each.began_at, took_us=each.took_us,
        failed=each.failed, job_id=each.job_id, run_id=each.run_id, subject=each.subject, account=each.account,
        error=error(seen, each), phases=dict(zip(PHASES, each.phases, strict=False)),
        most=seen.masked(each.parts[0].what) if each.parts else None,
        most_us=each.parts[0].total_us if each.parts else 0) for each in found]


def error(seen: Seen, trace: SlowTrace) -> str | None:
    """With which error it failed, as far as that is known."""
    found = trace.about.get("error")
    return seen.masked(str(found)) if found else None


def advice_by_statement(seen: Seen, name: str) -> dict[str, str]:
    """The newest advice on each statement of a name, by fingerprint."""
    found: dict[str, str] = {}
    for each in seen.app.advice_kept(name):
        found.setdefault(each.fingerprint, each.id)
    return found
