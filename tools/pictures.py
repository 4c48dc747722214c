"""Which pictures there are of the dashboard, and the page of the docs that shows them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES, GALLERY = ROOT / "docs" / "images", ROOT / "docs" / "web-pictures.md"
SIGN_IN = "/sign-in"
"""The page that no view declares."""


@dataclass(frozen=True)
class Picture:
    """Of the page that is declared as `of`. `path` is where to begin, and each of `links` a selector that is clicked in
    turn; `narrow` are the themes in which it is shown as wide as a telephone as well."""

    name: str
    of: str
    says: str
    path: str
    links: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, str]:
        """Its files, by what each of them shows."""
        wide = {"light": f"{self.name}-light.webp", "dark": f"{self.name}-dark.webp"}
        of_theme = {"light": f"{self.name}-narrow.webp", "dark": f"{self.name}-narrow-dark.webp"}
        names = {"light": "narrow", "dark": "narrow and dark"}
        return wide | {names[theme]: of_theme[theme] for theme in self.narrow}


_FIRST, _SECOND = "main tbody tr td a", "main tbody tr:nth-of-type(2) td a"
_DARK, _BOTH = ("dark",), ("light", "dark")

PICTURES = (
    Picture("overview", "/", "The overview: what is wrong, throughput and failures, backlog by age, slots", "/",
            narrow=_BOTH),
    Picture("alerts", "/alerts", "Alerts: what fires, what has recovered, and from when on something is worth one",
            "/alerts", narrow=_DARK),
    Picture("jobs", "/jobs", "Jobs: filters, states with their counts, what can be done to those that are ticked",
            "/jobs", narrow=_BOTH),
    Picture("job", "/jobs/{id}", "A job: its states in time, its error, its trace",
            "/jobs?state=discarded&task=billing.charge", (_FIRST,)),
    Picture("job-running", "/jobs/{id}", "A job that is under way, and how far it has come",
            "/jobs?state=executing&task=media.transcode", (_FIRST,)),
    Picture("why-waiting", "/why/waiting/job/{id}", "Why a job waits", "/jobs?state=pending&task=crm.push_contact",
            (_FIRST, "a.why:has-text('Why')")),
    Picture("act", "/jobs/act", "A change to many jobs, before it is made: how many, and which",
            "/jobs?state=scheduled&task=mail.send_digest", ("form.acting button:has-text('Cancel all')",)),
    Picture("batch", "/batches/{id}", "A batch that is half done", "/jobs?tag=export&state=completed",
            (_FIRST, "a[href*='/batches/']")),
    Picture("batches", "/batches", "Batches: what is left of each", "/batches", narrow=_DARK),
    Picture("queues", "/queues", "Queues: depth, age, slots, and the last hour", "/queues", narrow=_DARK),
    Picture("workers", "/workers", "Workers: memory, and what they serve", "/workers", narrow=_DARK),
    Picture("worker", "/workers/{id}", "A worker, and what its slots are doing", "/workers",
            ("main a[href*='/workers/']",)),
    Picture("periodic", "/periodic", "Periodic tasks, next and missed ticks", "/periodic", narrow=_DARK),
    Picture("syncs", "/syncs", "Syncs: last success, last audit, how long runs take", "/syncs", narrow=_DARK),
    Picture("sync", "/syncs/{sync}", "A sync: its subjects by duration, its accounts", "/syncs/ads"),
    Picture("account", "/syncs/{sync}/accounts/{account:path}", "An account that fails",
            "/syncs/ads/accounts/customer-5"),
    Picture("subject", "/syncs/{sync}/subjects/{subject:path}", "A subject that becomes slower",
            "/syncs/ads/subjects/product-7"),
    Picture("why-run-waiting", "/why/waiting/{sync}", "Why a run waits", "/runs?sync=ads&state=pending",
            ("main tbody a[href*='/why/waiting/']",)),
    Picture("runs", "/runs", "Runs: what each changed, and how long it waited and took", "/runs", narrow=_DARK),
    Picture("run", "/runs/{id}", "A run, layer by layer, with its errors by class", "/runs?sync=ads&subject=product-22",
            (_SECOND,)),
    Picture("failed", "/syncs/{sync}/failed", "Failed and blocked records", "/syncs/ads/failed"),
    Picture("why-sent", "/why/sent/{sync}/{layer}", "Why a record was sent, or not", "/syncs/ads/failed",
            ("main a[href*='/why/sent/']",)),
    Picture("find-record", "/why/sent", "Finding a record to ask that of", "/why/sent"),
    Picture("approvals", "/approvals", "Deletes that are withheld", "/approvals", narrow=_DARK),
    Picture("approval", "/approvals/{sync}/{id}", "A question, with the keys", "/approvals",
            ("main a[href*='/approvals/']",)),
    Picture("plan", "/syncs/{sync}/plan/{subject:path}", "What a run would change", "/syncs/directory/plan/doors-1"),
    Picture("windows", "/windows", "Windows: fetch, subjects, unused time", "/windows?sync=ads", narrow=_DARK),
    Picture("window", "/windows/{id}", "A window: the runs that it served, one after the other", "/windows?sync=ads",
            ("main tbody tr:has-text('out of time') td a",)),
    Picture("limits", "/limits", "Limits and their gates", "/limits", narrow=_DARK),
    Picture("tasks", "/tasks", "Tasks: where the time goes", "/tasks", narrow=_BOTH),
    Picture("task", "/tasks/{name:path}", "A task: its phases, its trend, its statements, its slowest runs", "/tasks",
            ("main a[href*='reports.daily']",)),
    Picture("traces", "/traces", "Traces: the slowest, and those that failed", "/traces", narrow=_DARK),
    Picture("trace", "/traces/{key}", "A trace: its phases, statements and stacks", "/traces?name=reports.daily",
            ("main a[href*='/traces/']",)),
    Picture("flame", "/flame/{name:path}", "A flame graph", "/flame/directory"),
    Picture("slow", "/why/slow", "What is slow", "/why/slow"),
    Picture("why-slow", "/why/slow/{name:path}", "Why it is slow", "/why/slow/reports.daily"),
    Picture("advice", "/advice", "Advice: indexes that are proposed, and what became of those that were shipped",
            "/advice", narrow=_DARK),
    Picture("advised", "/advice/{id}", "An index that is proposed", "/advice",
            ("main tr:has-text('proposed') a[href*='/advice/']",)),
    Picture("watched", "/advice/{id}", "An index that was shipped, and is watched", "/advice",
            ("main tr:has-text('billing.charge') a[href*='/advice/']",)),
    Picture("journal", "/journal", "The journal of changes: who, what, before and after", "/journal", narrow=_DARK),
    Picture("sign-in", SIGN_IN, "Signing in, where there are tokens", SIGN_IN, narrow=_DARK),
)


def gallery(there: Collection[str]) -> str:
    """The page that shows the pictures whose files are there."""
    return "\n".join(("# What the dashboard looks like", "", *_lead(), *(
        line for picture in PICTURES for line in _shown(picture, there))))


def _lead() -> Iterator[str]:
    yield "`make screenshots` takes these pictures, and writes this page. They are of a day of a company that there is"
    yield "not: a shop, its directory of people, and its ads; not everything went well. What the pages show is said in"
    yield "[jobs, queues and workers](web-jobs.md), [syncs, runs and records](web-syncs.md), and [tasks, traces and"
    yield "advice](web-traces.md)."
    yield ""


def _shown(picture: Picture, there: Collection[str]) -> Iterator[str]:
    files = {what: file for what, file in picture.files.items() if file in there}
    if "light" in files:
        others = [f"[{what}](images/{file})" for what, file in files.items() if what != "light"]
        yield f"**{picture.says}**" + (f" ({', '.join(others)})" if others else "")
        yield ""
        yield f"![{picture.says}](images/{files['light']})"
        yield ""
