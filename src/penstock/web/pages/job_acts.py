"""Acts on many jobs: first a page that says which and how many, then the act; what takes longer, a job goes on with."""

import msgspec

from penstock.domain.listing import FITS, Acted, Counted, JobFilter, JobListed
from penstock.queue.listing.acts import check_act
from penstock.web.asked import Misread, Number
from penstock.web.declared import Action, Done, Seen, View
from penstock.web.frame import to
from penstock.web.pages.jobs import ACTS
from penstock.web.pages.looking_for import Filtered

_SAMPLE = 5
_DONE = {"retry": "put back to run again", "run_now": "made due now", "cancel": "cancelled", "discard": "discarded"}


class Asked(Filtered, frozen=True, kw_only=True):
    """What is to be done, to which jobs: those of an `id`, or `all` that match the filter, which names a state."""

    act: str
    id: list[Number] = []
    all: bool = False
    reason: str = ""


class Asking(msgspec.Struct, frozen=True):
    """What is about to be done, to how many. `sample` are some of those that match."""

    act: str
    label: str
    ids: list[int]
    all: bool
    count: Counted
    sample: list[JobListed]
    filter: str
    destroys: bool
    fields: dict[str, str | list[int]]
    back: str


def load(seen: Seen, asked: Asked) -> Asking:
    """How many jobs an act would be done to, before it is."""
    act, wanted = check_act(asked.act), _checked(seen, asked)
    if asked.all:
        count = seen.app.count_jobs(wanted)
        sample = seen.app.jobs(**wanted.given, limit=_SAMPLE).jobs  # type: ignore[arg-type]
    else:
        count, sample = Counted(len(set(asked.id)), False), []
    fields: dict[str, str | list[int]] = {"act": act, "id": [] if asked.all else sorted(set(asked.id)), **asked.query}
    if asked.all:
        fields["all"] = "1"
    return Asking(act, ACTS[act], sorted(set(asked.id)), asked.all, count, sample, asked.words,
                  act in ("cancel", "discard"), fields, asked.url("/jobs"))


def do(seen: Seen, asked: Asked) -> Done:
    """Do it for some seconds; where more is left, a job goes on with it."""
    act, wanted = check_act(asked.act), _checked(seen, asked)
    if not asked.all:
        acted = seen.app.act_on_ids(act, asked.id, asked.reason)
        about = "jobs:" + ",".join(str(id) for id in sorted(set(asked.id))[:20]) + ("…" if len(asked.id) > 20 else "")
        return Done(f"{_said(act, acted)}.", asked.url("/jobs"), about, None, _after(act, acted, asked))
    acted, job = seen.app.act_on_all(act, wanted, asked.reason)
    if job is None:
        return Done(f"{_said(act, acted)}.", asked.url("/jobs"), f"jobs:{asked.words}", None, _after(act, acted, asked))
    return Done(f"{_said(act, acted)} so far; there are more, and job {job} goes on with them.", to("/jobs/{}", job),
                f"jobs:{asked.words}", None, f"{_after(act, acted, asked)}; job {job} goes on")


def _checked(seen: Seen, asked: Asked) -> JobFilter:
    """Raises `Misread` for what nobody means, and `InvalidArguments`."""
    wanted = asked.filter(seen.app)
    if not asked.all and not asked.id:
        raise Misread("no job was ticked: go back, tick some, or act on all that match")
    if asked.all and wanted.state not in FITS[check_act(asked.act)]:
        raise Misread(f"to {asked.act} all that match, choose their state first: one of"
                      f" {', '.join(FITS[check_act(asked.act)])}")
    return wanted


def _said(act: str, acted: Acted) -> str:
    said = f"{acted.done:,} job{'' if acted.done == 1 else 's'} {'was' if acted.done == 1 else 'were'} {_DONE[act]}"
    if acted.asked:
        said += f", {acted.asked:,} that run {'was' if acted.asked == 1 else 'were'} asked to end"
    if acted.refused:
        said += f", {acted.refused:,} left alone since their state is another, or their unique key is taken"
    return said


def _after(act: str, acted: Acted, asked: Asked) -> str:
    return f"{act}: {acted.done} done, {acted.asked} asked, {acted.refused} refused: {asked.reason}".rstrip(": ")


VIEWS = [View(path="/jobs/act", asked=Asked, load=load, template="jobs/act.html", nav="jobs", scope="operate",
              exact=True, title=lambda m: f"{m.label} {m.count} job{'' if str(m.count) == '1' else 's'}?")]
ACTIONS = [Action(path="/jobs/act", asked=Asked, do=do)]
