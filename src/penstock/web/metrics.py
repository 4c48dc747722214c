"""Numbers for collectors, in Prometheus' text format, from maintained counters: as many lines as there are queues,
states, workers and alerts, and no more than a bound of each."""

from collections.abc import Iterable, Mapping

from penstock.app.overseeing import Overview
from penstock.app.replica import Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST = 500
Sample = tuple[Mapping[str, str], float]


def text(found: Overview, replica: Reading | None = None) -> str:
    """All of them; of a replica where there is one. Times are in seconds, as the format has it."""
    queues = found.queues[:_MOST]
    states = ("available", "pending", "executing", "scheduled", "retryable")
    lines: list[str] = []

    def add(name: str, kind: str, what: str, samples: Iterable[Sample]) -> None:
        lines.append(f"# HELP penstock_{name} {what}")
        lines.append(f"# TYPE penstock_{name} {kind}")
        lines.extend(f"penstock_{name}{_labels(labels)} {value:g}" if isinstance(value, float)
                     else f"penstock_{name}{_labels(labels)} {value}" for labels, value in samples)

    add("jobs", "gauge", "Jobs that have not ended, by queue and state.",
        (({"queue": each.queue, "state": state}, getattr(each, state)) for each in queues for state in states))
    add("backlog_age_seconds", "gauge", "For how long the oldest job that goes next has been due.",
        (({"queue": each.queue}, (each.age_ms or 0) / 1000) for each in queues))
    add("slots", "gauge", "How many jobs of a queue can run at once in the workers that live.",
        (({"queue": each.queue}, each.slots) for each in queues if each.slots is not None))
    add("queue_paused", "gauge", "Whether a queue is paused.",
        (({"queue": each.queue}, int(each.paused_at is not None)) for each in queues))
    add("jobs_last_minute", "gauge", "Jobs that were enqueued or came to something in the last whole minute.",
        (({"state": state}, counts[-2] if len(counts) > 1 else 0) for state, counts in found.rates.states.items()))
    add("jobs_last_hour", "gauge", "The same of the last hour, up to now.",
        (({"state": state}, sum(counts)) for state, counts in found.rates.states.items()))
    add("workers", "gauge", "Workers by whether they renew their lease.",
        (({"state": state}, sum(each.alive is (state == "alive") for each in found.workers))
         for state in ("alive", "silent")))
    add("worker_memory_bytes", "gauge", "Resident memory of each worker that tells it.",
        (({"worker": f"{each.id}", "name": each.name}, each.rss_bytes) for each in found.workers[:_MOST]
         if each.rss_bytes is not None))
    add("windows_open", "gauge", "Windows under way, up to a bound of 20.", [({}, len(found.windows))])
    add("gates_closed", "gauge", "Keys whose gate is not open, up to a bound of 20.",
        [({}, sum(each.gate != "open" for each in found.edges))])
    add("alerts", "gauge", "Alerts that fire, by kind, up to a bound of 50.",
        (({"kind": kind}, sum(each.kind == kind for each in found.alerts))
         for kind in sorted({each.kind for each in found.alerts})))
    if replica is not None:
        add("replica_reads", "gauge", "Whether the dashboard reads from its replica.", [({}, int(replica.reads))])
        add("replica_lag_seconds", "gauge", "How far the replica is behind, where that is known.",
            [] if replica.behind_ms is None else [({}, replica.behind_ms / 1000)])
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
