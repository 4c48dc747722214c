"""Acts on many jobs: first a page that says which and how many, then the act, in bounded stretches until it is done."""

import msgspec

from penstock.domain.listing import FITS, Acted, Counted, JobFilter, JobListed
from penstock.queue.listing.acts import check_act
from penstock.web.asked import Misread, Number
from penstock.web.declared import Action, Done, Seen, View
from penstock.web.pages.jobs import ACTS
from penstock.web.pages.looking_for import Filtered

_SECONDS = 5.0
_SAMPLE = 5
_DONE = {"retry": "put back to run again", "run_now": "made due now", "cancel": "cancelled", "discard": "discarded"}


class Asked(Filtered, frozen=True, kw_only=True):
    """What is to be done, to which jobs: those of an `id`, or `all` that match the filter, which names a state.

    The rest is where an act that takes longer goes on (`after`), and what it has come to by then.
    """

    act: str
    id: list[Number] = []
    all: bool = False
    reason: str = ""
    after: str | None = None
    done: int = 0
    ended: int = 0
    refused: int = 0


class Asking(msgspec.Struct, frozen=True):
    """What is about to be done, to how many. `sample` are some of those that match; `going` says that it has begun."""

    act: str
    label: str
    ids: list[int]
    all: bool
    count: Counted
    sample: list[JobListed]
    filter: str
    destroys: bool
    going: bool
    fields: dict[str, str | list[int]]
    back: str


def load(seen: Seen, asked: Asked) -> Asking:
    """How many jobs an act would be done to, before it is."""
    act, wanted = check_act(asked.act), _checked(seen, asked)
    if asked.all:
        count = seen.app.count_jobs(wanted)
        sample = seen.app.jobs(**wanted.given, after=asked.after, limit=_SAMPLE).jobs  # type: ignore[arg-type]
    else:
        count, sample = Counted(len(set(asked.id)), False), []
    fields: dict[str, str | list[int]] = {"act": act, "id": [] if asked.all else sorted(set(asked.id)), **asked.query}
    if asked.all:
        fields |= {"all": "1", "after": asked.after or "", "done": str(asked.done), "ended": str(asked.ended),
                   "refused": str(asked.refused)}
    return Asking(act, ACTS[act], sorted(set(asked.id)), asked.all, count, sample, asked.words,
                  act in ("cancel", "discard"), asked.after is not None, fields, asked.url("/jobs"))


def do(seen: Seen, asked: Asked) -> Done:
    """Do it for some seconds; what is left is said, and goes on from there."""
    act, wanted = check_act(asked.act), _checked(seen, asked)
    if not asked.all:
        acted = seen.app.act_on_ids(act, asked.id, asked.reason)
        about = "jobs:" + ",".join(str(id) for id in sorted(set(asked.id))[:20]) + ("…" if len(asked.id) > 20 else "")
        return Done(f"{_said(act, acted)}.", asked.url("/jobs"), about, None, _after(act, acted, asked))
    acted = seen.app.act_on_jobs(act, wanted, asked.after, _SECONDS, asked.reason)
    total = Acted(act, asked.done + acted.done, asked.ended + acted.asked, asked.refused + acted.refused, acted.after)
    if total.after is None:
        said, to = f"{_said(act, total)}.", asked.url("/jobs")
    else:
        said = f"{_said(act, total)} so far, and there are more: go on below."
        to = asked.url("/jobs/act", act=act, all=1, after=total.after, reason=asked.reason, done=total.done,
                       ended=total.asked, refused=total.refused)
    return Done(said, to, f"jobs:{asked.words}", None, _after(act, acted, asked))


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
              title=lambda m: f"{m.label} {m.count} job{'' if str(m.count) == '1' else 's'}?")]
ACTIONS = [Action(path="/jobs/act", asked=Asked, do=do)]
