"""The navigation: its groups and entries, in their order. An entry without a page of that path is left out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is what `View.nav` says; `key` is pressed after `g`."""

    name: str
    text: str
    path: str
    key: str


NAV: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("overview", "Overview", "/", "o"),
          Entry("alerts", "Alerts", "/alerts", "e"))),
    ("Jobs", (Entry("jobs", "Jobs", "/jobs", "j"),
              Entry("batches", "Batches", "/batches", "b"),
              Entry("queues", "Queues", "/queues", "q"),
              Entry("workers", "Workers", "/workers", "w"),
              Entry("periodic", "Periodic tasks", "/periodic", "p"))),
    ("Syncs", (Entry("syncs", "Syncs", "/syncs", "s"),
               Entry("runs", "Runs", "/runs", "r"),
               Entry("approvals", "Approvals", "/approvals", "a"),
               Entry("windows", "Windows", "/windows", "n"),
               Entry("limits", "Limits", "/limits", "l"))),
    ("Insight", (Entry("tasks", "Tasks", "/tasks", "t"),
                 Entry("traces", "Traces", "/traces", "c"),
                 Entry("advice", "Advice", "/advice", "d"))),
    ("", (Entry("journal", "Journal", "/journal", "h"),)),
)
