"""What is wrong with work as a whole, what that means, and what changed last."""

from urllib.parse import quote, urlencode

import msgspec

from penstock.domain.alerts import Alert, Firing
from penstock.web.declared import Seen, View

_CHANGES = 50
_MOST = 200
_MEANINGS = (
    ("failing", "Runs of a subject fail one after the other, or jobs of a task are discarded and hardly any completes.",
     "Look at the error of the last failure. What is broken for an account is told once, however many subjects it has."
     ),
    ("gate closed", "Calls of a key have been refused for a while, since the other system fails or asks for a pause.",
     "Work with this key waits by itself and goes on by itself. If the other system is well, look at its credentials."),
    ("backlog", "The oldest job of a queue, or run of a sync, that is due has waited for too long.",
     "Ask why it is waiting: too few workers, no room in its line, or a limit."),
    ("deletes withheld", "A run would have deleted more than its guard lets go, and a person has to look at it.",
     "See which records they are, then approve or refuse."),
    ("no progress", "Something waits, and nothing has been settled for a while.",
     "No worker serves the queue, or those that do are stuck: look at the workers and at what their slots are doing."),
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class Meaning(msgspec.Struct, frozen=True):
    """What a kind of alert means, from when on there is one, and what to do. `fires` is empty where it is off."""

    kind: str
    means: str
    do: str
    fires: str


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What fires by now, the oldest first, and what changed last. Moments are milliseconds of the epoch.

    `pages` says for each that fires where to look; where there are `most` of them, there may be more.
    """

    now: int
    firing: list[Firing]
    pages: list[str]
    most: int
    changes: list[Alert]
    meanings: list[Meaning]


def load(seen: Seen, asked: Asked) -> Alerts:
    """What fires by now, and what changed last."""
    app = seen.app
    firing = app.alerts(_MOST)
    return Alerts(
        now=app.now_ms(), most=_MOST, pages=[page_of(each) for each in firing],
        firing=[msgspec.structs.replace(each, summary=seen.masked(each.summary), details=_masked(seen, each.details))
                for each in firing],
        changes=[msgspec.structs.replace(each, summary=seen.masked(each.summary), details=_masked(seen, each.details))
                 for each in app.alerts_told(_CHANGES)],
        meanings=_meanings(seen))


def page_of(alert: Firing) -> str:
    """Where to look, by what an alert is about: `queue NAME`, `task NAME`, `sync NAME`, `account NAME of sync NAME`,
    `gate KEY`. Where one run is what is late, that is why it waits."""
    kind, _, name = alert.about.partition(" ")
    if alert.kind == "deletes withheld":
        return "/approvals"
    match kind:
        case "task":
            return f"/jobs?{urlencode({'task': alert.details.get('task', name), 'state': 'discarded'})}"
        case "queue":
            return f"/jobs?{urlencode({'queue': name, 'state': 'available'})}"
        case "sync":
            subject = alert.details.get("subject")
            where = quote(name, safe="")
            return f"/why/waiting/{where}?{urlencode({'subject': subject})}" if subject else f"/syncs/{where}"
        case "account":
            account, _, sync = name.rpartition(" of sync ")
            return f"/syncs/{quote(sync, safe='')}/accounts/{quote(account, safe='')}"
    return "/limits"


def _masked(seen: Seen, details: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = seen.masking.value(details)
    return found


def _meanings(seen: Seen) -> list[Meaning]:
    rules = seen.app.alert_rules
    runs, jobs = rules.failing_runs, rules.failing_jobs
    fires = {
        "failing": ", ".join(filter(None, [f"{runs} {'run' if runs == 1 else 'runs'} in a row" if runs else "",
                                           f"{jobs} discarded jobs" if jobs else ""])),
        "gate closed": f"closed for {_span(rules.gate_closed)}" if rules.gate_closed is not None else "",
        "backlog": ", ".join(filter(None, [
            f"a job for {_span(rules.job_waits)}" if rules.job_waits is not None else "",
            f"a run for {_span(rules.run_waits)}" if rules.run_waits is not None else ""])),
        "deletes withheld": "at once" if rules.deletes_withheld else "",
        "no progress": f"for {_span(rules.no_progress)}" if rules.no_progress is not None else ""}
    return [Meaning(kind, means, do, fires[kind]) for kind, means, do in _MEANINGS]


def _span(span: object) -> str:
    from penstock.domain.lasting import lasting

    return lasting(span.total_seconds() * 1_000_000)  # type: ignore[attr-defined]


VIEWS = [View(path="/alerts", asked=Asked, load=load, template="alerts.html", title="Alerts", nav="alerts", live=5.0)]
